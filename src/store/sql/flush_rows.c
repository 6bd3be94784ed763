// SPDX-License-Identifier: Apache-2.0
// The hot path on servers: a constant number of statements per flush. Every statement is given all rows of
// its kind and gives back those that were as expected, so who won is known row by row, or
// (where a statement for each row is quicker) by a sum that says "all of them", never by another one.
//
// Rows that are decided go in the order of their keys: two flushes that meet wait for each other, they do not
// deadlock. New runs go in the order of the flush, which is that of their table.
#include "base/mem.h"
#include "store/sql/flush_cells.h"

enum {
    WORK_BUDGET = 512 * 1024 * 1024,
    FIRE_COLUMNS = 6,
    CLAIM_COLUMNS = 5,
    FINISH_COLUMNS = 10,
    ADVANCE_COLUMNS = 3,
    NEXT_COLUMNS = 2,
    LOG_COLUMNS = 7,
    SUCCEED_COLUMNS = 5
};

static const struct deciding of_fires = {STORE_FIRE_ROWS, STORE_FIRE_APPLY_ROWS, STORE_FIRE_EACH};
static const struct deciding of_claims = {STORE_CLAIM_ROWS, STORE_CLAIM_APPLY_ROWS, STORE_CLAIM_EACH};
static const struct deciding of_finishes = {STORE_FINISH_ROWS, STORE_FINISH_APPLY_ROWS, STORE_FINISH_EACH};

static struct ulid fire_key(const struct flush *f, size_t i) { return f->fires[i].job_id; }
static struct ulid claim_key(const struct flush *f, size_t i) { return f->claims[i].run->id; }
static struct ulid finish_key(const struct flush *f, size_t i) { return f->finishes[i].run->id; }

// ---- fires -------------------------------------------------------------------------------------

static void fire_cells(const struct fire *f, struct db_cell *c)
{
    c[0] = cell_id(&f->job_id);
    c[1] = cell_i64(f->expect_next.us);
    c[2] = cell_i64(f->expect_version);
    c[3] = cell_i64(f->new_next.us);
    if (f->n_runs > 0)
        c[4] = cell_id(&f->runs[f->n_runs - 1].id);
    c[5] = cell_i64((int64_t)f->n_runs);
}

// Chains the runs of what was won.
static bool fires_put_runs(struct work *w, struct err *err)
{
    struct new_runs runs;
    size_t n = 0;
    for (size_t i = 0; i < w->f->n_fires; i++)
        n += w->f->fires[i].n_runs;
    if (!new_runs_make(w, n, &runs, err))
        return false;
    for (size_t i = 0; i < w->f->n_fires; i++) {
        struct fire *f = &w->f->fires[i];
        for (size_t k = 0; f->ret_won && k < f->n_runs; k++) {
            if (k > 0)
                f->runs[k].prev_run = f->runs[k - 1].id;
            new_runs_add(w, &runs, &f->runs[k]);
        }
    }
    return new_runs_put(w, &runs, err);
}

static bool fires_write(struct work *w, struct err *err)
{
    struct row *rows;
    struct db_cell *cells;
    size_t n = w->f->n_fires;
    if (n == 0)
        return true;
    if (!rows_make(w, n, FIRE_COLUMNS, &rows, &cells, err))
        return false;
    rows_fill(rows, w->f, fire_key, n);
    for (size_t i = 0; i < n; i++)
        fire_cells(&w->f->fires[rows[i].of], cells + i * FIRE_COLUMNS);
    if (!rows_decide(w, &of_fires, cells, FIRE_COLUMNS, rows, n, true, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct fire *f = &w->f->fires[rows[i].of];
        f->ret_won = rows[i].won;
        f->ret_exists = false;
        if (f->ret_won && f->n_runs > 0)
            f->runs[0].prev_run = rows[i].more;
    }
    return fires_put_runs(w, err);
}

// ---- claims ------------------------------------------------------------------------------------

static void claim_cells(const struct run *r, struct db_cell *c)
{
    c[0] = cell_id(&r->id);
    c[1] = cell_instant(r->start);
    c[2] = cell_text(r->worker);
    c[3] = cell_i64(r->token);
    c[4] = cell_i64(r->attempt);
}

static bool claims_write(struct work *w, struct err *err)
{
    struct row *rows;
    struct db_cell *cells;
    size_t n = w->f->n_claims;
    if (n == 0)
        return true;
    if (!rows_make(w, n, CLAIM_COLUMNS, &rows, &cells, err))
        return false;
    rows_fill(rows, w->f, claim_key, n);
    for (size_t i = 0; i < n; i++)
        claim_cells(w->f->claims[rows[i].of].run, cells + i * CLAIM_COLUMNS);
    if (!rows_decide(w, &of_claims, cells, CLAIM_COLUMNS, rows, n, false, err))
        return false;
    for (size_t i = 0; i < n; i++)
        w->f->claims[rows[i].of].ret_won = rows[i].won;
    return rows_tell(w, rows, n, n, err);
}

// ---- finishes ----------------------------------------------------------------------------------

static void finish_cells(const struct run *r, struct db_cell *c)
{
    int from = finish_from(r);
    must(run_may_move(from, r->status));
    c[0] = cell_id(&r->id);
    c[1] = cell_i64(r->status);
    c[2] = cell_instant(r->start);
    c[3] = cell_instant(r->end);
    if (r->exit_code != FIELD_ABSENT)
        c[4] = cell_i64(r->exit_code);
    c[5] = cell_text(r->error_class);
    c[6] = cell_text(r->error_message);
    c[7] = cell_i64(r->job_version);
    c[8] = cell_i64(r->token);
    c[9] = cell_i64(from);
}

// A success under the token of the first of them needs few columns, too.
static bool is_success(const struct work *w, const struct run *r, const struct run *like)
{
    return !w->each && sql_has(w->d, STORE_SUCCEED_ROWS) && r->status == RUN_SUCCEEDED && r->token != 0 &&
           !r->error_class.p && !r->error_message.p && (!like || r->token == like->token);
}

static void success_cells(const struct run *r, struct db_cell *c)
{
    c[0] = cell_id(&r->id);
    c[1] = cell_instant(r->start);
    c[2] = cell_instant(r->end);
    if (r->exit_code != FIELD_ABSENT)
        c[3] = cell_i64(r->exit_code);
    c[4] = cell_i64(r->job_version);
}

// The finishes at these places of the flush.
static bool finishes_decide(struct work *w, const size_t *places, size_t n, bool successes, struct err *err)
{
    static const struct deciding of_successes = {STORE_SUCCEED_ROWS, STORE_SUCCEED_APPLY_ROWS,
                                                 STORE_SUCCEED_ROWS};
    struct row *rows;
    struct db_cell *cells;
    size_t columns = successes ? SUCCEED_COLUMNS : FINISH_COLUMNS;
    if (n == 0)
        return true;
    if (!rows_make(w, n, columns, &rows, &cells, err))
        return false;
    for (size_t i = 0; i < n; i++)
        rows[i] = (struct row){.key = finish_key(w->f, places[i]), .of = places[i]};
    qsort(rows, n, sizeof *rows, rows_by_key);
    for (size_t i = 0; i < n; i++) {
        const struct run *r = w->f->finishes[rows[i].of].run;
        if (successes)
            success_cells(r, cells + i * columns);
        else
            finish_cells(r, cells + i * columns);
    }
    if (successes)
        w->behind[0] = cell_i64(w->f->finishes[places[0]].run->token);
    bool ok = successes && w->hopeful
                  ? rows_change_all(w, STORE_SUCCEED_ALL_ROWS, cells, columns, rows, n, err)
                  : rows_decide(w, successes ? &of_successes : &of_finishes, cells, columns, rows, n, false, err);
    for (size_t i = 0; i < n && ok; i++) {
        w->f->finishes[rows[i].of].ret_recorded = rows[i].won;
        w->f->finishes[rows[i].of].ret_started = 0;
    }
    return ok && rows_tell(w, rows, n, w->f->n_finishes, err);
}

static bool finishes_record(struct work *w, struct err *err)
{
    size_t n = w->f->n_finishes, successes = 0, others = 0;
    size_t *first = arena_new_array(&w->a, size_t, n), *rest = arena_new_array(&w->a, size_t, n);
    if (!first || !rest)
        return flush_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        const struct run *like = successes > 0 ? w->f->finishes[first[0]].run : NULL;
        if (is_success(w, w->f->finishes[i].run, like))
            first[successes++] = i;
        else
            rest[others++] = i;
    }
    return finishes_decide(w, first, successes, true, err) && finishes_decide(w, rest, others, false, err);
}

// What the end of a run puts in front of chains: its next attempt, and runs of other jobs that it starts.
static size_t followers(const struct finish *f) { return f->ret_recorded ? (f->retry != NULL) + f->n_starts : 0; }
static struct run *follower(const struct finish *f, size_t i)
{
    size_t retries = f->retry != NULL;
    return i < retries ? f->retry : &f->starts[i - retries];
}

static size_t followers_of_all(const struct work *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->f->n_finishes; i++)
        n += followers(&w->f->finishes[i]);
    return n;
}

// The heads of the chains that n followers stand in front of, locked; each job once.
static bool heads(struct work *w, size_t n, struct row **ret_rows, size_t *ret_n, struct err *err)
{
    struct row *rows;
    struct db_cell *cells;
    size_t at = 0, once = 0;
    if (!rows_make(w, n, 1, &rows, &cells, err))
        return false;
    for (size_t i = 0; i < w->f->n_finishes; i++)
        for (size_t k = 0; k < followers(&w->f->finishes[i]); k++)
            rows[at++] = (struct row){.key = follower(&w->f->finishes[i], k)->job_id};
    qsort(rows, n, sizeof *rows, rows_by_key);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || !ulid_eq(rows[once - 1].key, rows[i].key))
            rows[once++] = rows[i];
    for (size_t i = 0; i < once; i++)
        cells[i] = cell_id(&rows[i].key);
    *ret_rows = rows;
    *ret_n = once;
    return rows_ask(w, STORE_CHAIN_HEAD_ROWS, cells, 1, rows, once, true, err);
}

static bool chains_advance(struct work *w, const struct row *jobs, const int64_t *counts, size_t n,
                           struct err *err)
{
    size_t moved = 0;
    struct db_cell *cells = arena_new_array(&w->a, struct db_cell, n * ADVANCE_COLUMNS);
    if (!cells)
        return flush_no_memory(err);
    for (size_t i = 0; i < n; i++)
        if (counts[i] > 0) {
            struct db_cell *c = cells + ADVANCE_COLUMNS * moved++;
            c[0] = cell_id(&jobs[i].key);
            c[1] = cell_id(&jobs[i].more);
            c[2] = cell_i64(counts[i]);
        }
    return rows_put_off(w, STORE_CHAIN_ADVANCE_ROWS, cells, moved, ADVANCE_COLUMNS, err);
}

// Several may stand in one chain, and behind the runs that fires of this flush put there. A job that is gone
// has no chain: nothing is tried again, nothing started.
static bool followers_write(struct work *w, struct err *err)
{
    struct row *jobs;
    struct new_runs runs;
    size_t n, all = followers_of_all(w);
    if (all == 0)
        return true;
    if (!heads(w, all, &jobs, &n, err))
        return false;
    int64_t *counts = arena_new_array(&w->a, int64_t, n);
    if (!counts)
        return flush_no_memory(err);
    if (!new_runs_make(w, all, &runs, err))
        return false;
    for (size_t i = 0; i < w->f->n_finishes; i++) {
        struct finish *f = &w->f->finishes[i];
        for (size_t k = 0; k < followers(f); k++) {
            struct run *r = follower(f, k);
            struct row *job = rows_find(jobs, n, r->job_id);
            if (!job->won)
                continue;
            r->prev_run = job->more;
            job->more = r->id;
            counts[job - jobs]++;
            new_runs_add(w, &runs, r);
            if (r != f->retry)
                f->ret_started |= 1u << (r - f->starts);
        }
    }
    return new_runs_put(w, &runs, err) && chains_advance(w, jobs, counts, n, err);
}

// ---- the next fire after the end of a run ------------------------------------------------------

struct next {
    struct ulid job_id;
    size_t of; // the finish
};

static int by_job(const void *a, const void *b)
{
    const struct next *x = a, *y = b;
    int c = ulid_cmp(x->job_id, y->job_id);
    return c ? c : (x->of > y->of) - (x->of < y->of);
}

// Plans that wait for the end of a run, by job; of several finishes of one job the first counts.
static bool waiting_plans(struct work *w, struct row *rows, const struct db_cell *cells, size_t n,
                          struct next *ret, size_t *ret_n, struct err *err)
{
    struct db_stmt *s;
    size_t found = 0;
    bool more = true;
    if (!sql_query(w->d, STORE_FINISHED_PLAN_ROWS, &s, err))
        return false;
    db_put_rows(s, cells, n, 1);
    while (more) {
        if (!db_step(s, &more, err))
            return false;
        const struct row *r = more ? rows_find(rows, n, db_id(s, 0)) : NULL;
        struct plan p = {.state = 0};
        if (!r)
            continue;
        plan_options_unpack(db_i64(s, 2), &p);
        if (p.schedule.kind == SCHEDULE_INTERVAL && p.schedule.anchor == ANCHOR_END)
            ret[found++] = (struct next){.job_id = db_id(s, 1), .of = r->of};
    }
    qsort(ret, found, sizeof *ret, by_job);
    *ret_n = found;
    return true;
}

static bool plans_set_next(struct work *w, struct err *err)
{
    struct row *rows;
    struct db_cell *cells;
    size_t n = 0, found = 0, set = 0;
    if (!rows_make(w, w->f->n_finishes, NEXT_COLUMNS, &rows, &cells, err))
        return false;
    for (size_t i = 0; i < w->f->n_finishes; i++)
        if (w->f->finishes[i].ret_recorded && !instant_is_never(w->f->finishes[i].plan_next))
            rows[n++] = (struct row){.key = w->f->finishes[i].run->id, .of = i};
    if (n == 0)
        return true;
    qsort(rows, n, sizeof *rows, rows_by_key);
    for (size_t i = 0; i < n; i++)
        cells[i] = cell_id(&rows[i].key);
    struct next *plans = arena_new_array(&w->a, struct next, n);
    if (!plans)
        return flush_no_memory(err);
    if (!waiting_plans(w, rows, cells, n, plans, &found, err))
        return false;
    for (size_t i = 0; i < found; i++) {
        if (i > 0 && ulid_eq(plans[i - 1].job_id, plans[i].job_id))
            continue;
        struct db_cell *c = cells + NEXT_COLUMNS * set++;
        c[0] = cell_id(&plans[i].job_id);
        c[1] = cell_i64(w->f->finishes[plans[i].of].plan_next.us);
    }
    return rows_put_off(w, STORE_PLAN_SET_NEXT_ROWS, cells, set, NEXT_COLUMNS, err);
}

static bool finishes_write(struct work *w, struct err *err)
{
    if (w->f->n_finishes == 0)
        return true;
    if (!finishes_record(w, err) || !followers_write(w, err))
        return false;
    for (size_t i = 0; i < w->f->n_finishes; i++) {
        const struct finish *f = &w->f->finishes[i];
        if (f->ret_recorded && f->dead && !letter_put(w->d, f->dead, err))
            return false;
    }
    return plans_set_next(w, err);
}

// ---- logs --------------------------------------------------------------------------------------

static bool logs_write(struct work *w, struct err *err)
{
    size_t n = w->f->n_logs;
    struct db_cell *cells = arena_new_array(&w->a, struct db_cell, n * LOG_COLUMNS);
    if (!cells)
        return flush_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        const struct log_line *l = &w->f->logs[i];
        struct db_cell *c = cells + i * LOG_COLUMNS;
        c[0] = cell_id(&l->run_id);
        c[1] = cell_i64(l->id);
        c[2] = cell_i64(l->timestamp.us);
        c[3] = cell_i64(l->level);
        c[4] = cell_i64(l->stream);
        c[5] = cell_text(l->message.p ? l->message : STR(""));
        c[6] = cell_text(l->context);
    }
    return rows_put_off(w, STORE_LOG_PUT_ROWS, cells, n, LOG_COLUMNS, err);
}

// ---- all of it ---------------------------------------------------------------------------------

static struct row *rows_sorted(const struct flush *f, struct ulid key(const struct flush *f, size_t i),
                               size_t n)
{
    struct row *rows = mem_array(n, sizeof *rows);
    rows_fill(rows, f, key, n);
    return rows;
}

static bool are_apart(const struct flush *f, struct ulid key(const struct flush *f, size_t i), size_t n)
{
    bool apart = true;
    struct row *rows = rows_sorted(f, key, n);
    for (size_t i = 1; apart && i < n; i++)
        apart = !ulid_eq(rows[i - 1].key, rows[i].key);
    mem_free(rows);
    return apart;
}

// Whether a finish ends a run that another one brings.
static bool ends_its_follower(const struct flush *f)
{
    bool ends = false;
    struct row *rows = rows_sorted(f, finish_key, f->n_finishes);
    for (size_t i = 0; !ends && i < f->n_finishes; i++) {
        const struct finish *v = &f->finishes[i];
        ends = v->retry && rows_find(rows, f->n_finishes, v->retry->id);
        for (size_t k = 0; !ends && k < v->n_starts; k++)
            ends = rows_find(rows, f->n_finishes, v->starts[k].id) != NULL;
    }
    mem_free(rows);
    return ends;
}

bool flush_fits_rows(struct db *d, const struct flush *f)
{
    return db_takes_rows(d) && sql_has(d, STORE_FIRE_ROWS) && are_apart(f, fire_key, f->n_fires) &&
           are_apart(f, claim_key, f->n_claims) && are_apart(f, finish_key, f->n_finishes) &&
           !ends_its_follower(f);
}

bool flush_rows(struct store *st, struct db *d, struct flush *f, bool each, struct err *err)
{
    struct work w = {.st = st, .d = d, .f = f, .each = each && d->runs_each,
                     .hopeful = each && !d->runs_each && sql_has(d, STORE_SUCCEED_ALL_ROWS)};
    arena_init(&w.a, WORK_BUDGET);
    bool ok = fires_write(&w, err) && claims_write(&w, err) && finishes_write(&w, err) && logs_write(&w, err);
    arena_release(&w.a);
    return ok;
}
