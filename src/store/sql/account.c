// SPDX-License-Identifier: Apache-2.0
// Users as administrators see them: lists, and the end of an account.
#include "store/sql/account.h"

bool run_with_id(struct db *d, enum store_query q, const struct ulid *id, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, q, &s, err))
        return false;
    db_put_id(s, 1, id);
    return db_run(s, err);
}

static bool jobs_count(struct db_stmt *s, const struct ulid *owner, int64_t *ret, struct err *err)
{
    db_put_id(s, 1, owner);
    if (!sql_only_row(s, err, "count", "jobs"))
        return false;
    *ret = db_i64(s, 0);
    db_reset(s);
    return true;
}

bool owns_no_jobs(struct db *d, const struct ulid *owner, const char *what, struct err *err)
{
    struct db_stmt *s;
    int64_t n;
    if (!sql_query(d, STORE_JOBS_OWNED, &s, err) || !jobs_count(s, owner, &n, err))
        return false;
    return n == 0 || ERR(err, ERR_CONFLICT, "%lld jobs belong to this %s: delete them or give them to somebody else",
                         (long long)n, what);
}

static bool sql_jobs_owned(struct store *s, struct ulid owner, int64_t *ret, struct err *err)
{
    struct sql_read r;
    if (!sql_read(&r, s, STORE_JOBS_OWNED, err))
        return false;
    bool ok = jobs_count(r.s, &owner, ret, err);
    sql_read_end(&r);
    return ok;
}

bool list_total(struct sql_read *r, struct page_result *ret, struct err *err)
{
    bool ok = sql_only_row(r->s, err, "count", "rows");
    if (ok)
        page_total(ret, db_i64(r->s, 0), true);
    return ok;
}

// ---- list ----

static void bind_filter(struct db_stmt *s, const struct user_filter *f)
{
    db_put_text(s, 1, f->email.n ? f->email : STR_NONE);
    db_put_text(s, 2, f->role >= 0 ? str_of(role_names[f->role]) : STR_NONE);
    db_put_i64(s, 3, f->enabled);
}

static bool count(struct store *st, const struct user_filter *f, struct page_result *ret, struct err *err)
{
    struct sql_read r;
    if (!sql_read(&r, st, STORE_USERS_COUNT, err))
        return false;
    bind_filter(r.s, f);
    db_put_i64(r.s, 4, TOTAL_EXACT_MAX + 1);
    bool ok = list_total(&r, ret, err);
    sql_read_end(&r);
    return ok;
}

static bool list(struct store *st, const struct user_filter *f, struct cursor *at, struct pager *pager,
                 struct user *out, struct arena *a, struct err *err)
{
    struct sql_read r;
    struct ulid from = at->id;
    bool ok = true, row;
    if (!sql_read(&r, st, at->ascending ? STORE_USERS_LIST_ASC : STORE_USERS_LIST_DESC, err))
        return false;
    bind_filter(r.s, f);
    db_put_id(r.s, 4, &from);
    db_put_i64(r.s, 5, pager->skip + pager->size + 1);
    while (ok && (ok = db_step(r.s, &row, err)) && row)
        if (pager_next(pager) == PAGE_TAKE) {
            ok = user_row_read(r.s, &out[pager->n - 1], a, err);
            at->id = out[pager->n - 1].id;
        }
    sql_read_end(&r);
    return ok;
}

static bool sql_users_list(struct store *s, const struct user_filter *f, const struct page *p, struct user **ret,
                    size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err)
{
    struct cursor at;
    struct page_result result;
    bool given;
    if (!page_open(p, 'u', id_sorts, &at, &given, a, err))
        return false;
    struct pager pager = {.skip = given ? 0 : p->offset, .size = p->size};
    struct user *out = arena_new_array(a, struct user, (size_t)p->size);
    if (!out)
        return sql_no_memory(err);
    if (!list(s, f, &at, &pager, out, a, err) || !count(s, f, &result, err))
        return false;
    result.next_cursor = pager.more ? cursor_write(&at, a) : STR_NONE;
    *ret = out;
    *ret_n = pager.n;
    *ret_page = result;
    return true;
}

// ---- end ----

struct removal {
    struct store *store;
    struct ulid id;
};

static bool removal_write(struct db *d, void *arg, struct err *err)
{
    static const enum store_query parts[] = {STORE_SESSIONS_REMOVE_USER, STORE_API_KEYS_REMOVE_OWNER,
                                             STORE_MEMBERS_REMOVE_USER,  STORE_SECRETS_REMOVE_SCOPE,
                                             STORE_ONE_TIME_REMOVE,      STORE_USER_REMOVE};
    const struct removal *w = arg;
    if ((!w->store->exclusive && !admins_lock(d, err)) || !user_may_change(d, &w->id, 0, false, err) ||
        !owns_no_jobs(d, &w->id, "user", err))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof parts / sizeof parts[0]; i++)
        ok = run_with_id(d, parts[i], &w->id, err);
    return ok;
}

static bool sql_user_delete(struct store *s, struct ulid id, struct err *err)
{
    struct removal w = {s, id};
    bool ok = sql_write(s, removal_write, &w, 4, err);
    if (s->exclusive)
        user_memory_forget(&((struct sql *)s)->users, id);
    return ok;
}

const struct account_ops sql_account_ops = {
    .users_list = sql_users_list,
    .user_delete = sql_user_delete,
    .jobs_owned = sql_jobs_owned,
    .key_insert = sql_key_insert,
    .key_by_hash = sql_key_by_hash,
    .keys_list = sql_keys_list,
    .key_delete = sql_key_delete,
    .key_used = sql_key_used,
    .team_insert = sql_team_insert,
    .team_get = sql_team_get,
    .team_update = sql_team_update,
    .team_delete = sql_team_delete,
    .teams_list = sql_teams_list,
    .members_list = sql_members_list,
    .member_role = sql_member_role,
    .member_put = sql_member_put,
    .member_remove = sql_member_remove,
};
