// SPDX-License-Identifier: Apache-2.0
// Users, sessions and settings in memory.
#include "base/mem.h"
#include "store/memory/account.h"

enum { HASH_BYTES = 32 };

static bool is_admin(const struct user *u) { return u->enabled && (user_role_bits(u) & (1u << ROLE_ADMIN)); }

static void user_own(struct mem *m, struct user *to, const struct user *from)
{
    *to = *from;
    to->email = mem_text(m, from->email);
    to->password_hash = mem_text(m, from->password_hash);
    to->must_change = from->one_time_until.us != 0;
    to->teams = NULL;
    to->n_teams = 0;
    to->roles.v = mem_take(m, from->roles.n, sizeof *to->roles.v);
    for (size_t i = 0; i < from->roles.n; i++)
        to->roles.v[i] = mem_text(m, from->roles.v[i]);
}

static struct user *user_find(struct mem *m, struct str email)
{
    void *v;
    for (size_t i = 0; (i = map_next(&m->users, i, &v));)
        if (str_eq(((struct user *)v)->email, email))
            return v;
    return NULL;
}

static bool any_admin(struct mem *m)
{
    void *v;
    for (size_t i = 0; (i = map_next(&m->users, i, &v));)
        if (is_admin(v))
            return true;
    return false;
}

static bool insert(struct mem *m, const struct user *u, bool first_admin, struct err *err)
{
    if (first_admin && any_admin(m))
        return ERR(err, ERR_CONFLICT, "an administrator exists already: sign in as that user");
    if (user_find(m, u->email) || map_get(&m->users, u->id))
        return ERR(err, ERR_CONFLICT, "a user with the e-mail \"%.*s\" exists already", STR_ARG(u->email));
    struct user *own = mem_take(m, 1, sizeof *own);
    user_own(m, own, u);
    (void)map_put(&m->users, u->id, own);
    return true;
}

bool user_put(struct mem *m, const struct user *u, struct err *err) { return insert(m, u, false, err); }

bool mem_user_insert(struct store *s, const struct user *u, struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "user_insert", true, err) && call_end(&c, insert(c.m, u, false, err), err);
}

bool mem_user_insert_first_admin(struct store *s, const struct user *u, struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "user_insert_first_admin", true, err) &&
           call_end(&c, insert(c.m, u, true, err), err);
}

bool user_answer(struct mem *m, const struct user *u, struct user *ret, struct arena *a, struct err *err)
{
    if (!u)
        return ERR(err, ERR_NOT_FOUND, "there is no such user");
    struct user copy = *u;
    copy.read_epoch = u->session_epoch;
    if (!teams_of(m, u->id, &copy, a))
        return ERR(err, ERR_UNAVAILABLE, "no memory for the teams of a user");
    *ret = copy;
    return true;
}

bool mem_user_get(struct store *s, struct ulid id, struct user *ret, struct arena *a, struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "user_get", false, err) &&
           call_end(&c, user_answer(c.m, map_get(&c.m->users, id), ret, a, err), err);
}

bool mem_user_by_email(struct store *s, struct str email, struct user *ret, struct arena *a, struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "user_by_email", false, err) &&
           call_end(&c, user_answer(c.m, user_find(c.m, email), ret, a, err), err);
}

bool no_other_admin(struct mem *m, const struct user *u)
{
    void *v;
    bool others = false;
    for (size_t i = 0; (i = map_next(&m->users, i, &v));)
        others |= v != u && is_admin(v);
    return is_admin(u) && !others;
}

static bool update(struct mem *m, const struct user *u, struct err *err)
{
    struct user *own = map_get(&m->users, u->id);
    if (!own)
        return ERR(err, ERR_NOT_FOUND, "there is no such user");
    if (u->read_epoch != 0 && u->read_epoch != own->session_epoch)
        return ERR(err, ERR_STALE, "the account was changed by somebody else: read it again");
    if (!is_admin(u) && no_other_admin(m, own))
        return ERR(err, ERR_CONFLICT, "this is the last administrator who can sign in: make another one first");
    struct user changed = *own;
    changed.one_time_until = u->one_time_until;
    changed.password_hash = u->password_hash;
    changed.roles = u->roles;
    changed.enabled = u->enabled;
    changed.session_epoch = u->session_epoch;
    user_own(m, own, &changed);
    return true;
}

bool mem_user_update(struct store *s, const struct user *u, struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "user_update", true, err) && call_end(&c, update(c.m, u, err), err);
}

bool mem_admin_exists(struct store *s, bool *ret, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "admin_exists", false, err))
        return false;
    *ret = any_admin(c.m);
    return call_end(&c, true, err);
}

// ---- sessions ----------------------------------------------------------------------------------

static struct session *session_find(struct mem *m, const uint8_t *hash)
{
    return map_get(&m->sessions, map_key(hash, HASH_BYTES));
}

void sessions_remove(struct mem *m, const struct ulid *family, const struct ulid *user,
                            struct instant before)
{
    void *v;
    for (size_t i = 0; (i = map_next(&m->sessions, i, &v));) {
        const struct session *n = v;
        if ((family && !ulid_eq(n->family, *family)) || (user && !ulid_eq(n->user_id, *user)) ||
            n->expires_at.us > before.us)
            continue;
        (void)map_remove(&m->sessions, map_key(n->token_hash, HASH_BYTES));
        i = 0;
    }
}

static bool session_put(struct mem *m, const struct session *n, struct err *err)
{
    if (session_find(m, n->token_hash))
        return ERR(err, ERR_CONFLICT, "this session exists already");
    struct session *own = mem_take(m, 1, sizeof *own);
    *own = *n;
    (void)map_put(&m->sessions, map_key(n->token_hash, HASH_BYTES), own);
    return true;
}

bool mem_session_insert(struct store *s, const struct session *n, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "session_insert", true, err))
        return false;
    sessions_remove(c.m, NULL, &n->user_id, n->created_at);
    return call_end(&c, session_put(c.m, n, err), err);
}

static bool rotate(struct mem *m, const uint8_t *old_hash, const uint8_t *new_hash, struct instant now,
                   struct instant expires, struct ulid *ret_user, struct err *err)
{
    struct session *old = session_find(m, old_hash);
    if (!old || old->expires_at.us <= now.us)
        return ERR(err, ERR_UNAUTHENTICATED, "the session is unknown or has expired: sign in again");
    if (old->used) {
        struct ulid family = old->family;
        *ret_user = old->user_id;
        sessions_remove(m, &family, NULL, INSTANT_NEVER);
        return ERR(err, ERR_UNAUTHENTICATED, "the session was used twice and has been ended: sign in again");
    }
    struct session next = {
        .family = old->family, .user_id = old->user_id, .created_at = now, .expires_at = expires};
    memcpy(next.token_hash, new_hash, sizeof next.token_hash);
    if (!session_put(m, &next, err))
        return false;
    old->used = true;
    *ret_user = old->user_id;
    return true;
}

bool mem_session_rotate(struct store *s, const uint8_t old_hash[32], const uint8_t new_hash[32],
                        struct instant now, struct instant expires, struct ulid *ret_user, struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "session_rotate", true, err) &&
           call_end(&c, rotate(c.m, old_hash, new_hash, now, expires, ret_user, err), err);
}

bool mem_session_end(struct store *s, const uint8_t token_hash[32], struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "session_end", true, err))
        return false;
    const struct session *n = session_find(c.m, token_hash);
    if (n) {
        struct ulid family = n->family;
        sessions_remove(c.m, &family, NULL, INSTANT_NEVER);
    }
    return call_end(&c, true, err);
}

bool mem_sessions_end_all(struct store *s, struct ulid user_id, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "sessions_end_all", true, err))
        return false;
    sessions_remove(c.m, NULL, &user_id, INSTANT_NEVER);
    return call_end(&c, true, err);
}

// ---- settings ----------------------------------------------------------------------------------

bool mem_setting_get(struct store *s, struct str key, struct str *ret, struct arena *a, struct err *err)
{
    (void)a;
    struct mem_call c;
    if (!call_begin(&c, s, "setting_get", false, err))
        return false;
    const struct str *v = map_get(&c.m->settings, map_key(key.p, key.n));
    if (!v)
        return call_end(&c, ERR(err, ERR_NOT_FOUND, "setting \"%.*s\" is not set", STR_ARG(key)), err);
    *ret = *v;
    return call_end(&c, true, err);
}

bool mem_setting_put(struct store *s, struct str key, struct str value, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "setting_put", true, err))
        return false;
    struct ulid place = map_key(key.p, key.n);
    if (value.p) {
        struct str *own = mem_take(c.m, 1, sizeof *own);
        *own = mem_text(c.m, value);
        (void)map_put(&c.m->settings, place, own);
    } else {
        (void)map_remove(&c.m->settings, place);
    }
    return call_end(&c, true, err);
}

bool mem_setting_insert(struct store *s, struct str key, struct str value, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "setting_insert", true, err))
        return false;
    struct ulid place = map_key(key.p, key.n);
    if (map_get(&c.m->settings, place))
        return call_end(&c, ERR(err, ERR_CONFLICT, "setting \"%.*s\" is set already", STR_ARG(key)), err);
    struct str *own = mem_take(c.m, 1, sizeof *own);
    *own = mem_text(c.m, value);
    (void)map_put(&c.m->settings, place, own);
    return call_end(&c, true, err);
}
