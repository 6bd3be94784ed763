// SPDX-License-Identifier: Apache-2.0
// What others changed: plans and runs are read again from the store by id, in batches.
#include "base/log.h"
#include "engine/core.h"
#include "engine/meters.h"
#include "engine/reasons.h"

enum { POKE_BATCH = 500, POKE_ARENA_BUDGET = 16 * 1024 * 1024 };

static void end_waiting(struct engine *e, struct entry *p)
{
    for (struct task *t = p->tasks, *next; t; t = next) {
        next = t->next;
        if (task_waits(t))
            task_end_unstarted(e, t, RUN_CANCELLED, REASON_JOB_DELETED, MESSAGE_JOB_DELETED);
    }
}

bool poke_load_plans(struct engine *e, const struct ulid *ids, size_t n, struct err *err)
{
    CLEANUP(arena_release) struct arena a;
    arena_init(&a, POKE_ARENA_BUDGET);
    struct plan *plans;
    size_t n_plans;
    if (!e->store->ops->plans_get(e->store, ids, n, &plans, &n_plans, &a, err))
        return false;
    for (size_t i = 0; i < n; i++) // until a plan says otherwise
        entries_add(&e->entries, ids[i])->gone = true;
    for (size_t i = 0; i < n_plans; i++) {
        struct err why = {0};
        if (entry_load(&e->entries, entries_find(&e->entries, plans[i].job_id), &plans[i], &why))
            continue;
        LOG_WARN("plan cannot be read, the job does not fire", LOG_ID("job", plans[i].job_id), LOG_ERROR_FIELD(&why));
        meter_bad_plan(1);
    }
    return true;
}

bool poke_reload(struct engine *e, const struct ulid *ids, size_t n, struct err *err)
{
    if (!poke_load_plans(e, ids, n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct entry *p = entries_find(&e->entries, ids[i]);
        if (!p)
            continue; // named twice, and nothing keeps it
        rezone_again(e, p);
        if (p->gone)
            end_waiting(e, p);
        else
            overlap_release(e, p); // the concurrency policy may be another one
        plan_settle(e, p);
    }
    return true;
}

static bool poke_jobs(struct engine *e, struct err *err)
{
    struct ids *l = &e->todo.jobs;
    struct ulid wanted[POKE_BATCH];
    size_t n = 0, seen = 0;
    for (; seen < l->n && n < POKE_BATCH; seen++) // jobs of other nodes concern us only while they have runs here
        if (slots_has(&e->entries.slots, slot_of(l->v[seen])) || entries_find(&e->entries, l->v[seen]))
            wanted[n++] = l->v[seen];
    if (n > 0 && !poke_reload(e, wanted, n, err))
        return false;
    ids_shift(l, seen);
    return true;
}

// Runs on other nodes that a newer run of their job is to replace.
static bool poke_asks(struct engine *e, struct err *err)
{
    enum run_cancel_result result;
    struct ids *l = &e->asks;
    for (; l->n > 0; ids_shift(l, 1))
        if (!e->store->ops->run_cancel(e->store, l->v[0], engine_now(e).wall, &result, err))
            return false;
    return true;
}

void poke_take_run(struct engine *e, const struct run *r)
{
    struct task *t = tasks_find(&e->tasks, r->id);
    if (t) {
        bool lost_claim = t->state == TASK_QUEUED && t->node.list == AGENDA_NONE;
        bool over = t->state == TASK_ELSEWHERE && run_status_final(r->status);
        if (over || (task_waits(t) && r->status != RUN_QUEUED))
            task_forget(e, t);
        else if (lost_claim)
            task_postpone(e, t, engine_now(e));
        return;
    }
    struct entry *p = entries_find(&e->entries, r->job_id);
    if (r->status != RUN_QUEUED || !p || p->foreign)
        return;
    e->queued++;
    task_enqueue(e, task_new(&e->tasks, p, r), engine_now(e));
}

static bool poke_run(struct engine *e, struct ulid id, struct err *err)
{
    CLEANUP(arena_release) struct arena a;
    arena_init(&a, POKE_ARENA_BUDGET);
    struct run r;
    struct err why = {0};
    if (!e->store->ops->run_get(e->store, id, &r, &a, &why)) {
        struct task *t = tasks_find(&e->tasks, id);
        if (why.code != ERR_NOT_FOUND) {
            *err = why;
            return false;
        }
        if (t && (task_waits(t) || t->state == TASK_ELSEWHERE))
            task_forget(e, t);
        return true;
    }
    bool ours = slots_has(&e->entries.slots, slot_of(r.job_id));
    if (ours && r.status == RUN_QUEUED && !entries_find(&e->entries, r.job_id) &&
        !poke_load_plans(e, &r.job_id, 1, err))
        return false;
    poke_take_run(e, &r);
    return true;
}

static bool poke_runs(struct engine *e, struct err *err)
{
    struct ids *l = &e->todo.runs;
    size_t n = l->n < POKE_BATCH ? l->n : POKE_BATCH, done = 0;
    while (done < n && poke_run(e, l->v[done], err))
        done++;
    ids_shift(l, done);
    return done == n;
}

// The store knows already that they are to be cancelled; a queued one has ended there.
static void poke_cancels(struct engine *e)
{
    for (size_t i = 0; i < e->todo.cancels.n; i++) {
        struct ulid id = e->todo.cancels.v[i];
        struct task *t = tasks_find(&e->tasks, id);
        if (t && (t->state == TASK_RUNNING || t->state == TASK_CLAIMING))
            dispatch_cancel(e, t, CANCEL_BY_USER);
        else if (t && task_waits(t))
            ids_add(&e->todo.runs, &id, 1);
    }
    ids_clear(&e->todo.cancels);
}

void poke_apply(struct engine *e)
{
    struct err err = {0};
    poke_cancels(e);
    if (!poke_jobs(e, &err) || !poke_runs(e, &err) || !poke_asks(e, &err))
        store_failed(e, "read what changed", &err);
}
