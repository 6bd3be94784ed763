// SPDX-License-Identifier: Apache-2.0
// Users as administrators see them and API keys, in memory.
#include "store/memory/account.h"

static int id_cmp(const void *a, const void *b)
{
    struct ulid x, y;
    memcpy(&x, *(const void *const *)a, sizeof x);
    memcpy(&y, *(const void *const *)b, sizeof y);
    return ulid_cmp(x, y);
}

static struct ulid id_of(const void *row)
{
    struct ulid id;
    memcpy(&id, row, sizeof id);
    return id;
}

const void *id_page_at(const struct id_page *l, size_t i)
{
    return l->v[l->ascending ? l->first + i : l->first - i];
}

bool id_page_cut(struct id_page *l, const struct page *p, char list, struct arena *a, struct err *err)
{
    struct cursor at;
    bool given;
    if (!page_open(p, list, id_sorts, &at, &given, a, err))
        return false;
    if (l->n > 1)
        qsort((void *)l->v, l->n, sizeof *l->v, id_cmp);
    size_t passed = given ? 0 : (size_t)p->offset;
    while (given && passed < l->n &&
           (p->ascending ? ulid_cmp(id_of(l->v[passed]), at.id) <= 0
                         : ulid_cmp(id_of(l->v[l->n - 1 - passed]), at.id) >= 0))
        passed++;
    size_t left = passed < l->n ? l->n - passed : 0;
    l->ascending = p->ascending;
    l->count = left < (size_t)p->size ? left : (size_t)p->size;
    l->first = p->ascending ? passed : l->n - 1 - passed;
    page_total(&l->result, (int64_t)l->n, true);
    if (left > l->count && l->count > 0) {
        at.id = id_of(id_page_at(l, l->count - 1));
        l->result.next_cursor = cursor_write(&at, a);
    }
    return true;
}

static bool no_memory(struct err *err) { return ERR(err, ERR_UNAVAILABLE, "no memory for a page of accounts"); }

// ---- users ----

static bool user_matches(const struct user *u, const struct user_filter *f)
{
    return text_has_part(u->email, f->email) && (f->enabled < 0 || u->enabled == (f->enabled == 1)) &&
           (f->role < 0 || (user_role_bits(u) & 1u << f->role));
}

static bool users_answer(struct mem *m, const struct user_filter *f, const struct page *p, struct user **ret,
                         size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err)
{
    struct id_page l = {.v = (const void **)arena_array(a, m->users.n + 1, sizeof *l.v)};
    struct user *out = arena_new_array(a, struct user, (size_t)p->size);
    void *v;
    if (!l.v || !out)
        return no_memory(err);
    for (size_t i = 0; (i = map_next(&m->users, i, &v));)
        if (user_matches(v, f))
            l.v[l.n++] = v;
    if (!id_page_cut(&l, p, 'u', a, err))
        return false;
    for (size_t i = 0; i < l.count; i++)
        if (!user_answer(m, id_page_at(&l, i), &out[i], a, err))
            return false;
    *ret = out;
    *ret_n = l.count;
    *ret_page = l.result;
    return true;
}

static bool mem_users_list(struct store *s, const struct user_filter *f, const struct page *p, struct user **ret,
                           size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "users_list", false, err) &&
           call_end(&c, users_answer(c.m, f, p, ret, ret_n, ret_page, a, err), err);
}

static int64_t jobs_of(struct mem *m, struct ulid owner)
{
    int64_t n = 0;
    for (size_t i = 0; i < m->jobs_by_id.n; i++) {
        const struct job_row *j = m->jobs_by_id.v[i];
        n += !j->deleted && ulid_eq(j->owner_id, owner);
    }
    return n;
}

bool has_no_jobs(struct mem *m, struct ulid owner, const char *what, struct err *err)
{
    int64_t n = jobs_of(m, owner);
    return n == 0 || ERR(err, ERR_CONFLICT, "%lld jobs belong to this %s: delete them or give them to somebody else",
                         (long long)n, what);
}

static void keys_remove(struct mem *m, struct ulid owner)
{
    for (size_t i = m->keys.n; i > 0; i--) {
        const struct api_key *k = m->keys.v[i - 1];
        if (ulid_eq(k->owner_id, owner))
            row_list_remove(&m->keys, k->id);
    }
}

static bool user_remove(struct mem *m, struct ulid id, struct err *err)
{
    const struct user *u = map_get(&m->users, id);
    if (!u)
        return ERR(err, ERR_NOT_FOUND, "there is no such user");
    if (no_other_admin(m, u))
        return ERR(err, ERR_CONFLICT, "this is the last administrator who can sign in: make another one first");
    if (!has_no_jobs(m, id, "user", err))
        return false;
    sessions_remove(m, NULL, &id, INSTANT_NEVER);
    keys_remove(m, id);
    memberships_remove(m, ULID_ZERO, id);
    secrets_remove(m, id);
    (void)map_remove(&m->users, id);
    return true;
}

static bool mem_user_delete(struct store *s, struct ulid id, struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "user_delete", true, err) && call_end(&c, user_remove(c.m, id, err), err);
}

static bool mem_jobs_owned(struct store *s, struct ulid owner, int64_t *ret, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "jobs_owned", false, err))
        return false;
    *ret = jobs_of(c.m, owner);
    return call_end(&c, true, err);
}

// ---- API keys ----

static struct api_key *key_find(struct mem *m, const uint8_t *hash)
{
    for (size_t i = 0; i < m->keys.n; i++) {
        struct api_key *k = m->keys.v[i];
        if (memcmp(k->hash, hash, sizeof k->hash) == 0)
            return k;
    }
    return NULL;
}

static struct api_key *key_get(struct mem *m, struct ulid id)
{
    size_t at = row_list_after(&m->keys, id);
    struct api_key *k = at > 0 ? m->keys.v[at - 1] : NULL;
    return k && ulid_eq(k->id, id) ? k : NULL;
}

static bool key_put(struct mem *m, const struct api_key *k, struct err *err)
{
    if (key_get(m, k->id) || key_find(m, k->hash))
        return ERR(err, ERR_CONFLICT, "this API key exists already");
    struct api_key *own = mem_take(m, 1, sizeof *own);
    *own = *k;
    own->name = mem_text(m, k->name);
    own->scopes.v = mem_take(m, k->scopes.n, sizeof *own->scopes.v);
    for (size_t i = 0; i < k->scopes.n; i++)
        own->scopes.v[i] = mem_text(m, k->scopes.v[i]);
    row_list_add(&m->keys, own);
    return true;
}

static bool mem_key_insert(struct store *s, const struct api_key *k, struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "key_insert", true, err) && call_end(&c, key_put(c.m, k, err), err);
}

static bool key_answer(const struct api_key *k, struct api_key *ret, struct err *err)
{
    if (!k)
        return ERR(err, ERR_NOT_FOUND, "there is no such API key");
    *ret = *k;
    return true;
}

static bool mem_key_by_hash(struct store *s, const uint8_t hash[API_KEY_HASH_BYTES], struct api_key *ret,
                            struct arena *a, struct err *err)
{
    (void)a; // texts of this store never change
    struct mem_call c;
    return call_begin(&c, s, "key_by_hash", false, err) &&
           call_end(&c, key_answer(key_find(c.m, hash), ret, err), err);
}

static bool keys_answer(struct mem *m, struct ulid owner, const struct page *p, struct api_key **ret, size_t *ret_n,
                        struct page_result *ret_page, struct arena *a, struct err *err)
{
    struct id_page l = {.v = (const void **)arena_array(a, m->keys.n + 1, sizeof *l.v)};
    struct api_key *out = arena_new_array(a, struct api_key, (size_t)p->size);
    if (!l.v || !out)
        return no_memory(err);
    for (size_t i = 0; i < m->keys.n; i++) {
        const struct api_key *k = m->keys.v[i];
        if (ulid_is_zero(owner) || ulid_eq(k->owner_id, owner))
            l.v[l.n++] = k;
    }
    if (!id_page_cut(&l, p, 'k', a, err))
        return false;
    for (size_t i = 0; i < l.count; i++)
        out[i] = *(const struct api_key *)id_page_at(&l, i);
    *ret = out;
    *ret_n = l.count;
    *ret_page = l.result;
    return true;
}

static bool mem_keys_list(struct store *s, struct ulid owner, const struct page *p, struct api_key **ret,
                          size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "keys_list", false, err) &&
           call_end(&c, keys_answer(c.m, owner, p, ret, ret_n, ret_page, a, err), err);
}

static bool mem_key_delete(struct store *s, struct ulid id, struct ulid owner, struct api_key *ret, struct arena *a,
                           struct err *err)
{
    (void)a;
    struct mem_call c;
    if (!call_begin(&c, s, "key_delete", true, err))
        return false;
    const struct api_key *k = key_get(c.m, id);
    if (k && !ulid_is_zero(owner) && !ulid_eq(k->owner_id, owner))
        k = NULL;
    struct api_key was;
    bool ok = key_answer(k, &was, err);
    if (ok)
        row_list_remove(&c.m->keys, id);
    if (!call_end(&c, ok, err))
        return false;
    *ret = was;
    return true;
}

static bool mem_key_used(struct store *s, struct ulid id, struct instant at, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "key_used", true, err))
        return false;
    struct api_key *k = key_get(c.m, id);
    if (k && (instant_is_never(k->last_used_at) || k->last_used_at.us < at.us))
        k->last_used_at = at;
    return call_end(&c, true, err);
}

const struct account_ops mem_account_ops = {
    .users_list = mem_users_list,
    .user_delete = mem_user_delete,
    .jobs_owned = mem_jobs_owned,
    .key_insert = mem_key_insert,
    .key_by_hash = mem_key_by_hash,
    .keys_list = mem_keys_list,
    .key_delete = mem_key_delete,
    .key_used = mem_key_used,
    .team_insert = mem_team_insert,
    .team_get = mem_team_get,
    .team_update = mem_team_update,
    .team_delete = mem_team_delete,
    .teams_list = mem_teams_list,
    .members_list = mem_members_list,
    .member_role = mem_member_role,
    .member_put = mem_member_put,
    .member_remove = mem_member_remove,
};
