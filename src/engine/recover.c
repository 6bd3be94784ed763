// SPDX-License-Identifier: Apache-2.0
// Plans into memory, and what a former owner left behind: all at start-up, slot by slot when nodes come and go.
//
// A RUNNING row of a node that is gone ends LOST on the condition of its old token, so that a second recovery, or the
// old owner's late word, changes nothing. The finishes go out with the next flushes. A node that registered after the
// list of nodes was read cannot be taken for gone: it had no run when the rows were read before that.
#include "base/log.h"
#include "engine/core.h"
#include "engine/meters.h"
#include "engine/reasons.h"

enum { RECOVER_PLANS = 1000, RECOVER_RUNS = 500, RECOVER_ARENA_BUDGET = 64 * 1024 * 1024 };

static bool ours(const struct slots *s, struct ulid job_id) { return slots_has(s, slot_of(job_id)); }

static void plan_take(struct engine *e, const struct plan *p)
{
    struct err why = {0};
    bool stalled = p->schedule.kind == SCHEDULE_INTERVAL && p->schedule.anchor == ANCHOR_END;
    struct entry *entry = entries_find(&e->entries, p->job_id);
    if (entry) { // met before: read again in its own time, unless nothing is new
        if (entry->gone || entry->version != p->version || entry->next_fire.us != p->next_fire.us ||
            entry->node.list == AGENDA_NONE)
            ids_add(&e->todo.jobs, &p->job_id, 1);
        return;
    }
    if (instant_is_never(p->next_fire)) {
        if (stalled)
            ids_add(&e->todo.jobs, &p->job_id, 1); // looked at when its runs are known
        return;
    }
    entry = entries_add(&e->entries, p->job_id);
    if (!entry_load(&e->entries, entry, p, &why)) {
        LOG_WARN("plan cannot be read, the job does not fire", LOG_ID("job", p->job_id), LOG_ERROR_FIELD(&why));
        meter_bad_plan(1);
    }
    rezone_recovered(e, entry, p, engine_now(e).wall);
    plan_settle(e, entry);
}

bool recover_plans(struct engine *e, const struct slots *s, struct ulid *place, bool *ret_end, struct err *err)
{
    CLEANUP(arena_release) struct arena a;
    struct plan *plans;
    size_t n, bad;
    arena_init(&a, RECOVER_ARENA_BUDGET);
    if (!e->store->ops->plans_page(e->store, *place, RECOVER_PLANS, false, &plans, &n, &bad, &a, err))
        return err_wrap(err, "load plans");
    for (size_t i = 0; i < n; i++)
        if (ours(s, plans[i].job_id))
            plan_take(e, &plans[i]);
    if (bad > 0)
        LOG_ERROR("plans cannot be read, their jobs do not fire", LOG_INT("plans", (int64_t)bad));
    meter_bad_plan((int64_t)bad);
    *place = n > 0 ? plans[n - 1].job_id : *place;
    *ret_end = n < RECOVER_PLANS;
    return true;
}

// ---- unfinished runs ---------------------------------------------------------------------------

struct unfinished {
    struct run *runs;
    size_t n;
    struct node *nodes; // living and dead; read after the runs, so that the owner of each is among them if it lives
    size_t n_nodes;
    struct arena arena;
};

static void page_release(struct unfinished *p) { arena_release(&p->arena); }

// Of our slots; or claimed under our token and not known here: a commit that we took for lost came through, and the job
// is another node's meanwhile. Nobody else can tell that such a run never began.
static bool concerns_us(const struct engine *e, const struct slots *s, const struct run *r)
{
    return ours(s, r->job_id) ||
           (r->status == RUN_RUNNING && r->token == e->token && !tasks_find(&e->tasks, r->id));
}

// Plans of jobs with runs that are not held yet.
static bool page_plans(struct engine *e, const struct unfinished *p, const struct slots *s, struct err *err)
{
    struct ids missing = {0};
    for (size_t i = 0; i < p->n; i++)
        if (concerns_us(e, s, &p->runs[i]) && !entries_find(&e->entries, p->runs[i].job_id))
            ids_add(&missing, &p->runs[i].job_id, 1);
    bool ok = missing.n == 0 || poke_load_plans(e, missing.v, missing.n, err);
    for (size_t i = 0; i < missing.n && ok && e->share.clustered; i++)
        ids_add(&e->todo.jobs, &missing.v[i], 1); // settled when all is known
    ids_release(&missing);
    return ok;
}

static bool page_nodes(struct engine *e, struct unfinished *p, struct err *err)
{
    struct instant now;
    p->n_nodes = 0;
    if (!e->share.clustered)
        return true; // there is nobody else
    for (size_t i = 0; i < p->n; i++) {
        const struct task *t = tasks_find(&e->tasks, p->runs[i].id);
        if (p->runs[i].status == RUN_RUNNING && (!t || t->state == TASK_ELSEWHERE))
            return e->store->ops->nodes_list(e->store, &p->nodes, &p->n_nodes, &now, &p->arena, err);
    }
    return true;
}

static bool owner_lives(const struct unfinished *p, int64_t token)
{
    for (size_t i = 0; i < p->n_nodes; i++)
        if (p->nodes[i].token == token)
            return p->nodes[i].state != NODE_DEAD;
    return false;
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

static void run_take(struct engine *e, const struct unfinished *p, const struct run *r, size_t *lost, size_t *queued)
{
    struct task *t = tasks_find(&e->tasks, r->id);
    if (r->status == RUN_QUEUED) {
        *queued += !t;
        poke_take_run(e, r);
        return;
    }
    bool elsewhere = r->token != e->token && owner_lives(p, r->token);
    if (!t && elsewhere)
        task_new(&e->tasks, entries_find(&e->entries, r->job_id), r)->state = TASK_ELSEWHERE;
    if (elsewhere || (t && t->state != TASK_ELSEWHERE))
        return;
    if (t)
        task_free(&e->tasks, t);
    run_lost(e, r); // also under our own token: what we run is known here
    ++*lost;
}

bool recover_runs(struct engine *e, const struct slots *s, size_t *ret_lost, size_t *ret_queued, struct err *err)
{
    struct unfinished p CLEANUP(page_release) = {.n = RECOVER_RUNS};
    struct ulid after = ULID_ZERO;
    size_t lost = 0, queued = 0;
    arena_init(&p.arena, RECOVER_ARENA_BUDGET);
    while (p.n == RECOVER_RUNS) {
        arena_reset(&p.arena);
        if (!e->store->ops->runs_unfinished(e->store, after, RECOVER_RUNS, &p.runs, &p.n, &p.arena, err) ||
            !page_plans(e, &p, s, err) || !page_nodes(e, &p, err))
            return err_wrap(err, "load unfinished runs");
        for (size_t i = 0; i < p.n; i++)
            if (concerns_us(e, s, &p.runs[i]))
                run_take(e, &p, &p.runs[i], &lost, &queued);
        after = p.n > 0 ? p.runs[p.n - 1].id : after;
    }
    *ret_lost = lost;
    *ret_queued = queued;
    return true;
}

bool engine_recover(struct engine *e, struct err *err)
{
    size_t lost = 0, queued = 0;
    struct ulid place = ULID_ZERO;
    bool end = false;
    share_apply(e);
    struct slots all = e->entries.slots;
    while (!end)
        if (!recover_plans(e, &all, &place, &end, err))
            return false;
    if (!recover_runs(e, &all, &lost, &queued, err))
        return false;
    e->share.walks = e->share.sweep_runs = e->share.blocked = false;
    LOG_INFO("engine recovered", LOG_INT("plans", e->entries.by_id.n), LOG_INT("queued", queued),
             LOG_INT("lost", lost));
    return true;
}
