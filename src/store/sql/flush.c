// SPDX-License-Identifier: Apache-2.0
// The hot path: one transaction per flush, one prepared statement per row and table; servers take many rows at once
// instead (flush_rows.c). Every decision is a condition on the row; what was decided meanwhile by somebody else changes
// nothing.
#include "store/sql/flush.h"

bool run_row_put(struct db *d, const struct run *r, bool *ret_put, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_RUN_PUT, &s, err))
        return false;
    columns_bind(&run_columns, s, r);
    if (!db_run(s, err))
        return false;
    *ret_put = db_changes(d) == 1;
    return true;
}

// ---- fires -------------------------------------------------------------------------------------

// A fire without runs only moves on.
static bool fire_move(struct db *d, struct fire *f, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_FIRE_MOVE, &s, err))
        return false;
    db_put_id(s, 1, &f->job_id);
    db_put_i64(s, 2, f->new_next.us);
    db_put_i64(s, 3, f->expect_next.us);
    db_put_i64(s, 4, f->expect_version);
    if (!db_run(s, err))
        return false;
    f->ret_won = db_changes(d) == 1;
    return true;
}

// The head of the job's chain, if the plan is as expected.
static bool fire_head(struct db *d, const struct fire *f, struct ulid *ret_head, bool *ret_due,
                      struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_FIRE_GET, &s, err))
        return false;
    db_put_id(s, 1, &f->job_id);
    db_put_i64(s, 2, f->expect_next.us);
    db_put_i64(s, 3, f->expect_version);
    if (!db_step(s, ret_due, err))
        return false;
    if (*ret_due) {
        *ret_head = db_id(s, 0);
        db_reset(s);
    }
    return true;
}

static bool fire_unwrite(struct db *d, const struct fire *f, size_t n, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_RUN_REMOVE, &s, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        db_put_id(s, 1, &f->runs[i].id);
        if (!db_run(s, err))
            return false;
    }
    return true;
}

// Events of the runs of a fire.
static bool fire_tell(struct store *st, struct db *d, const struct fire *f, struct err *err)
{
    for (size_t i = 0; i < f->n_runs; i++)
        if (!events_put_runs(st, d, &f->runs[i].id, 1, err))
            return false;
    return true;
}

static bool fire_advance(struct store *st, struct db *d, struct fire *f, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_FIRE_UPDATE, &s, err))
        return false;
    db_put_id(s, 1, &f->job_id);
    db_put_i64(s, 2, f->new_next.us);
    db_put_id(s, 3, &f->runs[f->n_runs - 1].id);
    db_put_i64(s, 4, (int64_t)f->n_runs);
    db_put_i64(s, 5, f->expect_next.us);
    db_put_i64(s, 6, f->expect_version);
    if (!db_run(s, err))
        return false;
    must(db_changes(d) == 1); // the row was read in this transaction
    f->ret_won = true;
    return fire_tell(st, d, f, err);
}

static bool fire_write(struct store *st, struct db *d, struct fire *f, struct err *err)
{
    f->ret_won = f->ret_exists = false;
    if (f->n_runs == 0)
        return fire_move(d, f, err);
    struct ulid head = ULID_ZERO;
    bool due = false, put;
    if (!fire_head(d, f, &head, &due, err))
        return false;
    if (!due)
        return true;
    for (size_t i = 0; i < f->n_runs; i++) {
        f->runs[i].prev_run = head;
        if (!run_row_put(d, &f->runs[i], &put, err))
            return false;
        if (!put) {
            f->ret_exists = true;
            return fire_unwrite(d, f, i, err);
        }
        head = f->runs[i].id;
    }
    return fire_advance(st, d, f, err);
}

// ---- claims and finishes -----------------------------------------------------------------------

static bool claim_write(struct store *st, struct db *d, struct claim *c, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_CLAIM, &s, err))
        return false;
    db_put_id(s, 1, &c->run->id);
    bind_instant(s, 2, c->run->start);
    db_put_text(s, 3, c->run->worker);
    db_put_i64(s, 4, c->run->token);
    db_put_i64(s, 5, c->run->attempt);
    if (!db_run(s, err))
        return false;
    c->ret_won = db_changes(d) == 1;
    return !c->ret_won || events_put_runs(st, d, &c->run->id, 1, err);
}

bool run_put_first(struct db *d, struct run *r, bool *ret_job, bool *ret_put, struct err *err)
{
    struct db_stmt *s;
    *ret_put = false;
    if (!sql_query(d, STORE_CHAIN_HEAD, &s, err))
        return false;
    db_put_id(s, 1, &r->job_id);
    if (!db_step(s, ret_job, err))
        return false;
    if (!*ret_job)
        return true;
    r->prev_run = db_id(s, 0);
    db_reset(s);
    if (!run_row_put(d, r, ret_put, err))
        return false;
    if (!*ret_put)
        return true;
    if (!sql_query(d, STORE_CHAIN_ADVANCE, &s, err))
        return false;
    db_put_id(s, 1, &r->job_id);
    db_put_id(s, 2, &r->id);
    return db_run(s, err);
}

bool letter_put(struct db *d, const struct dead_letter *v, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_DLQ_PUT, &s, err))
        return false;
    columns_bind(&dead_letter_columns, s, v);
    return db_later(s, err);
}

// For anchor END only: a job that was edited meanwhile to have no schedule must not fire.
static bool set_plan_next(struct db *d, const struct finish *f, struct err *err)
{
    struct db_stmt *s;
    bool row;
    if (!sql_query(d, STORE_FINISHED_PLAN, &s, err))
        return false;
    db_put_id(s, 1, &f->run->id);
    if (!db_step(s, &row, err))
        return false;
    if (!row)
        return true;
    struct plan p = {.job_id = db_id(s, 0)};
    plan_options_unpack(db_i64(s, 1), &p);
    db_reset(s);
    if (p.schedule.kind != SCHEDULE_INTERVAL || p.schedule.anchor != ANCHOR_END)
        return true;
    if (!sql_query(d, STORE_PLAN_SET_NEXT, &s, err))
        return false;
    db_put_id(s, 1, &p.job_id);
    db_put_i64(s, 2, f->plan_next.us);
    return db_run(s, err);
}

static bool finish_update(struct db *d, struct finish *f, struct err *err)
{
    struct db_stmt *s;
    const struct run *r = f->run;
    int from = finish_from(r);
    if (!sql_query(d, STORE_FINISH, &s, err))
        return false;
    must(run_may_move(from, r->status));
    db_put_id(s, 1, &r->id);
    db_put_i64(s, 2, r->status);
    bind_instant(s, 3, r->start);
    bind_instant(s, 4, r->end);
    if (r->exit_code == FIELD_ABSENT)
        db_null(s, 5);
    else
        db_put_i64(s, 5, r->exit_code);
    db_put_text(s, 6, r->error_class);
    db_put_text(s, 7, r->error_message);
    db_put_i64(s, 8, r->job_version);
    db_put_i64(s, 9, r->token);
    db_put_i64(s, 10, from);
    if (!db_run(s, err))
        return false;
    f->ret_recorded = db_changes(d) == 1;
    return true;
}

static bool retry_write(struct store *st, struct db *d, struct run *r, struct err *err)
{
    bool job, put;
    if (!run_put_first(d, r, &job, &put, err))
        return false;
    return !put || events_put_runs(st, d, &r->id, 1, err);
}

static bool starts_write(struct store *st, struct db *d, struct finish *f, struct err *err)
{
    bool job, put;
    for (size_t i = 0; i < f->n_starts; i++) {
        if (!run_put_first(d, &f->starts[i], &job, &put, err) ||
            (put && !events_put_runs(st, d, &f->starts[i].id, 1, err)))
            return false;
        f->ret_started |= (uint32_t)put << i;
    }
    return true;
}

static bool finish_write(struct store *st, struct db *d, struct finish *f, struct err *err)
{
    f->ret_started = 0;
    if (!finish_update(d, f, err))
        return false;
    if (!f->ret_recorded)
        return true;
    return events_put_runs(st, d, &f->run->id, 1, err) && (!f->retry || retry_write(st, d, f->retry, err)) &&
           (!f->dead || letter_put(d, f->dead, err)) && starts_write(st, d, f, err) &&
           (instant_is_never(f->plan_next) || set_plan_next(d, f, err));
}

static bool log_write_row(struct db *d, const struct log_line *l, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_LOG_PUT, &s, err))
        return false;
    db_put_id(s, 1, &l->run_id);
    db_put_i64(s, 2, l->id);
    db_put_i64(s, 3, l->timestamp.us);
    db_put_i64(s, 4, l->level);
    db_put_i64(s, 5, l->stream);
    db_put_text(s, 6, l->message.p ? l->message : STR(""));
    db_put_text(s, 7, l->context);
    return db_later(s, err);
}

// ---- all of it ---------------------------------------------------------------------------------

// From the quickest way, which fails when anything is not as expected, to the one that answers for each row.
enum way { EACH, ROWS, BY_ROW };
struct flushing {
    struct store *store;
    struct flush *f;
    int way;
};

// Nothing is decided by a node that others believe dead; what it did before, it may still write down.
static bool lease_lasts(struct db *d, const struct flush *f, struct err *err)
{
    struct db_stmt *s;
    bool row;
    if (f->node_token == 0 || (f->n_fires == 0 && f->n_claims == 0))
        return true;
    if (!sql_query(d, STORE_NODE_LEASED, &s, err))
        return false;
    db_put_i64(s, 1, f->node_token);
    if (!db_step(s, &row, err))
        return false;
    if (!row)
        return ERR(err, ERR_STALE, "the lease of this node has ended: others decide for its jobs");
    db_reset(s);
    return true;
}

static bool write_by_row(struct store *st, struct db *d, struct flush *f, struct err *err)
{
    bool ok = true;
    for (size_t i = 0; ok && i < f->n_fires; i++)
        ok = fire_write(st, d, &f->fires[i], err);
    for (size_t i = 0; ok && i < f->n_claims; i++)
        ok = claim_write(st, d, &f->claims[i], err);
    for (size_t i = 0; ok && i < f->n_finishes; i++)
        ok = finish_write(st, d, &f->finishes[i], err);
    for (size_t i = 0; ok && i < f->n_logs; i++)
        ok = log_write_row(d, &f->logs[i], err);
    return ok;
}

static bool flush_write(struct db *d, void *arg, struct err *err)
{
    struct flushing *w = arg;
    struct flush *f = w->f;
    bool by_row = w->way == BY_ROW || !flush_fits_rows(d, f);
    return lease_lasts(d, f, err) &&
           (by_row ? write_by_row(w->store, d, f, err) : flush_rows(w->store, d, f, w->way == EACH, err)) &&
           flush_notices(d, f, err) && changes_put(w->store, d, f->changes, f->n_changes, f->node_token, err);
}

static void flags_clear(struct flush *f)
{
    for (size_t i = 0; i < f->n_fires; i++)
        f->fires[i].ret_won = f->fires[i].ret_exists = false;
    for (size_t i = 0; i < f->n_claims; i++)
        f->claims[i].ret_won = false;
    for (size_t i = 0; i < f->n_finishes; i++) {
        f->finishes[i].ret_recorded = false;
        f->finishes[i].ret_started = 0;
    }
}

bool sql_flush(struct store *s, struct flush *f, struct err *err)
{
    struct flushing w = {.store = s, .f = f};
    size_t weight = f->n_fires + f->n_claims + f->n_finishes + f->n_logs;
    enum sql_lane lane = f->n_fires + f->n_claims > 0 ? LANE_ENGINE : LANE_ENDS;
    for (w.way = EACH; w.way <= BY_ROW; w.way++) { // on to the next when a row is not as expected: rare
        if (sql_write_in(s, lane, flush_write, &w, weight, err))
            return true;
        if (err->code != ERR_CONFLICT)
            break;
    }
    flags_clear(f);
    return false;
}
