// SPDX-License-Identifier: Apache-2.0
// States of circuit breakers that nodes share. Whoever changes a row names the version he knows; the row
// count of that one statement decides, so that of all nodes one lets the probe through.
#include "store/sql/sql.h"

enum {
    COL_NOW,
    COL_ID,
    COL_TARGET,
    COL_STATE,
    COL_VERSION,
    COL_FAILURES,
    COL_OPENS,
    COL_SINCE,
    COL_UNTIL,
    COL_NODE
};
enum { ROWS_FIRST = 16 };

struct change_of_breaker {
    struct store *store;
    const struct breaker_row *row;
    int64_t expect;
    struct duration wait;
    bool won;
};

static bool forget_old(struct db *d, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_BREAKERS_FORGET, &s, err))
        return false;
    db_put_i64(s, 1, duration_s(BREAKER_FORGET_S).us);
    return db_run(s, err);
}

static bool put_write(struct db *d, void *arg, struct err *err)
{
    struct change_of_breaker *w = arg;
    struct db_stmt *s;
    if (!forget_old(d, err) ||
        !sql_query(d, w->expect == 0 ? STORE_BREAKER_INSERT : STORE_BREAKER_UPDATE, &s, err))
        return false;
    db_put_id(s, 1, &w->row->id);
    db_put_i64(s, 2, w->row->state);
    db_put_i64(s, 3, w->row->version);
    db_put_i64(s, 4, w->row->failures);
    db_put_i64(s, 5, w->row->opens);
    db_put_i64(s, 6, w->wait.us);
    db_put_text(s, 7, w->row->node);
    if (w->expect == 0)
        db_put_text(s, 8, w->row->target);
    else
        db_put_i64(s, 8, w->expect);
    if (!db_run(s, err))
        return false;
    w->won = db_changes(d) == 1;
    if (!w->won)
        write_was_idle();
    return !w->won || change_put(w->store, d, CHANGE_BREAKER, w->row->id, 0, err);
}

bool sql_breaker_put(struct store *s, const struct breaker_row *row, int64_t expect, struct duration wait,
                     bool *ret_won, struct err *err)
{
    struct change_of_breaker w = {.store = s, .row = row, .expect = expect, .wait = wait};
    if (!sql_write(s, put_write, &w, 2, err))
        return false;
    *ret_won = w.won;
    return true;
}

static bool row_read(struct db_stmt *s, struct breaker_row *ret, struct arena *a, struct err *err)
{
    struct breaker_row v = {
        .id = db_id(s, COL_ID),
        .target = arena_str(a, db_bytes(s, COL_TARGET)),
        .state = (int)db_i64(s, COL_STATE),
        .version = db_i64(s, COL_VERSION),
        .failures = db_i64(s, COL_FAILURES),
        .opens = db_i64(s, COL_OPENS),
        .since.us = db_i64(s, COL_SINCE),
        .until.us = db_i64(s, COL_UNTIL),
        .node = arena_str(a, db_bytes(s, COL_NODE)),
    };
    if (!v.target.p || !v.node.p)
        return sql_no_memory(err);
    if (v.state < BREAKER_CLOSED || v.state > BREAKER_HALF_OPEN)
        return ERR(err, ERR_CORRUPT, "circuit breaker of \"%.*s\" is in no known state", STR_ARG(v.target));
    *ret = v;
    return true;
}

static bool room_for_one(struct breaker_row **v, size_t n, size_t *cap, struct arena *a)
{
    if (n < *cap)
        return true;
    size_t more = *cap ? *cap * 2 : ROWS_FIRST;
    struct breaker_row *grown = arena_new_array(a, struct breaker_row, more);
    if (!grown)
        return false;
    if (n > 0)
        memcpy(grown, *v, n * sizeof **v);
    *v = grown;
    *cap = more;
    return true;
}

bool sql_breakers_list(struct store *s, struct breaker_row **ret, size_t *ret_n, struct instant *ret_now,
                       struct arena *a, struct err *err)
{
    struct sql_read r;
    struct breaker_row *v = NULL;
    struct instant now = {0};
    size_t n = 0, cap = 0;
    bool ok = true, row;
    if (!sql_read(&r, s, STORE_BREAKERS_LIST, err))
        return false;
    while (ok && (ok = db_step(r.s, &row, err)) && row) {
        now.us = db_i64(r.s, COL_NOW);
        if (db_is_null(r.s, COL_ID))
            continue; // the clock alone: there is none
        ok = room_for_one(&v, n, &cap, a) ? row_read(r.s, &v[n], a, err) : sql_no_memory(err);
        n += ok;
    }
    sql_read_end(&r);
    if (!ok)
        return false;
    *ret = v;
    *ret_n = n;
    *ret_now = now;
    return true;
}
