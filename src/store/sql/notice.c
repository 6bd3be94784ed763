// SPDX-License-Identifier: Apache-2.0
// Notices, subscriptions and what the rules remember. Notices of a flush are written when everything of it is decided,
// for the rows that were won.
#include "base/mem.h"
#include "store/sql/sql.h"

enum { NOTICE_COLUMNS = 6, TEXT_BUDGET = 256 * 1024, REMOVE_STATEMENTS = 3 };

// ---- notices -----------------------------------------------------------------------------------

static bool part_won(const struct flush *f, const struct flush_notice *v)
{
    switch ((enum flush_part)v->part) {
    case PART_FIRE: return f->fires[v->at].ret_won;
    case PART_CLAIM: return f->claims[v->at].ret_won;
    case PART_FINISH: return f->finishes[v->at].ret_recorded;
    }
    return false;
}

static struct db_cell id_cell(const struct ulid *id)
{
    return (struct db_cell){.kind = ulid_is_zero(*id) ? DB_CELL_NULL : DB_CELL_BLOB,
                            .bytes = {(const char *)id->b, sizeof id->b}};
}
static struct db_cell text_cell(struct str v)
{
    return (struct db_cell){.kind = v.p ? DB_CELL_TEXT : DB_CELL_NULL, .bytes = v};
}

static void notice_cells(const struct notice *v, struct db_cell *c)
{
    c[0] = (struct db_cell){.kind = DB_CELL_I64, .i = v->event};
    c[1] = (struct db_cell){.kind = DB_CELL_I64, .i = v->at.us};
    c[2] = id_cell(&v->job_id);
    c[3] = id_cell(&v->run_id);
    c[4] = text_cell(v->error_class);
    c[5] = text_cell(v->message);
}

static bool notice_put(struct db *d, const struct notice *v, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_NOTICE_PUT, &s, err))
        return false;
    db_put_i64(s, 1, v->event);
    db_put_i64(s, 2, v->at.us);
    bind_optional_id(s, 3, &v->job_id);
    bind_optional_id(s, 4, &v->run_id);
    db_put_text(s, 5, v->error_class);
    db_put_text(s, 6, v->message);
    return db_later(s, err);
}

static bool notice_rows(struct db *d, struct db_cell *cells, size_t n, struct err *err)
{
    struct db_stmt *s;
    if (n == 0)
        return true;
    if (!sql_query(d, STORE_NOTICE_PUT_ROWS, &s, err))
        return false;
    db_put_rows(s, cells, n, NOTICE_COLUMNS);
    return db_later(s, err);
}

bool flush_notices(struct db *d, const struct flush *f, struct err *err)
{
    bool rows = f->n_notices > 1 && db_takes_rows(d) && sql_has(d, STORE_NOTICE_PUT_ROWS), ok = true;
    if (f->n_notices == 0)
        return true;
    struct db_cell *cells = rows ? mem_array(f->n_notices * NOTICE_COLUMNS, sizeof *cells) : NULL;
    size_t n = 0;
    for (size_t i = 0; ok && i < f->n_notices; i++) {
        if (!part_won(f, &f->notices[i]))
            continue;
        if (rows)
            notice_cells(&f->notices[i].notice, cells + NOTICE_COLUMNS * n++);
        else
            ok = notice_put(d, &f->notices[i].notice, err);
    }
    ok = ok && (!rows || notice_rows(d, cells, n, err));
    mem_free(cells);
    return ok;
}

bool notice_put_paused(struct db *d, const struct ulid *job_id, struct instant now, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_NOTICE_PUT_PAUSED, &s, err))
        return false;
    db_put_id(s, 1, job_id);
    db_put_i64(s, 2, now.us);
    return db_later(s, err);
}

struct notices {
    const struct notice *v;
    size_t n;
};

static bool put_write(struct db *d, void *arg, struct err *err)
{
    const struct notices *w = arg;
    for (size_t i = 0; i < w->n; i++)
        if (!notice_put(d, &w->v[i], err))
            return false;
    return true;
}

bool sql_notices_put(struct store *s, const struct notice *v, size_t n, struct err *err)
{
    struct notices w = {v, n};
    return n == 0 || sql_write(s, put_write, &w, n, err);
}

static bool text_take(struct db_stmt *s, int col, struct str *ret, struct arena *a)
{
    struct str v = db_bytes(s, col);
    *ret = v.p ? arena_str(a, v) : STR_NONE;
    return !v.p || ret->p;
}

static bool notice_read(struct db_stmt *s, struct notice *ret, struct arena *a)
{
    *ret = (struct notice){.seq = db_i64(s, 0),
                           .event = (int)db_i64(s, 1),
                           .at = {db_i64(s, 2)},
                           .job_id = db_id(s, 3),
                           .run_id = db_id(s, 4)};
    return text_take(s, 5, &ret->error_class, a) && text_take(s, 6, &ret->message, a);
}

bool sql_notices_read(struct store *s, size_t max, struct notice **ret, size_t *ret_n, struct arena *a,
                      struct err *err)
{
    struct sql_read r;
    struct notice *v = arena_new_array(a, struct notice, max);
    size_t n = 0;
    bool ok = true, row;
    if (!v)
        return sql_no_memory(err);
    if (!sql_read(&r, s, STORE_NOTICES_READ, err))
        return false;
    db_put_i64(r.s, 1, (int64_t)max);
    while (ok && (ok = db_step(r.s, &row, err)) && row)
        ok = notice_read(r.s, &v[n++], a) || sql_no_memory(err);
    sql_read_end(&r);
    if (!ok)
        return false;
    *ret = v;
    *ret_n = n;
    return true;
}

// ---- subscriptions -----------------------------------------------------------------------------

struct subscription_write {
    struct store *store;
    const struct subscription *v;
    int64_t expect;
    struct str body;
};

static bool no_such_subscription(struct ulid id, struct err *err)
{
    char text[ULID_TEXT_MAX];
    return ERR(err, ERR_NOT_FOUND, "subscription \"%s\" does not exist", ulid_format(id, text));
}

static bool put_missed(struct db *d, const struct subscription_write *w, struct err *err)
{
    struct db_stmt *s;
    bool row;
    char text[ULID_TEXT_MAX];
    if (w->expect == 0)
        return ERR(err, ERR_CONFLICT, "subscription \"%s\" exists already", ulid_format(w->v->id, text));
    if (!sql_query(d, STORE_SUBSCRIPTION_GET, &s, err))
        return false;
    db_put_id(s, 1, &w->v->id);
    if (!db_step(s, &row, err))
        return false;
    if (!row)
        return no_such_subscription(w->v->id, err);
    db_reset(s);
    return ERR(err, ERR_STALE, "subscription \"%s\" was changed meanwhile", ulid_format(w->v->id, text));
}

static bool subscription_insert(struct db *d, const struct subscription_write *w, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_SUBSCRIPTION_INSERT, &s, err))
        return false;
    db_put_id(s, 1, &w->v->id);
    bind_optional_id(s, 2, &w->v->job_id);
    db_put_i64(s, 3, w->v->version);
    db_put_i64(s, 4, subscription_events(w->v));
    db_put_text(s, 5, w->body);
    return db_run(s, err);
}

static bool subscription_change(struct db *d, const struct subscription_write *w, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_SUBSCRIPTION_CHANGE, &s, err))
        return false;
    db_put_id(s, 1, &w->v->id);
    db_put_i64(s, 2, w->v->version);
    db_put_i64(s, 3, subscription_events(w->v));
    db_put_text(s, 4, w->body);
    db_put_i64(s, 5, w->expect);
    return db_run(s, err);
}

static bool subscription_put_write(struct db *d, void *arg, struct err *err)
{
    const struct subscription_write *w = arg;
    if (!(w->expect == 0 ? subscription_insert(d, w, err) : subscription_change(d, w, err)))
        return false;
    return db_changes(d) == 1 ? change_put(w->store, d, CHANGE_SUBSCRIPTION, w->v->id, 0, err)
                              : put_missed(d, w, err);
}

bool sql_subscription_put(struct store *s, const struct subscription *v, int64_t expect, struct err *err)
{
    struct subscription_write w = {.store = s, .v = v, .expect = expect};
    struct arena a CLEANUP(arena_release);
    arena_init(&a, TEXT_BUDGET);
    return subscription_text_write(v, &w.body, &a, err) && sql_write(s, subscription_put_write, &w, 2, err);
}

static bool subscription_row(struct db_stmt *s, struct subscription *ret, struct arena *a, struct err *err)
{
    struct subscription v;
    if (!subscription_text_read(db_bytes(s, 3), &v, a, err))
        return false;
    v.id = db_id(s, 0);
    v.job_id = db_id(s, 1);
    v.version = db_i64(s, 2);
    *ret = v;
    return true;
}

bool sql_subscription_get(struct store *s, struct ulid id, struct subscription *ret, struct arena *a,
                          struct err *err)
{
    struct sql_read r;
    bool row;
    if (!sql_read(&r, s, STORE_SUBSCRIPTION_GET, err))
        return false;
    db_put_id(r.s, 1, &id);
    bool ok = db_step(r.s, &row, err) &&
              (row ? subscription_row(r.s, ret, a, err) : no_such_subscription(id, err));
    sql_read_end(&r);
    return ok;
}

bool sql_subscriptions_page(struct store *s, struct ulid job_id, struct ulid after, size_t max,
                            struct subscription **ret, size_t *ret_n, struct arena *a, struct err *err)
{
    struct sql_read r;
    struct subscription *v = arena_new_array(a, struct subscription, max);
    bool any = ulid_is_zero(job_id), ok = true, row;
    size_t n = 0;
    if (!v)
        return sql_no_memory(err);
    if (!sql_read(&r, s, any ? STORE_SUBSCRIPTIONS_PAGE_ANY : STORE_SUBSCRIPTIONS_PAGE_JOB, err))
        return false;
    db_put_id(r.s, 1, &after);
    db_put_i64(r.s, 2, (int64_t)max);
    if (!any)
        db_put_id(r.s, 3, &job_id);
    while (ok && (ok = db_step(r.s, &row, err)) && row) {
        ok = subscription_row(r.s, &v[n], a, err);
        n += ok;
    }
    sql_read_end(&r);
    if (!ok)
        return false;
    *ret = v;
    *ret_n = n;
    return true;
}

static bool run_of(struct db *d, enum store_query q, const struct ulid *id, struct instant now, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, q, &s, err))
        return false;
    db_put_id(s, 1, id);
    if (!instant_is_never(now))
        db_put_i64(s, 2, now.us);
    return db_later(s, err);
}

struct subscription_removal {
    struct store *store;
    struct ulid id;
    struct instant now;
};

static bool subscription_delete_write(struct db *d, void *arg, struct err *err)
{
    const struct subscription_removal *w = arg;
    struct db_stmt *s;
    if (!sql_query(d, STORE_SUBSCRIPTION_REMOVE, &s, err))
        return false;
    db_put_id(s, 1, &w->id);
    if (!db_run(s, err))
        return false;
    if (db_changes(d) != 1)
        return no_such_subscription(w->id, err);
    return run_of(d, STORE_SUBSCRIPTION_FORGET_MARKS, &w->id, INSTANT_NEVER, err) &&
           run_of(d, STORE_DELIVERIES_DROP, &w->id, w->now, err) &&
           change_put(w->store, d, CHANGE_SUBSCRIPTION, w->id, 0, err);
}

bool sql_subscription_delete(struct store *s, struct ulid id, struct instant now, struct err *err)
{
    struct subscription_removal w = {s, id, now};
    return sql_write(s, subscription_delete_write, &w, REMOVE_STATEMENTS, err);
}

bool subscriptions_of_job_remove(struct db *d, const struct ulid *job_id, struct instant now, struct err *err)
{
    return run_of(d, STORE_JOB_DELIVERIES_DROP, job_id, now, err) &&
           run_of(d, STORE_JOB_MARKS_REMOVE, job_id, INSTANT_NEVER, err) &&
           run_of(d, STORE_JOB_SUBSCRIPTIONS_REMOVE, job_id, INSTANT_NEVER, err);
}

// ---- marks -------------------------------------------------------------------------------------

static bool marks_read(struct sql_read *r, struct notice_mark **ret, size_t *ret_n, struct arena *a, struct err *err)
{
    enum { FIRST = 64 };
    struct notice_mark *v = NULL;
    size_t n = 0, cap = 0;
    bool row;
    while (db_step(r->s, &row, err)) {
        if (!row) {
            *ret = v;
            *ret_n = n;
            return true;
        }
        if (n == cap) {
            struct notice_mark *grown = arena_new_array(a, struct notice_mark, cap = cap ? 2 * cap : FIRST);
            if (!grown)
                return sql_no_memory(err);
            if (n > 0)
                memcpy(grown, v, n * sizeof *v);
            v = grown;
        }
        v[n] = (struct notice_mark){.job_id = db_id(r->s, 0), .subscription_id = db_id(r->s, 1),
                                    .due = {db_i64(r->s, 2)}};
        if (!text_take(r->s, 3, &v[n++].body, a))
            return sql_no_memory(err);
    }
    return false;
}

bool sql_marks_of(struct store *s, struct ulid job_id, struct notice_mark **ret, size_t *ret_n, struct arena *a,
                  struct err *err)
{
    struct sql_read r;
    const struct ulid none = ULID_ZERO;
    if (!sql_read(&r, s, STORE_MARKS_OF, err))
        return false;
    db_put_id(r.s, 1, &job_id);
    db_put_id(r.s, 2, &none);
    bool ok = marks_read(&r, ret, ret_n, a, err);
    sql_read_end(&r);
    return ok;
}

bool sql_marks_due(struct store *s, struct instant now, size_t max, struct notice_mark **ret, size_t *ret_n,
                   struct arena *a, struct err *err)
{
    struct sql_read r;
    if (!sql_read(&r, s, STORE_MARKS_DUE, err))
        return false;
    db_put_i64(r.s, 1, now.us);
    db_put_i64(r.s, 2, (int64_t)max);
    bool ok = marks_read(&r, ret, ret_n, a, err);
    sql_read_end(&r);
    return ok;
}

// ---- settling ----------------------------------------------------------------------------------

static bool mark_write(struct db *d, const struct notice_mark *m, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, m->body.p ? STORE_MARK_PUT : STORE_MARK_REMOVE, &s, err))
        return false;
    db_put_id(s, 1, &m->job_id);
    db_put_id(s, 2, &m->subscription_id);
    if (m->body.p) {
        db_put_i64(s, 3, m->due.us);
        db_put_text(s, 4, m->body);
    }
    return db_later(s, err);
}

static bool seqs_remove(struct db *d, const int64_t *seqs, size_t n, struct err *err)
{
    struct db_stmt *s;
    if (n > 1 && db_takes_rows(d) && sql_has(d, STORE_NOTICE_REMOVE_ROWS)) {
        struct db_cell *cells = mem_array(n, sizeof *cells);
        for (size_t i = 0; i < n; i++)
            cells[i] = (struct db_cell){.kind = DB_CELL_I64, .i = seqs[i]};
        bool ok = sql_query(d, STORE_NOTICE_REMOVE_ROWS, &s, err);
        if (ok) {
            db_put_rows(s, cells, n, 1);
            ok = db_run(s, err);
        }
        mem_free(cells);
        return ok;
    }
    for (size_t i = 0; i < n; i++) {
        if (!sql_query(d, STORE_NOTICE_REMOVE, &s, err))
            return false;
        db_put_i64(s, 1, seqs[i]);
        if (!db_later(s, err))
            return false;
    }
    return true;
}

static bool settle_write(struct db *d, void *arg, struct err *err)
{
    const struct settlement *w = *(const struct settlement **)arg;
    if (!seqs_remove(d, w->seqs, w->n_seqs, err))
        return false;
    for (size_t i = 0; i < w->n_marks; i++)
        if (!mark_write(d, &w->marks[i], err))
            return false;
    for (size_t i = 0; i < w->n_deliveries; i++)
        if (!delivery_put(d, &w->deliveries[i], err))
            return false;
    return true;
}

bool sql_notices_settle(struct store *s, const struct settlement *v, struct err *err)
{
    size_t weight = v->n_seqs + v->n_marks + v->n_deliveries;
    return weight == 0 || sql_write(s, settle_write, &v, weight, err);
}
