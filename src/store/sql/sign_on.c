// SPDX-License-Identifier: Apache-2.0
// Identities, sessions of browsers and swapped settings.
#include "store/sql/sql.h"

enum { HASH_BYTES = 32 };

// AGAIN(call): once more when a connection for reading was lost (again.h).
static unsigned lost(struct store *s) { return atomic_load(&((struct sql *)s)->readers_lost); }
#define AGAIN(call)                                                                                          \
    unsigned before = lost(s);                                                                               \
    return (call) || (err->code == ERR_UNAVAILABLE && lost(s) != before && (call))

// ---- identities --------------------------------------------------------------------------------

static bool identity_read(struct store *s, const uint8_t key[IDENTITY_KEY_BYTES], struct ulid *ret_user,
                          struct err *err)
{
    struct sql_read r;
    bool row;
    if (!sql_read(&r, s, STORE_IDENTITY_GET, err))
        return false;
    db_put_blob(r.s, 1, key, IDENTITY_KEY_BYTES);
    bool ok = db_step(r.s, &row, err) && (row || ERR(err, ERR_NOT_FOUND, "nobody is known by this identity"));
    if (ok)
        *ret_user = db_id(r.s, 0);
    sql_read_end(&r);
    return ok;
}

static bool identity_get(struct store *s, const uint8_t key[IDENTITY_KEY_BYTES], struct ulid *ret_user, struct err *err)
{
    AGAIN(identity_read(s, key, ret_user, err));
}

struct binding {
    struct store *store;
    const struct identity *v;
    const struct user *made; // or NULL
};

static bool binding_write(struct db *d, void *arg, struct err *err)
{
    const struct binding *w = arg;
    struct db_stmt *s;
    if (w->made && !user_row_put(w->store, d, w->made, err))
        return false;
    // One whose user was deleted is free again.
    if (!sql_query(d, STORE_IDENTITY_REMOVE_DANGLING, &s, err))
        return false;
    db_put_blob(s, 1, w->v->key, IDENTITY_KEY_BYTES);
    if (!db_run(s, err) || !sql_query(d, STORE_IDENTITY_PUT, &s, err))
        return false;
    db_put_blob(s, 1, w->v->key, IDENTITY_KEY_BYTES);
    db_put_text(s, 2, w->v->issuer);
    db_put_text(s, 3, w->v->subject);
    db_put_id(s, 4, &w->v->user_id);
    db_put_i64(s, 5, w->v->created_at.us);
    if (!db_run(s, err))
        return false;
    return db_changes(d) == 1 || ERR(err, ERR_CONFLICT, "the identity belongs to a user already");
}

static bool identity_put(struct store *s, const struct identity *v, const struct user *made, struct err *err)
{
    struct binding w = {.store = s, .v = v, .made = made};
    return sql_write(s, binding_write, &w, 2, err);
}

// ---- sessions ----------------------------------------------------------------------------------

static bool session_read(struct store *s, const uint8_t token_hash[32], struct session *ret, struct err *err)
{
    struct sql_read r;
    bool row;
    if (!sql_read(&r, s, STORE_SESSION_SEE, err))
        return false;
    db_put_blob(r.s, 1, token_hash, HASH_BYTES);
    bool ok = db_step(r.s, &row, err) && (row || ERR(err, ERR_NOT_FOUND, "there is no such session"));
    if (ok) {
        *ret = (struct session){.family = db_id(r.s, 0),
                                .user_id = db_id(r.s, 1),
                                .created_at = read_instant(r.s, 2),
                                .expires_at = read_instant(r.s, 3),
                                .used = db_i64(r.s, 4) != 0};
        memcpy(ret->token_hash, token_hash, HASH_BYTES);
    }
    sql_read_end(&r);
    return ok;
}

static bool session_get(struct store *s, const uint8_t token_hash[32], struct session *ret, struct err *err)
{
    AGAIN(session_read(s, token_hash, ret, err));
}

struct extension {
    const uint8_t *token_hash;
    struct instant expires;
};

static bool extend_write(struct db *d, void *arg, struct err *err)
{
    const struct extension *w = arg;
    struct db_stmt *s;
    if (!sql_query(d, STORE_SESSION_EXTEND, &s, err))
        return false;
    db_put_blob(s, 1, w->token_hash, HASH_BYTES);
    db_put_i64(s, 2, w->expires.us);
    return db_run(s, err);
}

static bool session_extend(struct store *s, const uint8_t token_hash[32], struct instant expires, struct err *err)
{
    struct extension w = {token_hash, expires};
    return sql_write(s, extend_write, &w, 1, err);
}

// ---- settings ----------------------------------------------------------------------------------

struct swap {
    struct str key, expect, value;
    bool done;
};

static bool swap_write(struct db *d, void *arg, struct err *err)
{
    struct swap *w = arg;
    struct db_stmt *s;
    if (!sql_query(d, STORE_SETTING_SWAP, &s, err))
        return false;
    db_put_text(s, 1, w->key);
    db_put_text(s, 2, w->expect);
    db_put_text(s, 3, w->value);
    if (!db_run(s, err))
        return false;
    w->done = db_changes(d) == 1;
    if (!w->done)
        write_was_idle();
    return true;
}

static bool setting_swap(struct store *s, struct str key, struct str expect, struct str value, bool *ret_done,
                         struct err *err)
{
    struct swap w = {.key = key, .expect = expect, .value = value};
    if (!sql_write(s, swap_write, &w, 1, err))
        return false;
    *ret_done = w.done;
    return true;
}

const struct sign_on_ops sql_sign_on_ops = {
    .identity_get = identity_get,
    .identity_put = identity_put,
    .session_get = session_get,
    .session_extend = session_extend,
    .setting_swap = setting_swap,
};
