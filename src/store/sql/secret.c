// SPDX-License-Identifier: Apache-2.0
// Secrets, sealed before they come here.
#include "store/sql/sql.h"

enum { COL_SCOPE, COL_NAME, COL_OWNER, COL_SEALED, COL_CREATED, COL_UPDATED };

static bool no_such_secret(struct str name, struct err *err)
{
    return ERR(err, ERR_NOT_FOUND, "secret \"%.*s\" does not exist", STR_ARG(name));
}

static bool put_write(struct db *d, void *arg, struct err *err)
{
    const struct secret *v = *(const struct secret **)arg;
    struct db_stmt *s;
    if (!sql_query(d, STORE_SECRET_PUT, &s, err))
        return false;
    db_put_id(s, 1, &v->scope);
    db_put_text(s, 2, v->name);
    db_put_id(s, 3, &v->owner_id);
    db_put_text(s, 4, v->sealed);
    db_put_i64(s, 5, v->created_at.us);
    db_put_i64(s, 6, v->updated_at.us);
    return db_run(s, err);
}

bool sql_secret_put(struct store *s, const struct secret *v, struct err *err)
{
    return sql_write(s, put_write, &v, 1, err);
}

static bool row_read(struct db_stmt *s, struct secret *ret, struct arena *a, struct err *err)
{
    struct secret v = {
        .scope = db_id(s, COL_SCOPE),
        .name = arena_str(a, db_bytes(s, COL_NAME)),
        .owner_id = db_id(s, COL_OWNER),
        .sealed = arena_str(a, db_bytes(s, COL_SEALED)),
        .created_at.us = db_i64(s, COL_CREATED),
        .updated_at.us = db_i64(s, COL_UPDATED),
    };
    if (!v.name.p || !v.sealed.p)
        return sql_no_memory(err);
    v.shared = ulid_is_zero(v.scope);
    *ret = v;
    return true;
}

bool sql_secret_get(struct store *s, struct ulid scope, struct str name, struct secret *ret, struct arena *a,
                    struct err *err)
{
    struct sql_read r;
    bool row;
    if (!sql_read(&r, s, STORE_SECRET_GET, err))
        return false;
    db_put_id(r.s, 1, &scope);
    db_put_text(r.s, 2, name);
    bool ok = db_step(r.s, &row, err) && (row ? row_read(r.s, ret, a, err) : no_such_secret(name, err));
    sql_read_end(&r);
    return ok;
}

bool sql_secrets_page(struct store *s, struct ulid scope, struct str after, bool all, size_t max,
                      struct secret **ret, size_t *ret_n, struct arena *a, struct err *err)
{
    struct secret *v = arena_new_array(a, struct secret, max);
    struct sql_read r;
    size_t n = 0;
    bool row = true;
    if (!v)
        return sql_no_memory(err);
    if (!sql_read(&r, s, all ? STORE_SECRETS_PAGE_ALL : STORE_SECRETS_PAGE, err))
        return false;
    db_put_id(r.s, 1, &scope);
    db_put_text(r.s, 2, after.p ? after : STR(""));
    db_put_i64(r.s, 3, (int64_t)max);
    bool ok = true;
    while (ok && row && n < max) {
        ok = db_step(r.s, &row, err);
        if (ok && row)
            ok = row_read(r.s, &v[n++], a, err);
    }
    sql_read_end(&r);
    if (!ok)
        return false;
    *ret = v;
    *ret_n = n;
    return true;
}

struct reseal {
    const struct secret *v;
    struct str expect;
    bool done;
};

static bool reseal_write(struct db *d, void *arg, struct err *err)
{
    struct reseal *w = arg;
    struct db_stmt *s;
    if (!sql_query(d, STORE_SECRET_RESEAL, &s, err))
        return false;
    db_put_id(s, 1, &w->v->scope);
    db_put_text(s, 2, w->v->name);
    db_put_text(s, 3, w->expect);
    db_put_text(s, 4, w->v->sealed);
    if (!db_run(s, err))
        return false;
    w->done = db_changes(d) == 1;
    if (!w->done)
        write_was_idle();
    return true;
}

bool sql_secret_reseal(struct store *s, const struct secret *v, struct str expect, bool *ret_done,
                       struct err *err)
{
    struct reseal w = {.v = v, .expect = expect};
    if (!sql_write(s, reseal_write, &w, 1, err))
        return false;
    *ret_done = w.done;
    return true;
}

static bool remove_write(struct db *d, void *arg, struct err *err)
{
    const struct secret *v = arg;
    struct db_stmt *s;
    if (!sql_query(d, STORE_SECRET_REMOVE, &s, err))
        return false;
    db_put_id(s, 1, &v->scope);
    db_put_text(s, 2, v->name);
    if (!db_run(s, err))
        return false;
    return db_changes(d) == 1 || no_such_secret(v->name, err);
}

bool sql_secret_delete(struct store *s, struct ulid scope, struct str name, struct err *err)
{
    struct secret key = {.scope = scope, .name = name};
    return sql_write(s, remove_write, &key, 1, err);
}
