// SPDX-License-Identifier: Apache-2.0
// Won runs → executor, in one hand-over per flush; their deadlines; asking them to end.
#include "base/log.h"
#include "engine/core.h"
#include "engine/meters.h"
#include "engine/reasons.h"

enum { GIVE_UP_AFTER_S = 30 }; // beyond the timeout: SIGTERM, grace and SIGKILL take 5 s

static void attempt_fill(struct engine *e, struct task *t)
{
    struct attempt *a = t->attempt_ref;
    a->run_id = t->id;
    a->job_id = t->entry->job_id;
    a->run_key = t->run_key;
    a->number = t->attempt;
    a->token = t->token;
    a->scheduled = t->scheduled;
    a->trigger = t->trigger;
    a->inputs = t->inputs;
    a->timeout = t->entry->timeout;
    a->sink = &e->sink.base;
    a->clock = e->clock;
    a->started = INSTANT_NEVER;
    a->result.exit_code = FIELD_ABSENT;
}

void dispatch_add(struct engine *e, struct task *t, struct moment now)
{
    must(t->state == TASK_CLAIMING);
    t->state = TASK_RUNNING;
    t->token = e->token;
    if (t->cancel_why < 0 && share_lease_endangered(e, now.mono)) // the answer came late: others may have the run
        t->cancel_why = CANCEL_BY_LEASE;
    if (t->cancel_why >= 0) { // asked for while the store was deciding
        t->result = (struct attempt_result){.status = RUN_CANCELLED, .error_class = REASON_CANCELLED,
                                            .error_message = MESSAGE_CANCELLED, .exit_code = FIELD_ABSENT};
        finish_take(e, t, now);
        return;
    }
    task_attempt_take(&e->tasks, t);
    attempt_fill(e, t);
    agenda_put(&e->agenda, &t->node, AGENDA_DEADLINES, mono_add(now.mono, t->entry->timeout).us);
    must(e->n_starting < (size_t)e->config.running_max);
    e->starting[e->n_starting++] = t->attempt_ref;
}

void dispatch_go(struct engine *e)
{
    size_t n = e->n_starting;
    e->n_starting = 0;
    if (n > 0)
        e->executor->start(e->executor, e->starting, n);
}

void dispatch_cancel(struct engine *e, struct task *t, enum cancel_why why)
{
    if (t->cancel_why >= 0)
        return; // asked already; the first reason counts
    t->cancel_why = (int)why;
    if (t->state == TASK_RUNNING)
        e->executor->cancel(e->executor, t->id, why);
}

// Nothing waits for ever: a run whose executor is stuck ends here. The executor's place stays taken until it lets
// go, and its late word is thrown away.
static void give_up(struct engine *e, struct task *t, struct moment now)
{
    LOG_ERROR("attempt did not end after its timeout, giving it up", LOG_ID("run", t->id),
              LOG_ID("job", t->entry->job_id), LOG_DUR("timeout", t->entry->timeout));
    meter_given_up();
    t->given_up = true;
    t->state = TASK_ENDED;
    t->end = now.wall;
    t->result = (struct attempt_result){.status = RUN_TIMED_OUT, .error_class = REASON_TIMEOUT,
                                        .error_message = MESSAGE_GIVEN_UP, .exit_code = FIELD_ABSENT};
    task_queue_push(&e->ended, t);
    overlap_release(e, t->entry);
}

void deadlines_check(struct engine *e, struct mono now)
{
    struct agenda_node *n;
    while ((n = agenda_top(&e->agenda, AGENDA_DEADLINES)) != NULL && n->key <= now.us) {
        struct task *t = (struct task *)n;
        agenda_drop(&e->agenda, n);
        if (t->timed_out) {
            give_up(e, t, engine_now(e));
            continue;
        }
        t->timed_out = true;
        agenda_put(&e->agenda, n, AGENDA_DEADLINES, mono_add(now, duration_s(GIVE_UP_AFTER_S)).us);
        // Also when its end was asked for before and did not come.
        t->cancel_why = t->cancel_why < 0 ? CANCEL_BY_TIMEOUT : t->cancel_why;
        e->executor->cancel(e->executor, t->id, (enum cancel_why)t->cancel_why);
    }
}
