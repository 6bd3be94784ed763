// SPDX-License-Identifier: Apache-2.0
// Queued runs → claims, and the concurrency rule, which is one for every kind of start.
//
// In the way of a start is what runs, or is about to by the batch under construction. A run whose result is known is
// out of the way although its row says RUNNING still: the result is recorded in the same transaction.
// Catch-up runs are patient: they wait their turn whatever the policy says, since each of them is to run.
#include "engine/core.h"
#include "engine/reasons.h"

enum { POSTPONE_S = 1 };

enum overlap overlap_rule(const struct entry *p, bool patient, const struct task **ret_in_way)
{
    if (p->concurrency == CONCURRENCY_ALLOW)
        return OVERLAP_START;
    const struct task *t = p->tasks;
    while (t && !task_in_way(t))
        t = t->next;
    if (!t)
        return OVERLAP_START;
    if (ret_in_way)
        *ret_in_way = t;
    return patient || p->concurrency != CONCURRENCY_FORBID ? OVERLAP_WAIT : OVERLAP_SKIP;
}

static bool task_patient(const struct task *t)
{
    return t->trigger == TRIGGER_CATCH_UP;
}

void task_enqueue(struct engine *e, struct task *t, struct moment now)
{
    must(t->state == TASK_QUEUED);
    bool late = task_patient(t);
    if (t->due.us > now.wall.us)
        agenda_put(&e->agenda, &t->node, AGENDA_DUE, t->due.us);
    else
        agenda_put(&e->agenda, &t->node, late ? AGENDA_LATE : AGENDA_READY, urgency(now.mono, t->priority, late));
}

void task_postpone(struct engine *e, struct task *t, struct moment now)
{
    must(t->state == TASK_QUEUED);
    t->due = instant_add(now.wall, duration_s(POSTPONE_S));
    agenda_put(&e->agenda, &t->node, AGENDA_DUE, t->due.us);
}

void task_reserve(struct engine *e, struct task *t, bool late)
{
    t->state = TASK_CLAIMING;
    t->late = late;
    e->in_flight++;
    e->late_in_flight += late;
}

void task_unreserve(struct engine *e, struct task *t)
{
    e->in_flight--;
    e->late_in_flight -= t->late;
    t->late = false;
}

void task_end_unstarted(struct engine *e, struct task *t, int status, struct str error_class, struct str message)
{
    must(task_waits(t));
    agenda_drop(&e->agenda, &t->node);
    e->queued--;
    t->state = TASK_ENDED;
    t->end = engine_now(e).wall;
    t->result = (struct attempt_result){
        .status = status, .error_class = error_class, .error_message = message, .exit_code = FIELD_ABSENT};
    task_queue_push(&e->ended, t);
}

// QUEUE and REPLACE keep at most one waiting: the newest occurrence.
static void overlap_supersede(struct engine *e, struct task *t)
{
    for (struct task *o = t->entry->tasks; o; o = o->next) {
        if (o == t || o->state != TASK_BLOCKED || task_patient(o))
            continue;
        bool newer = t->scheduled.us != o->scheduled.us ? t->scheduled.us > o->scheduled.us : t->attempt > o->attempt;
        task_end_unstarted(e, newer ? o : t, RUN_SKIPPED, REASON_COALESCED, MESSAGE_COALESCED);
        return; // there was one at most
    }
}

static void task_block(struct engine *e, struct task *t)
{
    t->state = TASK_BLOCKED;
    if (task_patient(t))
        return;
    overlap_supersede(e, t);
    if (t->entry->concurrency != CONCURRENCY_REPLACE)
        return;
    for (struct task *o = t->entry->tasks; o; o = o->next)
        if (o->state == TASK_RUNNING)
            dispatch_cancel(e, o, CANCEL_BY_REPLACE);
        else if (o->state == TASK_ELSEWHERE)
            ids_add(&e->asks, &o->id, 1);
}

void overlap_release(struct engine *e, struct entry *p)
{
    struct task *next = NULL;
    for (struct task *t = p->tasks; t; t = t->next) {
        if (task_in_way(t) && p->concurrency != CONCURRENCY_ALLOW)
            return;
        if (t->state != TASK_BLOCKED)
            continue;
        bool first = !next || task_patient(next) > task_patient(t) ||
                     (task_patient(next) == task_patient(t) && t->scheduled.us < next->scheduled.us);
        if (first)
            next = t;
    }
    if (!next)
        return;
    next->state = TASK_QUEUED;
    task_enqueue(e, next, engine_now(e));
}

void task_forget(struct engine *e, struct task *t)
{
    struct entry *p = t->entry;
    agenda_drop(&e->agenda, &t->node);
    e->queued -= task_waits(t);
    task_free(&e->tasks, t);
    overlap_release(e, p);
    plan_settle(e, p);
}

static void claim_add(struct engine *e, struct task *t, struct moment now)
{
    struct claim *c = batch_claim(&e->batch, t);
    if (!c) { // the batch is full: soon again
        task_postpone(e, t, now);
        return;
    }
    e->queued--;
    task_reserve(e, t, task_patient(t));
    t->start = now.wall;
    *c->run = (struct run){.id = t->id, .job_id = t->entry->job_id, .start = now.wall, .worker = e->node_name,
                           .token = e->token, .attempt = t->attempt, .status = RUN_RUNNING};
    notice_of_claim(e, c);
}

void claim_decide(struct engine *e, struct task *t, struct moment now)
{
    const struct task *in_way = NULL;
    if (t->entry->gone) {
        task_end_unstarted(e, t, RUN_CANCELLED, REASON_JOB_DELETED, MESSAGE_JOB_DELETED);
        return;
    }
    switch (overlap_rule(t->entry, task_patient(t), &in_way)) {
    case OVERLAP_START: claim_add(e, t, now); break;
    case OVERLAP_WAIT: task_block(e, t); break;
    case OVERLAP_SKIP:
        t->in_way = in_way->id;
        task_end_unstarted(e, t, RUN_SKIPPED, REASON_OVERLAP, STR_NONE);
        break;
    }
}
