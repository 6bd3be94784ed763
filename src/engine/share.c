// SPDX-License-Identifier: Apache-2.0
// Which jobs are ours, and until when.
//
// A new share is taken in between two flushes: what stands in slots that are not in it any more is forgotten (runs of
// ours go on, and their ends are told to whom the job belongs now); slots that are new are loaded from the store, runs
// first, so that nothing is started while something is in its way that was not known yet. The lease is judged by the
// monotonic clock from the moment its renewal was sent; besides, the store checks it with every flush that starts
// something, because a process may have been stopped between here and there.
#include "engine/share.h"

#include "base/log.h"
#include "engine/core.h"

enum { LEASE_MARGIN_S = 5, LEASE_PARTS = 6 }; // attempts are stopped so long before the lease ends, or a part of it

void engine_take_share(struct engine *e, const struct engine_share *s)
{
    {
        WITH_LOCK(&e->inbox.lock);
        e->inbox.share.share = *s;
        e->inbox.share.lease_until = s->lease_until;
        e->inbox.share.given = true;
    }
    waker_wake(&e->inbox.waker);
}

int64_t engine_share_taken(struct engine *e)
{
    WITH_LOCK(&e->inbox.lock);
    return e->inbox.share.taken;
}

void engine_lease(struct engine *e, struct mono until)
{
    {
        WITH_LOCK(&e->inbox.lock);
        e->inbox.share.lease_until = until;
    }
    waker_wake(&e->inbox.waker);
}

void engine_sweep(struct engine *e, bool plans)
{
    {
        WITH_LOCK(&e->inbox.lock);
        e->inbox.share.sweep = true;
        e->inbox.share.sweep_plans = e->inbox.share.sweep_plans || plans;
    }
    waker_wake(&e->inbox.waker);
}

// ---- letting go --------------------------------------------------------------------------------

static void drop_tasks(struct engine *e, struct entry *p)
{
    for (struct task *t = p->tasks, *next; t; t = next) {
        next = t->next;
        if (!task_waits(t) && t->state != TASK_ELSEWHERE)
            continue;
        agenda_drop(&e->agenda, &t->node);
        e->queued -= task_waits(t);
        task_free(&e->tasks, t);
    }
}

static void drop_entry(struct engine *e, struct entry *p)
{
    p->foreign = true;
    p->moves = false;
    drop_tasks(e, p);
    plan_settle(e, p);
}

// Every entry is looked at: some hundred ns each, when nodes come and go.
static void drop_slots(struct engine *e, const struct slots *keep)
{
    struct slab_place place = slab_first(&e->entries.slab);
    struct entry *p;
    while ((p = slab_walk(&e->entries.slab, &place)) != NULL)
        if (entry_held(p) && !p->foreign && !slots_has(keep, slot_of(p->job_id)))
            drop_entry(e, p);
}

// ---- taking over -------------------------------------------------------------------------------

// Entries held because of runs under way belong to us again; their plans are read anew.
static void adopt_entries(struct engine *e, const struct slots *gained)
{
    void *v = NULL;
    for (size_t i = 0; (i = map_next(&e->entries.by_id, i, &v)) != 0;) {
        struct entry *p = v;
        if (!p->foreign || !slots_has(gained, slot_of(p->job_id)))
            continue;
        p->foreign = false;
        ids_add(&e->todo.jobs, &p->job_id, 1);
    }
}

static bool slots_empty(const struct slots *s) { return slots_count(s) == 0; }

static void take_slots(struct engine *e, const struct slots *wanted)
{
    struct slots gained = {{0}}, *own = &e->entries.slots;
    bool lost = false;
    for (unsigned i = 0; i < SLOTS; i++) {
        lost = lost || (slots_has(own, i) && !slots_has(wanted, i));
        if (slots_has(wanted, i) && !slots_has(own, i))
            slots_add(&gained, i);
    }
    *own = *wanted;
    for (size_t i = 0; i < SLOTS / 64; i++)
        e->share.loading.bits[i] = (e->share.loading.bits[i] & wanted->bits[i]) | gained.bits[i];
    if (lost)
        drop_slots(e, wanted);
    if (slots_empty(&gained))
        return;
    adopt_entries(e, &gained);
    e->share.sweep_runs = e->share.blocked = true;
    e->share.walks = true; // from the start: slots that were being loaded may be in front of it
    e->share.place = ULID_ZERO;
}

static void take_lease(struct engine *e, struct mono until)
{
    struct share *s = &e->share;
    if (until.us > s->lease_until.us) {
        int64_t part = mono_since(until, clock_mono(e->clock)).us / LEASE_PARTS;
        s->margin = part < duration_s(LEASE_MARGIN_S).us ? (struct duration){part} : duration_s(LEASE_MARGIN_S);
        s->stopped = false;
    }
    s->lease_until = until;
}

static void take_order(struct engine *e, const struct share_order *o)
{
    struct share *s = &e->share;
    if (o->given) {
        s->clustered = true;
        s->fenced = s->fenced && o->share.token == e->token;
        e->token = o->share.token;
        take_slots(e, &o->share.slots);
    }
    take_lease(e, o->lease_until);
    s->sweep_runs = s->sweep_runs || o->sweep;
    if (o->sweep_plans && !s->walks) {
        s->walks = true;
        s->loading = e->entries.slots;
        s->place = ULID_ZERO;
    }
}

void share_apply(struct engine *e)
{
    struct share_order o;
    {
        WITH_LOCK(&e->inbox.lock);
        o = e->inbox.share;
        e->share.waits = o.given && (e->batch_state != BATCH_IDLE || !ends_idle(e));
        if (e->share.waits)
            return; // what is in the air was decided for the slots of before
        e->inbox.share.given = e->inbox.share.sweep = e->inbox.share.sweep_plans = false;
    }
    take_order(e, &o);
    WITH_LOCK(&e->inbox.lock);
    if (o.given)
        e->inbox.share.taken = o.share.generation;
}

// Runs elsewhere may have ended without a word that reached us.
static void ask_after_others(struct engine *e)
{
    void *v = NULL;
    for (size_t i = 0; (i = map_next(&e->tasks.by_id, i, &v)) != 0;) {
        const struct task *t = v;
        if (t->state == TASK_ELSEWHERE)
            ids_add(&e->todo.runs, &t->id, 1);
    }
}

bool share_step(struct engine *e)
{
    struct share *s = &e->share;
    struct err err = {0};
    size_t lost = 0, queued = 0;
    bool end = false;
    if ((!s->sweep_runs && !s->walks) || e->batch_state != BATCH_IDLE || store_resting(e, clock_mono(e->clock)))
        return false;
    if (s->sweep_runs) {
        if (!recover_runs(e, &e->entries.slots, &lost, &queued, &err)) {
            store_failed(e, "look at unfinished runs", &err);
            return false;
        }
        ask_after_others(e);
        s->sweep_runs = s->blocked = false;
        if (lost > 0)
            LOG_WARN("runs of nodes that are gone are started again", LOG_INT("runs", (int64_t)lost));
        return true;
    }
    if (!recover_plans(e, &s->loading, &s->place, &end, &err)) {
        store_failed(e, "load plans", &err);
        return false;
    }
    s->walks = !end;
    if (end)
        s->loading = (struct slots){{0}};
    return true;
}

// ---- the lease ---------------------------------------------------------------------------------

void share_fenced(struct engine *e)
{
    if (!e->share.fenced)
        LOG_WARN("the store says that the lease of this node has ended: nothing is started until it is renewed");
    e->share.fenced = true;
}

bool share_lease_endangered(const struct engine *e, struct mono now)
{
    return e->share.clustered &&
           (e->share.fenced || now.us >= e->share.lease_until.us - e->share.margin.us);
}

// In the margin, too, nothing is started any more: the runs have been stopped, and nobody would stop another one.
bool share_may_decide(const struct engine *e, struct mono now)
{
    return !e->share.blocked && !share_lease_endangered(e, now);
}

void share_watch_lease(struct engine *e, struct mono now)
{
    void *v = NULL;
    if (e->share.stopped || !share_lease_endangered(e, now))
        return;
    e->share.stopped = true;
    for (size_t i = 0; (i = map_next(&e->tasks.by_id, i, &v)) != 0;)
        if (((struct task *)v)->state == TASK_RUNNING)
            dispatch_cancel(e, v, CANCEL_BY_LEASE);
    if (e->in_flight > 0)
        LOG_WARN("the lease ends without renewal: runs are stopped", LOG_INT("running", e->in_flight));
}

struct mono share_deadline(const struct engine *e)
{
    bool due = e->share.clustered && !e->share.stopped && e->in_flight > 0;
    return (struct mono){due ? e->share.lease_until.us - e->share.margin.us : INT64_MAX};
}

void share_tell(struct engine *e, const struct finish *f, const struct entry *p)
{
    for (size_t i = 0; e->share.clustered && i < f->n_starts; i++)
        batch_change(e->ends.batch, CHANGE_RUN, f->starts[i].id); // by whoever its job belongs to then
    if (!p->foreign)
        return;
    batch_change(e->ends.batch, CHANGE_RUN, f->run->id);
    if (f->retry)
        batch_change(e->ends.batch, CHANGE_RUN, f->retry->id);
    if (!instant_is_never(f->plan_next))
        batch_change(e->ends.batch, CHANGE_JOB, p->job_id);
}
