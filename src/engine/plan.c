// SPDX-License-Identifier: Apache-2.0
// Due plans → fires. What happens to an occurrence is decided by sched/misfire (is it on time?) and by the
// concurrency rule (may it start now?); this file turns the two answers into rows.
#include "base/log.h"
#include "engine/core.h"
#include "engine/reasons.h"

enum { POSTPONE_S = 1 };

void plan_settle(struct engine *e, struct entry *p)
{
    struct instant wake = entry_wake(p);
    if (!instant_is_never(wake)) {
        struct ulid key = run_key_of(p->job_id, p->next_fire);
        p->node.order = node_order(run_id_of(p->job_id, p->next_fire, key, 1));
        agenda_put(&e->agenda, &p->node, AGENDA_DUE, wake.us);
        return;
    }
    agenda_drop(&e->agenda, &p->node);
    if (p->tasks)
        return;
    struct moment now = engine_now(e);
    if (entry_stalled(p) && !instant_is_never(schedule_next_after_end(p->rule->schedule, now.wall)))
        agenda_put(&e->agenda, &p->node, AGENDA_READY, urgency(now.mono, p->priority, false));
    else
        entries_remove(&e->entries, p);
}

static struct run run_of_occurrence(const struct engine *e, const struct entry *p, struct instant scheduled)
{
    struct ulid key = run_key_of(p->job_id, scheduled);
    return (struct run){
        .id = run_id_of(p->job_id, scheduled, key, 1),
        .job_id = p->job_id,
        .job_version = p->version,
        .scheduled = scheduled,
        .first_scheduled = scheduled,
        .occurrences = 1,
        .due = schedule_due(p->rule->schedule, schedule_seed(p->job_id), scheduled),
        .start = INSTANT_NEVER,
        .end = INSTANT_NEVER,
        .attempt = 1,
        .trigger = TRIGGER_SCHEDULE,
        .priority = p->priority,
        .exit_code = FIELD_ABSENT,
        .worker = e->node_name,
        .run_key = key,
    };
}

static void start_now(struct engine *e, struct entry *p, struct run *r, bool late, struct moment now)
{
    r->status = RUN_RUNNING;
    r->token = e->token;
    r->start = now.wall;
    struct task *t = task_new(&e->tasks, p, r);
    task_reserve(e, t, late);
    (void)batch_fire_run(&e->batch, r, t);
}

static void skip_overlapping(struct engine *e, struct run *r, const struct task *in_way, struct moment now)
{
    r->status = RUN_SKIPPED;
    r->end = now.wall;
    r->error_class = REASON_OVERLAP;
    r->error_message = reason_overlap(in_way->id, &e->batch.arena);
    r->blocked_by = in_way->id;
    (void)batch_fire_run(&e->batch, r, NULL);
}

// The occurrence was decided before (the schedule was edited forth and back): its identity is taken for ever.
// Known runs are seen here; for others the store says so once, and is asked one by one after that.
static bool run_exists(struct engine *e, const struct entry *p, struct ulid id)
{
    if (tasks_find(&e->tasks, id))
        return true;
    struct run found;
    struct err err = {0};
    return p->repeats && e->store->ops->run_get(e->store, id, &found, &e->batch.arena, &err);
}

// One occurrence that is to run. Catch-up runs are written QUEUED, so that they are paced, survive a restart and
// never pile up against the concurrency rule.
static void plan_start(struct engine *e, struct entry *p, struct instant scheduled, bool catch_up, bool late,
                       struct moment now)
{
    struct run r = run_of_occurrence(e, p, scheduled);
    const struct task *in_way = NULL;
    if (run_exists(e, p, r.id))
        return;
    if (catch_up)
        r.trigger = TRIGGER_CATCH_UP;
    enum overlap rule = overlap_rule(p, catch_up, &in_way);
    if (rule == OVERLAP_SKIP)
        skip_overlapping(e, &r, in_way, now);
    else if (rule == OVERLAP_START && !catch_up && engine_has_room(e))
        start_now(e, p, &r, late, now);
    else
        (void)batch_fire_run(&e->batch, &r, NULL); // QUEUED
}

// One row for all occurrences that were passed over.
static void plan_drop(struct engine *e, struct entry *p, const struct misfire_decision *d, struct moment now)
{
    struct run r = run_of_occurrence(e, p, d->dropped_last);
    if (run_exists(e, p, r.id))
        return;
    bool coalesced = d->fate == FATE_COALESCED;
    r.first_scheduled = d->dropped_first;
    r.occurrences = d->dropped_n;
    r.end = now.wall;
    r.status = coalesced ? RUN_SKIPPED : RUN_MISSED;
    r.error_class = coalesced ? REASON_COALESCED : REASON_MISFIRED;
    r.error_message = coalesced ? MESSAGE_COALESCED : MESSAGE_MISFIRED;
    (void)batch_fire_run(&e->batch, &r, NULL);
}

// With anchor END somebody has to set the next fire: the end of a run of this fire, or else the fire itself.
static bool fire_ends_later(const struct fire *f)
{
    for (size_t i = 0; i < f->n_runs; i++)
        if (!run_status_final(f->runs[i].status))
            return true;
    return false;
}

static void plan_postpone(struct engine *e, struct entry *p, struct moment now, const struct err *err)
{
    LOG_WARN("plan cannot be decided now, trying again", LOG_ID("job", p->job_id), LOG_ERROR_FIELD(err));
    agenda_put(&e->agenda, &p->node, AGENDA_DUE, instant_add(now.wall, duration_s(POSTPONE_S)).us);
}

static bool plan_fire(struct engine *e, struct entry *p, size_t runs_max, struct instant new_next,
                      struct moment now, struct fire **ret)
{
    struct fire *f = batch_fire(&e->batch, p, runs_max);
    if (!f) {
        struct err err = {0};
        ERR(&err, ERR_FULL, "batch of the engine is full");
        plan_postpone(e, p, now, &err);
        return false;
    }
    f->new_next = new_next;
    *ret = f;
    return true;
}

// Rows in order of time, as the chain of the job's runs wants them.
static void plan_rows(struct engine *e, struct entry *p, const struct misfire_decision *d, bool late,
                      struct moment now)
{
    bool drop = d->dropped_n > 0 && p->rule->misfire_policy != MISFIRE_IGNORE;
    for (size_t i = 0; i < d->run_n; i++) {
        if (drop && d->run[i].us > d->dropped_last.us) {
            plan_drop(e, p, d, now);
            drop = false;
        }
        bool misfired = i < d->catch_up_n;
        plan_start(e, p, d->run[i], misfired && p->rule->misfire_policy == MISFIRE_FIRE_ALL, late, now);
    }
    if (drop)
        plan_drop(e, p, d, now);
}

void plan_decide(struct engine *e, struct entry *p, bool late, struct moment now)
{
    struct fire *f;
    if (entry_stalled(p)) {
        (void)plan_fire(e, p, 0, schedule_next_after_end(p->rule->schedule, now.wall), now, &f);
        return;
    }
    struct misfire_decision d;
    struct err err = {0};
    if (!rule_decide(p->rule, p->phase, schedule_seed(p->job_id), p->next_fire, now.wall, &d, &e->batch.arena, &err)) {
        plan_postpone(e, p, now, &err);
        return;
    }
    if (d.run_n == 0 && d.dropped_n == 0) { // the clock was set back meanwhile
        plan_settle(e, p);
        return;
    }
    if (!plan_fire(e, p, d.run_n + 1, d.next, now, &f))
        return;
    plan_rows(e, p, &d, late, now);
    p->repeats = false;
    if (rule_waits_for_end(p->rule) && instant_is_never(d.next) && !fire_ends_later(f))
        f->new_next = schedule_next_after_end(p->rule->schedule, now.wall);
    notice_of_fire(e, f);
}
