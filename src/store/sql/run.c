// SPDX-License-Identifier: Apache-2.0
// Runs one by one: start by hand, get, cancel, logs.
#include "store/sql/sql.h"

struct insertion {
    struct store *store;
    struct run *run;
};

static bool insert_write(struct db *d, void *arg, struct err *err)
{
    const struct insertion *w = arg;
    return run_put_told(w->store, d, w->run, err);
}

bool run_put_told(struct store *st, struct db *d, struct run *r, struct err *err)
{
    char text[ULID_TEXT_MAX];
    bool job, put;
    if (!run_put_first(d, r, &job, &put, err))
        return false;
    if (!job)
        return ERR(err, ERR_NOT_FOUND, "job \"%s\" does not exist", ulid_format(r->job_id, text));
    if (!put)
        return ERR(err, ERR_CONFLICT, "run \"%s\" exists already", ulid_format(r->id, text));
    return change_put(st, d, CHANGE_RUN, r->id, 0, err) && events_put_runs(st, d, &r->id, 1, err);
}

bool sql_run_insert(struct store *s, struct run *r, struct err *err)
{
    struct insertion w = {.store = s, .run = r};
    must(r->status == RUN_QUEUED);
    return sql_write(s, insert_write, &w, 2, err);
}

bool sql_run_get(struct store *s, struct ulid id, struct run *ret, struct arena *a, struct err *err)
{
    struct sql_read r;
    struct run v;
    char text[ULID_TEXT_MAX];
    if (!sql_read(&r, s, STORE_RUN_GET, err))
        return false;
    db_put_id(r.s, 1, &id);
    bool ok = sql_only_row(r.s, err, "run", ulid_format(id, text)) && run_read(r.s, &v, a, err);
    if (ok) {
        v.job_name = arena_str(a, db_bytes(r.s, run_columns.n));
        *ret = v;
    }
    sql_read_end(&r);
    return ok;
}

// ---- cancel ------------------------------------------------------------------------------------

struct cancel {
    struct store *store;
    struct ulid id;
    struct instant now;
    enum run_cancel_result result;
};

// A QUEUED run ends here; *ret_done false: it was not QUEUED.
static bool end_queued(struct db *d, const struct cancel *w, bool *ret_done, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_RUN_CANCEL_QUEUED, &s, err))
        return false;
    db_put_id(s, 1, &w->id);
    db_put_i64(s, 2, w->now.us);
    db_put_text(s, 3, run_cancelled_class);
    db_put_text(s, 4, run_cancelled_text);
    if (!db_run(s, err))
        return false;
    *ret_done = db_changes(d) == 1;
    return true;
}

static bool request_running(struct db *d, const struct cancel *w, bool *ret_done, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_RUN_CANCEL_REQUEST, &s, err))
        return false;
    db_put_id(s, 1, &w->id);
    if (!db_run(s, err))
        return false;
    *ret_done = db_changes(d) == 1;
    return true;
}

static bool run_exists(struct db *d, const struct cancel *w, bool *ret, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_RUN_STATUS, &s, err))
        return false;
    db_put_id(s, 1, &w->id);
    if (!db_step(s, ret, err))
        return false;
    db_reset(s);
    return true;
}

static bool cancel_write(struct db *d, void *arg, struct err *err)
{
    struct cancel *w = arg;
    bool done = false, asked = false, exists = true;
    if (!end_queued(d, w, &done, err) || (!done && !request_running(d, w, &asked, err)) ||
        (!done && !asked && !run_exists(d, w, &exists, err)))
        return false;
    if ((done || asked) && !change_put(w->store, d, done ? CHANGE_RUN : CHANGE_CANCEL, w->id, 0, err))
        return false;
    if (done && !events_put_runs(w->store, d, &w->id, 1, err))
        return false;
    w->result = done     ? CANCEL_DONE
                : asked  ? CANCEL_REQUESTED
                : exists ? CANCEL_ALREADY_FINAL
                         : CANCEL_NO_SUCH_RUN;
    if (!done && !asked)
        write_was_idle();
    return true;
}

bool sql_run_cancel(struct store *s, struct ulid id, struct instant now, enum run_cancel_result *ret,
                    struct err *err)
{
    struct cancel w = {.store = s, .id = id, .now = now};
    if (!sql_write(s, cancel_write, &w, 1, err))
        return false;
    *ret = w.result;
    return true;
}

// ---- logs --------------------------------------------------------------------------------------

static bool log_read_row(struct db_stmt *s, struct ulid run_id, struct log_line *ret, struct arena *a)
{
    struct str context = db_bytes(s, 5);
    *ret = (struct log_line){
        .id = db_i64(s, 0),
        .run_id = run_id,
        .timestamp = {db_i64(s, 1)},
        .level = (int)db_i64(s, 2),
        .stream = (int)db_i64(s, 3),
        .message = arena_str(a, db_bytes(s, 4)),
        .context = context.p ? arena_str(a, context) : STR_NONE,
    };
    return ret->message.p && (!context.p || ret->context.p);
}

bool sql_logs_read(struct store *s, struct ulid run_id, int64_t after, size_t max, struct log_line **ret,
                   size_t *ret_n, struct arena *a, struct err *err)
{
    struct sql_read r;
    struct log_line *v = arena_new_array(a, struct log_line, max);
    size_t n = 0;
    bool ok = true, row;
    if (!v)
        return sql_no_memory(err);
    if (!sql_read(&r, s, STORE_LOGS_READ, err))
        return false;
    db_put_id(r.s, 1, &run_id);
    db_put_i64(r.s, 2, after);
    db_put_i64(r.s, 3, (int64_t)max);
    while (ok && (ok = db_step(r.s, &row, err)) && row)
        ok = log_read_row(r.s, run_id, &v[n++], a) || sql_no_memory(err);
    sql_read_end(&r);
    if (!ok)
        return false;
    *ret = v;
    *ret_n = n;
    return true;
}
