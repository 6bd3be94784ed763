// SPDX-License-Identifier: Apache-2.0
// Requests that are carried out once. The row count of the statement that marks a claim decides, in the
// transaction of the effect.
#include "store/sql/once.h"

#include "store/sql/sql.h"

enum { COL_SAME, COL_LEASED, COL_STATE, COL_CLAIM, COL_STATUS, COL_HEADERS, COL_BODY };

static void put_hash(struct db_stmt *s, int at, const uint8_t hash[ONCE_HASH_BYTES])
{
    db_put_blob(s, at, hash, ONCE_HASH_BYTES);
}

struct claiming {
    const struct once_claim *c;
    bool won;
};

static bool claim_write(struct db *d, void *arg, struct err *err)
{
    struct claiming *w = arg;
    struct db_stmt *s;
    w->won = false;
    if (!sql_query(d, STORE_ONCE_INSERT, &s, err))
        return false;
    put_hash(s, 1, w->c->key);
    put_hash(s, 2, w->c->print);
    db_put_id(s, 3, &w->c->claim);
    db_put_i64(s, 4, w->c->lease.us);
    if (!db_run(s, err))
        return false;
    w->won = db_changes(d) == 1;
    if (w->won)
        return true;
    if (!sql_query(d, STORE_ONCE_TAKE, &s, err))
        return false;
    put_hash(s, 1, w->c->key);
    put_hash(s, 2, w->c->print);
    db_put_id(s, 3, &w->c->claim);
    db_put_i64(s, 4, w->c->lease.us);
    db_put_i64(s, 5, w->c->keep.us);
    if (!db_run(s, err))
        return false;
    w->won = db_changes(d) == 1;
    return true;
}

static bool row_read(struct db_stmt *s, struct once_found *ret, struct arena *a, struct err *err)
{
    struct once_found v = {
        .same = db_i64(s, COL_SAME) != 0,
        .leased = db_i64(s, COL_LEASED) != 0,
        .state = (int)db_i64(s, COL_STATE),
        .claim = db_id(s, COL_CLAIM),
        .answer.status = db_i64(s, COL_STATUS),
    };
    if (!db_is_null(s, COL_HEADERS))
        v.answer.headers = arena_str(a, db_bytes(s, COL_HEADERS));
    if (!db_is_null(s, COL_BODY))
        v.answer.body = arena_str(a, db_bytes(s, COL_BODY));
    if ((!v.answer.headers.p && !db_is_null(s, COL_HEADERS)) ||
        (!v.answer.body.p && !db_is_null(s, COL_BODY)))
        return sql_no_memory(err);
    *ret = v;
    return true;
}

static bool once_claim(struct store *s, const struct once_claim *c, struct once_found *ret, struct arena *a,
                       struct err *err)
{
    struct claiming w = {.c = c};
    struct sql_read r;
    bool row;
    if (!sql_write(s, claim_write, &w, 1, err))
        return false;
    if (w.won) {
        *ret = (struct once_found){.mine = true};
        return true;
    }
    if (!sql_read(&r, s, STORE_ONCE_GET, err))
        return false;
    put_hash(r.s, 1, c->key);
    put_hash(r.s, 2, c->print);
    bool ok = db_step(r.s, &row, err);
    if (ok && row)
        ok = row_read(r.s, ret, a, err);
    else if (ok) // given up between the two statements
        *ret = (struct once_found){.same = true, .leased = true};
    sql_read_end(&r);
    return ok;
}

struct ending {
    const struct once_claim *c;
    const struct once_answer *answer;
    bool always;
};

static bool end_write(struct db *d, void *arg, struct err *err)
{
    const struct ending *w = arg;
    struct db_stmt *s;
    if (!sql_query(d, w->answer ? STORE_ONCE_ANSWER : STORE_ONCE_GIVE_UP, &s, err))
        return false;
    put_hash(s, 1, w->c->key);
    db_put_id(s, 2, &w->c->claim);
    if (!w->answer) {
        db_put_i64(s, 3, w->always);
        return db_run(s, err);
    }
    db_put_i64(s, 3, w->answer->status);
    db_put_text(s, 4, w->answer->headers);
    db_put_text(s, 5, w->answer->body);
    return db_run(s, err);
}

static bool once_end(struct store *s, const struct once_claim *c, const struct once_answer *answer,
                     bool always, struct err *err)
{
    struct ending w = {c, answer, always};
    return sql_write(s, end_write, &w, 1, err);
}

struct trimming {
    struct duration keep;
    size_t max;
};

static bool trim_write(struct db *d, void *arg, struct err *err)
{
    const struct trimming *w = arg;
    struct db_stmt *s;
    if (!sql_query(d, STORE_ONCE_TRIM, &s, err))
        return false;
    db_put_i64(s, 1, w->keep.us);
    db_put_i64(s, 2, (int64_t)w->max);
    return db_run(s, err);
}

static bool once_trim(struct store *s, struct duration keep, size_t max, struct err *err)
{
    struct trimming w = {keep, max};
    return sql_write(s, trim_write, &w, max, err);
}

const struct once_ops sql_once_ops = {.claim = once_claim, .end = once_end, .trim = once_trim};

// ---- the mark ----

struct marked {
    group_fn fn;
    void *arg;
    const struct once_claim *claim;
};

static bool marked_write(struct db *d, void *arg, struct err *err)
{
    const struct marked *w = arg;
    struct db_stmt *s;
    if (!sql_query(d, STORE_ONCE_MARK, &s, err))
        return false;
    put_hash(s, 1, w->claim->key);
    db_put_id(s, 2, &w->claim->claim);
    if (!db_run(s, err))
        return false;
    return db_changes(d) == 1 ? w->fn(d, w->arg, err) : once_taken_over(err);
}

bool once_write_in(struct store *s, enum sql_lane lane, group_fn fn, void *arg, size_t weight,
                   struct err *err)
{
    struct once_mark *m = once_mark_wanted();
    if (!m)
        return sql_write_in(s, lane, fn, arg, weight, err);
    struct marked w = {fn, arg, m->claim};
    if (!sql_write_in(s, lane, marked_write, &w, weight + 1, err))
        return false;
    m->marked = true;
    return true;
}
