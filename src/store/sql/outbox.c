// SPDX-License-Identifier: Apache-2.0
// Events for readers outside: rows written in the transaction of the change and removed when they have been
// passed on.
#include "base/mem.h"
#include "store/sql/sql.h"

void sql_events_enable(struct store *s, bool on) { atomic_store(&((struct sql *)s)->events, on); }

bool events_on(struct store *s) { return atomic_load(&((struct sql *)s)->events); }

bool event_put_job(struct store *st, struct db *d, int what, const struct ulid *job_id, struct err *err)
{
    struct db_stmt *s;
    if (!events_on(st))
        return true;
    if (!sql_query(d, STORE_OUTBOX_PUT_JOB, &s, err))
        return false;
    db_put_i64(s, 1, what);
    db_put_id(s, 2, job_id);
    return db_later(s, err);
}

// Runs a statement that takes rows of one column.
static bool run_rows(struct db *d, enum store_query q, struct db_cell *cells, size_t n, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, q, &s, err))
        return false;
    db_put_rows(s, cells, n, 1);
    return db_run(s, err);
}

bool sql_run_ids(struct db *d, enum store_query one, enum store_query rows, const struct ulid *ids, size_t n,
                 struct err *err)
{
    struct db_stmt *s;
    if (n > 1 && db_takes_rows(d) && sql_has(d, rows)) {
        struct db_cell *cells = mem_array(n, sizeof *cells);
        for (size_t i = 0; i < n; i++)
            cells[i] =
                (struct db_cell){.kind = DB_CELL_BLOB, .bytes = {(const char *)ids[i].b, sizeof ids[i].b}};
        bool ok = run_rows(d, rows, cells, n, err);
        mem_free(cells);
        return ok;
    }
    for (size_t i = 0; i < n; i++) {
        if (!sql_query(d, one, &s, err))
            return false;
        db_put_id(s, 1, &ids[i]);
        if (!db_later(s, err))
            return false;
    }
    return true;
}

bool events_put_runs(struct store *st, struct db *d, const struct ulid *ids, size_t n, struct err *err)
{
    return !events_on(st) || sql_run_ids(d, STORE_OUTBOX_PUT_RUN, STORE_OUTBOX_PUT_RUN_ROWS, ids, n, err);
}

// ---- passing on --------------------------------------------------------------------------------

enum {
    COL_SEQ,
    COL_OF,
    COL_WHAT,
    COL_AT,
    COL_JOB,
    COL_RUN,
    COL_KEY,
    COL_VERSION,
    COL_ATTEMPT,
    COL_SCHEDULED,
    COL_START,
    COL_END,
    COL_EXIT,
    COL_WORKER,
    COL_CLASS,
    COL_MESSAGE
};

static bool text_take(struct db_stmt *s, int col, struct str *ret, struct arena *a)
{
    struct str v = db_bytes(s, col);
    *ret = v.p ? arena_str(a, v) : STR_NONE;
    return !v.p || ret->p;
}

static bool event_read(struct db_stmt *s, struct outbox_event *ret, struct arena *a)
{
    struct outbox_event e = {.seq = db_i64(s, COL_SEQ),
                             .of = (int)db_i64(s, COL_OF),
                             .what = (int)db_i64(s, COL_WHAT),
                             .at = {db_i64(s, COL_AT)},
                             .job_id = db_id(s, COL_JOB),
                             .run_id = db_id(s, COL_RUN),
                             .run_key = db_id(s, COL_KEY),
                             .job_version = db_i64(s, COL_VERSION),
                             .attempt = db_i64(s, COL_ATTEMPT),
                             .scheduled = read_instant(s, COL_SCHEDULED),
                             .start = read_instant(s, COL_START),
                             .end = read_instant(s, COL_END),
                             .exit_code = db_is_null(s, COL_EXIT) ? FIELD_ABSENT : db_i64(s, COL_EXIT)};
    if (!text_take(s, COL_WORKER, &e.worker, a) || !text_take(s, COL_CLASS, &e.error_class, a) ||
        !text_take(s, COL_MESSAGE, &e.error_message, a))
        return false;
    *ret = e;
    return true;
}

bool sql_events_read(struct store *s, size_t max, struct outbox_event **ret, size_t *ret_n, struct arena *a,
                     struct err *err)
{
    struct sql_read r;
    struct outbox_event *v = arena_new_array(a, struct outbox_event, max);
    size_t n = 0;
    bool ok = true, row;
    if (!v)
        return sql_no_memory(err);
    if (!sql_read(&r, s, STORE_OUTBOX_READ, err))
        return false;
    db_put_i64(r.s, 1, (int64_t)max);
    while (ok && (ok = db_step(r.s, &row, err)) && row)
        ok = event_read(r.s, &v[n++], a) || sql_no_memory(err);
    sql_read_end(&r);
    if (!ok)
        return false;
    *ret = v;
    *ret_n = n;
    return true;
}

struct seqs {
    const int64_t *v;
    size_t n;
};

static bool remove_rows(struct db *d, const struct seqs *w, struct err *err)
{
    struct db_cell *cells = mem_array(w->n, sizeof *cells);
    for (size_t i = 0; i < w->n; i++)
        cells[i] = (struct db_cell){.kind = DB_CELL_I64, .i = w->v[i]};
    bool ok = run_rows(d, STORE_OUTBOX_REMOVE_ROWS, cells, w->n, err);
    mem_free(cells);
    return ok;
}

static bool remove_write(struct db *d, void *arg, struct err *err)
{
    const struct seqs *w = arg;
    struct db_stmt *s;
    if (w->n > 1 && db_takes_rows(d) && sql_has(d, STORE_OUTBOX_REMOVE_ROWS))
        return remove_rows(d, w, err);
    for (size_t i = 0; i < w->n; i++) {
        if (!sql_query(d, STORE_OUTBOX_REMOVE, &s, err))
            return false;
        db_put_i64(s, 1, w->v[i]);
        if (!db_later(s, err))
            return false;
    }
    return true;
}

bool sql_events_remove(struct store *s, const int64_t *seqs, size_t n, struct err *err)
{
    struct seqs w = {seqs, n};
    return n == 0 || sql_write(s, remove_write, &w, n, err);
}
