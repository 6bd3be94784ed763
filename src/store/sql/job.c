// SPDX-License-Identifier: Apache-2.0
// Jobs with their plans: insert, edit, delete, state, get. Definition texts are made by the calling thread,
// before the shared transaction.
#include "store/sql/job.h"

#include "base/mem.h"
#include "store/sql/sql.h"

enum { TEXTS_BUDGET = 512 * 1024 * 1024 };

static bool no_such_job(struct ulid id, struct err *err)
{
    char text[ULID_TEXT_MAX];
    return ERR(err, ERR_NOT_FOUND, "job \"%s\" does not exist", ulid_format(id, text));
}

// ---- insert ------------------------------------------------------------------------------------

struct insert {
    struct store *store;
    const struct job *jobs;
    const struct plan *plans;
    const struct str *texts;
    struct change *changes;
    size_t n;
};

static bool plan_put(struct db *d, const struct plan *p, struct err *err)
{
    struct plan fresh = *p;
    struct db_stmt *s;
    fresh.last_run = ULID_ZERO;
    fresh.run_count = 0;
    if (!sql_query(d, STORE_PLAN_PUT, &s, err))
        return false;
    plan_bind(s, &fresh);
    if (!db_later(s, err) || !sql_query(d, STORE_SPEC_PUT, &s, err))
        return false;
    plan_spec_bind(s, &fresh);
    return db_later(s, err);
}

static bool job_put(struct db *d, const struct job *j, struct str text, struct err *err)
{
    struct db_stmt *s;
    char id[ULID_TEXT_MAX];
    if (!sql_query(d, STORE_JOB_PUT, &s, err))
        return false;
    db_put_id(s, 1, &j->id);
    db_put_id(s, 2, &j->owner_id);
    db_put_text(s, 3, j->name);
    db_put_text(s, 4, j->type);
    db_put_i64(s, 5, j->version);
    db_put_i64(s, 6, j->created_at.us);
    db_put_i64(s, 7, j->updated_at.us);
    db_put_text(s, 8, text);
    if (!db_run(s, err))
        return false;
    return db_changes(d) == 1 || ERR(err, ERR_CONFLICT, "job \"%s\" exists already", ulid_format(j->id, id));
}

static bool insert_write(struct db *d, void *arg, struct err *err)
{
    const struct insert *w = arg;
    bool together = w->n > 1 && db_takes_rows(d);
    if (together && !jobs_put_rows(d, w->jobs, w->plans, w->texts, w->n, err))
        return false;
    for (size_t i = 0; i < w->n; i++)
        if ((!together && (!job_put(d, &w->jobs[i], w->texts[i], err) || !plan_put(d, &w->plans[i], err))) ||
            !event_put_job(w->store, d, OUTBOX_JOB_CREATED, &w->jobs[i].id, err))
            return false;
    for (size_t i = 0; i < w->n; i++)
        w->changes[i] = (struct change){.kind = CHANGE_JOB, .subject = w->jobs[i].id};
    return changes_put(w->store, d, w->changes, w->n, 0, err);
}

bool sql_jobs_insert(struct store *s, const struct job *v, const struct plan *plans, size_t n,
                     struct err *err)
{
    struct arena a CLEANUP(arena_release);
    arena_init(&a, TEXTS_BUDGET);
    struct str *texts = arena_new_array(&a, struct str, n);
    struct change *changes = arena_new_array(&a, struct change, n);
    if (!texts || !changes)
        return sql_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        must(ulid_eq(v[i].id, plans[i].job_id));
        if (!job_text_write(&v[i], &texts[i], &a, err))
            return false;
    }
    struct insert w = {.store = s, .jobs = v, .plans = plans, .texts = texts, .changes = changes, .n = n};
    return sql_write(s, insert_write, &w, 2 * n, err);
}

// ---- change ------------------------------------------------------------------------------------

// Why a conditional change found no row.
static bool missed(struct db *d, struct ulid id, struct err *err)
{
    struct db_stmt *s;
    char text[ULID_TEXT_MAX];
    bool row;
    if (!sql_query(d, STORE_JOB_VERSION, &s, err))
        return false;
    db_put_id(s, 1, &id);
    if (!db_step(s, &row, err))
        return false;
    if (!row)
        return no_such_job(id, err);
    db_reset(s);
    return ERR(err, ERR_STALE, "job \"%s\" was changed by somebody else: read it again",
               ulid_format(id, text));
}

// Tells the nodes and the readers outside that a job is another one now.
static bool job_told(struct store *st, struct db *d, int what, const struct ulid *id, struct err *err)
{
    return change_put(st, d, CHANGE_JOB, *id, 0, err) && event_put_job(st, d, what, id, err);
}

struct edit {
    struct store *store;
    const struct job *job;
    const struct plan *plan;
    struct str text;
    int64_t expect;
};

static bool change_write(struct db *d, void *arg, struct err *err)
{
    const struct edit *w = arg;
    struct db_stmt *s;
    if (!sql_query(d, STORE_JOB_CHANGE, &s, err))
        return false;
    db_put_id(s, 1, &w->job->id);
    db_put_text(s, 2, w->job->name);
    db_put_text(s, 3, w->job->type);
    db_put_i64(s, 4, w->job->version);
    db_put_i64(s, 5, w->job->updated_at.us);
    db_put_text(s, 6, w->text);
    db_put_i64(s, 7, w->expect);
    db_put_id(s, 8, &w->job->owner_id);
    if (!db_run(s, err))
        return false;
    if (db_changes(d) != 1)
        return missed(d, w->job->id, err);
    if (!sql_query(d, STORE_PLAN_REPLACE, &s, err))
        return false;
    db_put_id(s, 1, &w->plan->job_id);
    db_put_i64(s, 2, w->plan->version);
    db_put_i64(s, 3, w->plan->next_fire.us);
    if (!db_later(s, err) || !sql_query(d, STORE_SPEC_REPLACE, &s, err))
        return false;
    plan_spec_bind(s, w->plan);
    return db_later(s, err) && job_told(w->store, d, OUTBOX_JOB_UPDATED, &w->job->id, err);
}

bool sql_job_update(struct store *s, const struct job *j, const struct plan *p, int64_t expect,
                    struct err *err)
{
    struct arena a CLEANUP(arena_release);
    arena_init(&a, TEXTS_BUDGET);
    struct edit w = {.store = s, .job = j, .plan = p, .expect = expect};
    return job_text_write(j, &w.text, &a, err) && sql_write(s, change_write, &w, 2, err);
}

struct removal {
    struct store *store;
    struct ulid id;
    int64_t expect;
    struct instant now;
};

static bool cancel_queued(struct db *d, enum store_query q, const struct removal *w, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, q, &s, err))
        return false;
    db_put_id(s, 1, &w->id);
    db_put_i64(s, 2, w->now.us);
    db_put_text(s, 3, run_job_deleted_class);
    db_put_text(s, 4, run_job_deleted_text);
    return db_later(s, err);
}

static bool removal_write(struct db *d, void *arg, struct err *err)
{
    const struct removal *w = arg;
    struct db_stmt *s;
    if (!sql_query(d, STORE_JOB_MARK_DELETED, &s, err))
        return false;
    db_put_id(s, 1, &w->id);
    db_put_i64(s, 2, w->now.us);
    db_put_i64(s, 3, w->expect);
    if (!db_run(s, err))
        return false;
    if (db_changes(d) != 1)
        return missed(d, w->id, err);
    if (!sql_query(d, STORE_PLAN_REMOVE, &s, err))
        return false;
    db_put_id(s, 1, &w->id);
    if (!db_later(s, err) || !sql_query(d, STORE_SPEC_REMOVE, &s, err))
        return false;
    db_put_id(s, 1, &w->id);
    if (!db_later(s, err) || !sql_query(d, STORE_MEMOS_REMOVE, &s, err))
        return false;
    db_put_id(s, 1, &w->id);
    return db_later(s, err) && job_told(w->store, d, OUTBOX_JOB_DELETED, &w->id, err) &&
           subscriptions_of_job_remove(d, &w->id, w->now, err) &&
           (!events_on(w->store) || cancel_queued(d, STORE_OUTBOX_PUT_CANCELLED, w, err)) &&
           cancel_queued(d, STORE_RUNS_CANCEL_QUEUED, w, err);
}

bool sql_job_delete(struct store *s, struct ulid id, int64_t expect, struct instant now, struct err *err)
{
    struct removal w = {.store = s, .id = id, .expect = expect, .now = now};
    return sql_write(s, removal_write, &w, 4, err);
}

struct state_change {
    struct store *store;
    struct ulid id;
    int state;
    struct instant next_fire, now;
};

static bool state_write(struct db *d, void *arg, struct err *err)
{
    const struct state_change *w = arg;
    struct db_stmt *s;
    if (!sql_query(d, STORE_JOB_TOUCH, &s, err))
        return false;
    db_put_id(s, 1, &w->id);
    db_put_i64(s, 2, w->now.us);
    if (!db_run(s, err))
        return false;
    if (db_changes(d) != 1)
        return no_such_job(w->id, err);
    if (!sql_query(d, STORE_PLAN_SET_STATE, &s, err))
        return false;
    db_put_id(s, 1, &w->id);
    db_put_i64(s, 2, w->next_fire.us);
    if (!db_later(s, err) || !sql_query(d, STORE_SPEC_SET_STATE, &s, err))
        return false;
    db_put_id(s, 1, &w->id);
    db_put_i64(s, 2, w->state);
    return db_later(s, err) && job_told(w->store, d, OUTBOX_JOB_STATE_CHANGED, &w->id, err) &&
           (w->state != JOB_STATE_PAUSED || notice_put_paused(d, &w->id, w->now, err));
}

bool sql_job_set_state(struct store *s, struct ulid id, int state, struct instant next_fire,
                       struct instant now, struct err *err)
{
    struct state_change w = {.store = s, .id = id, .state = state, .next_fire = next_fire, .now = now};
    return sql_write(s, state_write, &w, 2, err);
}

// ---- get ---------------------------------------------------------------------------------------

enum {
    COL_ID,
    COL_OWNER,
    COL_VERSION,
    COL_CREATED,
    COL_UPDATED,
    COL_NEXT,
    COL_LAST_RUN,
    COL_RUN_COUNT,
    COL_ENABLED,
    COL_STATE,
    COL_RUN_STATUS,
    COL_DEFINITION
};

int job_row_status(struct db_stmt *s)
{
    struct plan p = {.enabled = db_i64(s, COL_ENABLED) != 0,
                     .state = (int)db_i64(s, COL_STATE),
                     .next_fire = {db_i64(s, COL_NEXT)}};
    struct run last = {.status = (int)db_i64(s, COL_RUN_STATUS)};
    return job_status_of(&p, db_is_null(s, COL_RUN_STATUS) ? NULL : &last);
}

struct str job_row_definition(struct db_stmt *s) { return db_bytes(s, COL_DEFINITION); }

void job_row_cursor(struct db_stmt *s, struct cursor *c)
{
    c->id = db_id(s, COL_ID);
    if (c->sort == JOB_SORT_UPDATED)
        c->number = db_i64(s, COL_UPDATED);
    else if (c->sort == JOB_SORT_NEXT_FIRE)
        c->number = db_i64(s, COL_NEXT);
}

bool job_row_read(struct db_stmt *s, struct job *ret, struct arena *a, struct err *err)
{
    struct job j;
    if (!job_text_read(job_row_definition(s), &j, a, err))
        return false;
    j.id = db_id(s, COL_ID);
    j.owner_id = db_id(s, COL_OWNER);
    j.version = db_i64(s, COL_VERSION);
    j.created_at.us = db_i64(s, COL_CREATED);
    j.updated_at.us = db_i64(s, COL_UPDATED);
    j.next_fire_time.us = db_i64(s, COL_NEXT);
    j.last_run_id = db_id(s, COL_LAST_RUN);
    j.run_count = db_i64(s, COL_RUN_COUNT);
    j.status = job_row_status(s);
    *ret = j;
    return true;
}

bool sql_job_get(struct store *s, struct ulid id, struct job *ret, struct arena *a, struct err *err)
{
    struct sql_read r;
    char text[ULID_TEXT_MAX];
    if (!sql_read(&r, s, STORE_JOB_GET, err))
        return false;
    db_put_id(r.s, 1, &id);
    bool ok = sql_only_row(r.s, err, "job", ulid_format(id, text)) && job_row_read(r.s, ret, a, err);
    sql_read_end(&r);
    return ok;
}
