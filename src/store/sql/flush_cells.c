// SPDX-License-Identifier: Apache-2.0
// What every kind of row of a flush needs on a server: values as cells, statements that decide and
// their answers, new runs.
#include "store/sql/flush_cells.h"

enum {
    RUN_COLUMNS = 24,
    START_COLUMNS = 8,
    EACH_CHANGED = 2 // what a changed row adds to the count of an upsert
};

bool flush_no_memory(struct err *err)
{
    return ERR(err, ERR_TOO_LARGE, "a flush is too large for its memory");
}

// Rows, and the values behind them, which are used up.
static void put_rows(struct work *w, struct db_stmt *s, const struct db_cell *cells, size_t rows,
                     size_t columns)
{
    db_put_rows(s, cells, rows, columns);
    for (int k = 0; k < BEHIND_MAX && w->behind[k].kind != DB_CELL_NULL; k++) {
        struct db_cell c = w->behind[k];
        int at = db_after_rows(w->d, columns) + k;
        if (c.kind == DB_CELL_I64)
            db_put_i64(s, at, c.i);
        else
            db_put_text(s, at, c.bytes);
        w->behind[k].kind = DB_CELL_NULL;
    }
}

// Runs a statement that gives nothing back; may be sent with the next one.
bool rows_put_off(struct work *w, enum store_query q, const struct db_cell *cells, size_t rows,
                  size_t columns, struct err *err)
{
    struct db_stmt *s;
    if (rows == 0)
        return true;
    if (!sql_query(w->d, q, &s, err))
        return false;
    db_put_rows(s, cells, rows, columns);
    return db_later(s, err);
}

// ---- rows by key -------------------------------------------------------------------------------

int rows_by_key(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int c = ulid_cmp(x->key, y->key);
    return c ? c : (x->of > y->of) - (x->of < y->of);
}

void rows_fill(struct row *rows, const struct flush *f, struct ulid key(const struct flush *f, size_t i),
               size_t n)
{
    for (size_t i = 0; i < n; i++)
        rows[i] = (struct row){.key = key(f, i), .of = i};
    qsort(rows, n, sizeof *rows, rows_by_key);
}

struct row *rows_find(struct row *v, size_t n, struct ulid key)
{
    size_t from = 0, to = n;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (ulid_cmp(v[middle].key, key) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from < n && ulid_eq(v[from].key, key) ? &v[from] : NULL;
}

// Tells the rows which of them were as expected.
bool rows_ask(struct work *w, enum store_query q, const struct db_cell *cells, size_t columns,
              struct row *rows, size_t n, bool more, struct err *err)
{
    struct db_stmt *s;
    bool found = true;
    if (!sql_query(w->d, q, &s, err))
        return false;
    put_rows(w, s, cells, n, columns);
    while (found) {
        if (!db_step(s, &found, err))
            return false;
        struct row *r = found ? rows_find(rows, n, db_id(s, 0)) : NULL;
        if (r) {
            r->won = true;
            r->more = more ? db_id(s, 1) : ULID_ZERO;
        }
    }
    return true;
}

// The heads of the chains of jobs, locked, as the second column.
static bool heads_before(struct work *w, struct row *rows, size_t n, struct err *err)
{
    struct db_cell *cells = arena_new_array(&w->a, struct db_cell, n);
    if (!cells)
        return flush_no_memory(err);
    for (size_t i = 0; i < n; i++)
        cells[i] = cell_id(&rows[i].key);
    return rows_ask(w, STORE_CHAIN_HEAD_ROWS, cells, 1, rows, n, true, err);
}

static bool all_changed(struct work *w, struct row *rows, size_t n, int64_t expected, struct err *err)
{
    if (db_changes(w->d) != expected)
        return ERR(err, ERR_CONFLICT, "a row of the flush is not as expected");
    for (size_t i = 0; i < n; i++)
        rows[i].won = true;
    return true;
}

// All rows were as expected, or the flush is to be done again another way.
static bool decide_each(struct work *w, enum store_query q, const struct db_cell *cells, size_t columns,
                        struct row *rows, size_t n, bool more, struct err *err)
{
    struct db_stmt *s;
    if (more && !heads_before(w, rows, n, err))
        return false;
    if (!sql_query(w->d, q, &s, err) || !db_run_each(s, cells, n, columns, err))
        return false;
    return all_changed(w, rows, n, EACH_CHANGED * (int64_t)n, err);
}

bool rows_change_all(struct work *w, enum store_query q, const struct db_cell *cells, size_t columns,
                     struct row *rows, size_t n, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(w->d, q, &s, err))
        return false;
    put_rows(w, s, cells, n, columns);
    return db_run(s, err) && all_changed(w, rows, n, (int64_t)n, err);
}

// Asks, and changes those that were as expected where asking alone has not.
bool rows_decide(struct work *w, const struct deciding *q, struct db_cell *cells, size_t columns,
                 struct row *rows, size_t n, bool more, struct err *err)
{
    size_t won = 0;
    if (w->each)
        return decide_each(w, q->each, cells, columns, rows, n, more, err);
    if (!rows_ask(w, q->ask, cells, columns, rows, n, more, err))
        return false;
    if (!sql_has(w->d, q->apply))
        return true;
    for (size_t i = 0; i < n; i++)
        if (rows[i].won)
            memmove(cells + columns * won++, cells + columns * i, columns * sizeof *cells);
    return rows_put_off(w, q->apply, cells, won, columns, err);
}

// Rows and cells for n rows of a kind; false: no memory.
bool rows_make(struct work *w, size_t n, size_t columns, struct row **ret_rows, struct db_cell **ret_cells,
               struct err *err)
{
    *ret_rows = arena_new_array(&w->a, struct row, n);
    *ret_cells = arena_new_array(&w->a, struct db_cell, n * columns);
    return (*ret_rows && *ret_cells) || flush_no_memory(err);
}

// Events of the runs of rows that were as expected, in the order of the flush.
bool rows_tell(struct work *w, const struct row *rows, size_t n, size_t of_all, struct err *err)
{
    size_t count = 0;
    if (!events_on(w->st))
        return true;
    struct ulid *ids = arena_new_array(&w->a, struct ulid, of_all),
                *told = arena_new_array(&w->a, struct ulid, n);
    if (!ids || !told)
        return flush_no_memory(err);
    for (size_t i = 0; i < n; i++)
        if (rows[i].won)
            ids[rows[i].of] = rows[i].key;
    for (size_t i = 0; i < of_all; i++)
        if (!ulid_is_zero(ids[i]))
            told[count++] = ids[i];
    return count == 0 || events_put_runs(w->st, w->d, told, count, err);
}

// ---- new runs ----------------------------------------------------------------------------------

bool new_runs_make(struct work *w, size_t max, struct new_runs *ret, struct err *err)
{
    must(run_columns.n == RUN_COLUMNS);
    *ret = (struct new_runs){.cells = arena_new_array(&w->a, struct db_cell, max * RUN_COLUMNS),
                             .starts = arena_new_array(&w->a, struct db_cell, max * START_COLUMNS),
                             .ids = arena_new_array(&w->a, struct ulid, max)};
    return (ret->cells && ret->starts && ret->ids) || flush_no_memory(err);
}

static bool is_start(const struct run *r, const struct run *like)
{
    return r->status == RUN_RUNNING && r->trigger == TRIGGER_SCHEDULE && r->attempt == 1 &&
           r->occurrences == 1 && r->lost_count == 0 && r->first_scheduled.us == r->scheduled.us &&
           !r->cancel_requested && r->exit_code == FIELD_ABSENT && !r->error_class.p && !r->error_message.p &&
           !r->inputs.p && r->worker.p && ulid_is_zero(r->blocked_by) && instant_is_never(r->end) &&
           !instant_is_never(r->start) &&
           (!like ||
            (r->start.us == like->start.us && r->token == like->token && str_eq(r->worker, like->worker)));
}

static void start_cells(const struct run *r, struct db_cell *c)
{
    c[0] = cell_id(&r->id);
    c[1] = cell_id(&r->job_id);
    c[2] = cell_i64(r->job_version);
    c[3] = cell_i64(r->scheduled.us);
    c[4] = cell_instant(r->due.us == r->scheduled.us ? INSTANT_NEVER : r->due);
    c[5] = cell_i64(r->priority);
    c[6] = cell_id(&r->run_key);
    c[7] = ulid_is_zero(r->prev_run) ? (struct db_cell){.kind = DB_CELL_NULL} : cell_id(&r->prev_run);
}

void new_runs_add(const struct work *w, struct new_runs *v, const struct run *r)
{
    v->ids[v->n++] = r->id;
    if (!w->each && sql_has(w->d, STORE_RUN_START_ROWS) && is_start(r, v->like)) {
        v->like = v->like ? v->like : r;
        start_cells(r, v->starts + START_COLUMNS * v->n_starts++);
    } else {
        columns_cells(&run_columns, r, v->cells + RUN_COLUMNS * v->n_cells++);
    }
}

// Waits for the answer: an id that exists must show here.
static bool put_now(struct work *w, enum store_query q, const struct db_cell *cells, size_t n, size_t columns,
                    struct err *err)
{
    struct db_stmt *s;
    if (n == 0)
        return true;
    if (!sql_query(w->d, q, &s, err))
        return false;
    if (w->each)
        return db_run_each(s, cells, n, columns, err);
    put_rows(w, s, cells, n, columns);
    return db_run(s, err);
}

bool new_runs_put(struct work *w, const struct new_runs *v, struct err *err)
{
    enum store_query whole = w->each ? STORE_RUN_PUT_EACH : STORE_RUN_PUT_ROWS;
    if (v->n == 0)
        return true;
    if (v->n_starts > 0) {
        w->behind[0] = cell_i64(v->like->start.us);
        w->behind[1] = cell_i64(v->like->token);
        w->behind[2] = cell_text(v->like->worker);
    }
    return put_now(w, STORE_RUN_START_ROWS, v->starts, v->n_starts, START_COLUMNS, err) &&
           put_now(w, whole, v->cells, v->n_cells, RUN_COLUMNS, err) &&
           events_put_runs(w->st, w->d, v->ids, v->n, err);
}
