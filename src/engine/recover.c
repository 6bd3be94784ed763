// SPDX-License-Identifier: Apache-2.0
// Start-up: plans into memory, and what a former owner left behind.
//
// A RUNNING row belongs to an engine that is gone: it ends LOST on the condition of its old token, so that a second
// recovery, or the old owner's late word, changes nothing. The finishes go out with the first flushes.
#include "base/log.h"
#include "engine/core.h"
#include "engine/meters.h"
#include "engine/reasons.h"

enum { RECOVER_PLANS = 1000, RECOVER_RUNS = 500, RECOVER_ARENA_BUDGET = 64 * 1024 * 1024 };

static void plan_take(struct engine *e, const struct plan *p)
{
    struct err why = {0};
    bool stalled = p->schedule.kind == SCHEDULE_INTERVAL && p->schedule.anchor == ANCHOR_END;
    if (instant_is_never(p->next_fire)) {
        if (stalled)
            ids_add(&e->todo.jobs, &p->job_id, 1); // looked at when its runs are known
        return;
    }
    struct entry *entry = entries_add(&e->entries, p->job_id);
    if (!entry_load(&e->entries, entry, p, &why)) {
        LOG_WARN("plan cannot be read, the job does not fire", LOG_ID("job", p->job_id), LOG_ERROR_FIELD(&why));
        meter_bad_plan(1);
    }
    rezone_recovered(e, entry, p, engine_now(e).wall);
    plan_settle(e, entry);
}

static bool plans_load(struct engine *e, struct err *err)
{
    CLEANUP(arena_release) struct arena a;
    arena_init(&a, RECOVER_ARENA_BUDGET);
    struct ulid after = ULID_ZERO;
    size_t n = RECOVER_PLANS, bad, bad_all = 0;
    while (n == RECOVER_PLANS) {
        struct plan *plans;
        arena_reset(&a);
        if (!e->store->ops->plans_page(e->store, after, RECOVER_PLANS, false, &plans, &n, &bad, &a, err))
            return err_wrap(err, "load plans");
        for (size_t i = 0; i < n; i++)
            plan_take(e, &plans[i]);
        bad_all += bad;
        after = n > 0 ? plans[n - 1].job_id : after;
    }
    if (bad_all > 0)
        LOG_ERROR("plans cannot be read, their jobs do not fire", LOG_INT("plans", bad_all));
    meter_bad_plan((int64_t)bad_all);
    return true;
}

static bool page_plans(struct engine *e, const struct run *runs, size_t n, struct err *err)
{
    struct ids missing = {0};
    for (size_t i = 0; i < n; i++)
        if (!entries_find(&e->entries, runs[i].job_id))
            ids_add(&missing, &runs[i].job_id, 1);
    bool ok = missing.n == 0 || poke_load_plans(e, missing.v, missing.n, err);
    ids_release(&missing);
    return ok;
}

static void run_lost(struct engine *e, const struct run *r)
{
    struct task *t = task_new(&e->tasks, entries_find(&e->entries, r->job_id), r);
    bool cancelled = r->cancel_requested;
    t->state = TASK_ENDED;
    t->end = engine_now(e).wall;
    t->result = (struct attempt_result){
        .status = cancelled ? RUN_CANCELLED : RUN_LOST,
        .error_class = cancelled ? REASON_CANCELLED : REASON_LOST,
        .error_message = cancelled ? MESSAGE_CANCELLED : MESSAGE_LOST,
        .exit_code = FIELD_ABSENT,
    };
    task_queue_push(&e->ended, t);
}

static bool runs_load(struct engine *e, size_t *ret_lost, size_t *ret_queued, struct err *err)
{
    CLEANUP(arena_release) struct arena a;
    arena_init(&a, RECOVER_ARENA_BUDGET);
    struct ulid after = ULID_ZERO;
    size_t n = RECOVER_RUNS, lost = 0, queued = 0;
    while (n == RECOVER_RUNS) {
        struct run *runs;
        arena_reset(&a);
        if (!e->store->ops->runs_unfinished(e->store, after, RECOVER_RUNS, &runs, &n, &a, err) ||
            !page_plans(e, runs, n, err))
            return err_wrap(err, "load unfinished runs");
        for (size_t i = 0; i < n; i++) {
            bool known = tasks_find(&e->tasks, runs[i].id) != NULL;
            if (runs[i].status == RUN_QUEUED)
                poke_take_run(e, &runs[i]);
            else if (!known && runs[i].token != e->token)
                run_lost(e, &runs[i]);
            lost += !known && runs[i].status == RUN_RUNNING;
            queued += !known && runs[i].status == RUN_QUEUED;
        }
        after = n > 0 ? runs[n - 1].id : after;
    }
    *ret_lost = lost;
    *ret_queued = queued;
    return true;
}

bool engine_recover(struct engine *e, struct err *err)
{
    size_t lost = 0, queued = 0;
    if (!plans_load(e, err) || !runs_load(e, &lost, &queued, err))
        return false;
    LOG_INFO("engine recovered", LOG_INT("plans", e->entries.by_id.n), LOG_INT("queued", queued),
             LOG_INT("lost", lost));
    return true;
}
