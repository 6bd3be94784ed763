// SPDX-License-Identifier: Apache-2.0
// Sessions: refresh tokens that rotate inside a family. A refusal that must leave something behind (the
// family of a token used twice is deleted) is a success of the transaction; it becomes an error after the
// commit.
#include "store/sql/sql.h"

enum { HASH_BYTES = 32 };

static bool session_put(struct db *d, const struct session *n, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_SESSION_PUT, &s, err))
        return false;
    db_put_blob(s, 1, n->token_hash, HASH_BYTES);
    db_put_id(s, 2, &n->family);
    db_put_id(s, 3, &n->user_id);
    bind_instant(s, 4, n->created_at);
    bind_instant(s, 5, n->expires_at);
    db_put_i64(s, 6, n->used);
    if (!db_run(s, err))
        return false;
    return db_changes(d) == 1 || ERR(err, ERR_CONFLICT, "this session exists already");
}

static bool insert_write(struct db *d, void *arg, struct err *err)
{
    const struct session *n = *(const struct session **)arg;
    struct db_stmt *s;
    if (!session_put(d, n, err) || !sql_query(d, STORE_SESSIONS_REMOVE_EXPIRED, &s, err))
        return false;
    db_put_id(s, 1, &n->user_id);
    db_put_i64(s, 2, n->created_at.us);
    return db_run(s, err);
}

bool sql_session_insert(struct store *s, const struct session *n, struct err *err)
{
    return sql_write(s, insert_write, &n, 2, err);
}

// The session of a token. *ret_found false: unknown.
static bool session_find(struct db *d, const uint8_t *hash, struct session *ret, bool *ret_found,
                         struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_SESSION_GET, &s, err))
        return false;
    db_put_blob(s, 1, hash, HASH_BYTES);
    if (!db_step(s, ret_found, err))
        return false;
    if (*ret_found) {
        *ret = (struct session){.family = db_id(s, 0),
                                .user_id = db_id(s, 1),
                                .expires_at = read_instant(s, 2),
                                .used = db_i64(s, 3) != 0};
        db_reset(s);
    }
    return true;
}

// Until nothing is left: on a server a rotation that was under way may have put a row behind the back of a
// statement. Its own row was there, so the statement waited for it and found something to remove.
static bool remove_by(struct db *d, enum store_query q, struct ulid id, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, q, &s, err))
        return false;
    do {
        db_put_id(s, 1, &id);
        if (!db_run(s, err))
            return false;
    } while (db_changes(d) > 0);
    return true;
}

// ---- rotation ----------------------------------------------------------------------------------

enum rotation_end { ROTATED, SESSION_UNKNOWN, SESSION_REUSED };
struct rotation {
    const uint8_t *old_hash, *new_hash;
    struct instant now, expires;
    struct ulid user;
    enum rotation_end end;
};

// *ret_first false: somebody else rotated it since it was read.
static bool mark_used(struct db *d, const uint8_t *hash, bool *ret_first, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_SESSION_USE, &s, err))
        return false;
    db_put_blob(s, 1, hash, HASH_BYTES);
    if (!db_run(s, err))
        return false;
    *ret_first = db_changes(d) == 1;
    return true;
}

static bool rotate_write(struct db *d, void *arg, struct err *err)
{
    struct rotation *w = arg;
    struct session old;
    bool found, first = false;
    if (!session_find(d, w->old_hash, &old, &found, err))
        return false;
    if (!found || old.expires_at.us <= w->now.us) {
        w->end = SESSION_UNKNOWN;
        return true;
    }
    w->user = old.user_id;
    if (!old.used && !mark_used(d, w->old_hash, &first, err))
        return false;
    if (!first) {
        w->end = SESSION_REUSED;
        return remove_by(d, STORE_SESSIONS_REMOVE_FAMILY, old.family, err);
    }
    struct session next = {
        .family = old.family, .user_id = old.user_id, .created_at = w->now, .expires_at = w->expires};
    memcpy(next.token_hash, w->new_hash, HASH_BYTES);
    w->end = ROTATED;
    return session_put(d, &next, err);
}

bool sql_session_rotate(struct store *s, const uint8_t old_hash[32], const uint8_t new_hash[32],
                        struct instant now, struct instant expires, struct ulid *ret_user, struct err *err)
{
    struct rotation w = {.old_hash = old_hash, .new_hash = new_hash, .now = now, .expires = expires};
    if (!sql_write(s, rotate_write, &w, 2, err))
        return false;
    if (w.end == SESSION_UNKNOWN)
        return ERR(err, ERR_UNAUTHENTICATED, "the session is unknown or has expired: sign in again");
    *ret_user = w.user;
    if (w.end == SESSION_REUSED)
        return ERR(err, ERR_UNAUTHENTICATED, "the session was used twice and has been ended: sign in again");
    return true;
}

// ---- ends --------------------------------------------------------------------------------------

static bool end_write(struct db *d, void *arg, struct err *err)
{
    const uint8_t *hash = *(const uint8_t **)arg;
    struct session old;
    bool found;
    if (!session_find(d, hash, &old, &found, err))
        return false;
    return !found || remove_by(d, STORE_SESSIONS_REMOVE_FAMILY, old.family, err);
}

bool sql_session_end(struct store *s, const uint8_t token_hash[32], struct err *err)
{
    return sql_write(s, end_write, &token_hash, 1, err);
}

static bool end_all_write(struct db *d, void *arg, struct err *err)
{
    return remove_by(d, STORE_SESSIONS_REMOVE_USER, *(const struct ulid *)arg, err);
}

bool sql_sessions_end_all(struct store *s, struct ulid user_id, struct err *err)
{
    return sql_write(s, end_all_write, &user_id, 1, err);
}
