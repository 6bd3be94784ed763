// SPDX-License-Identifier: Apache-2.0
// Ended runs → finishes: what the result means, whether the occurrence is tried again, or becomes a dead letter.
#include "engine/chain.h"
#include "engine/closing.h"
#include "engine/core.h"
#include "engine/meters.h"
#include "engine/reasons.h"
#include "base/log.h"

void finish_take(struct engine *e, struct task *t, struct moment now)
{
    agenda_drop(&e->agenda, &t->node);
    task_unreserve(e, t);
    if (t->attempt_ref && !instant_is_never(t->attempt_ref->started))
        meter_start_delay(instant_since(t->attempt_ref->started, t->due));
    if (t->state == TASK_STRAY) {
        task_forget(e, t);
        return;
    }
    bool known = t->given_up; // its end waits in the queue already; the executor's word is better
    t->given_up = false;
    t->state = TASK_ENDED;
    t->end = now.wall;
    if (t->attempt_ref) {
        t->end = t->done_at;
        t->result = t->attempt_ref->result;
    }
    if (!known)
        task_queue_push(&e->ended, t);
    overlap_release(e, t->entry);
}

static void finish_row(struct engine *e, struct task *t, struct run *r)
{
    *r = (struct run){
        .id = t->id,
        .job_id = t->entry->job_id,
        .job_version = t->job_version,
        .scheduled = t->scheduled,
        .start = t->start,
        .end = t->end,
        .attempt = t->attempt,
        .status = t->result.status,
        .token = t->token,
        .exit_code = t->result.exit_code,
        .error_class = t->result.error_class,
        .error_message = t->result.error_message,
        .run_key = t->run_key,
        .blocked_by = t->in_way,
    };
    if (r->error_message.n > RUN_ERROR_MESSAGE_MAX)
        r->error_message.n = str_utf8_cut(r->error_message, RUN_ERROR_MESSAGE_MAX);
    if (t->result.status == RUN_SKIPPED && !ulid_is_zero(t->in_way))
        r->error_message = reason_overlap(t->in_way, &e->ends.batch->arena);
    if (!t->attempt_ref || t->given_up)
        return;
    if (!instant_is_never(t->attempt_ref->started))
        r->start = t->attempt_ref->started; // the row carries the claim's instant until now
    if (t->load == LOAD_DONE)
        r->job_version = t->definition_version;
}

static struct run *retry_row(struct engine *e, const struct task *t, struct instant due)
{
    struct run *r = arena_new(&e->ends.batch->arena, struct run);
    if (!r)
        return NULL;
    *r = (struct run){
        .id = run_id_of(t->entry->job_id, t->scheduled, t->run_key, t->attempt + 1),
        .job_id = t->entry->job_id,
        .job_version = t->job_version,
        .scheduled = t->scheduled,
        .first_scheduled = t->scheduled,
        .occurrences = 1,
        .due = due,
        .start = INSTANT_NEVER,
        .end = INSTANT_NEVER,
        .attempt = t->attempt + 1,
        .lost_count = t->lost_count + (t->result.status == RUN_LOST),
        .status = RUN_QUEUED,
        .trigger = TRIGGER_RETRY,
        .priority = t->priority,
        .exit_code = FIELD_ABSENT,
        .inputs = t->inputs,
        .run_key = t->run_key,
    };
    return r;
}

static struct dead_letter *dead_letter_row(struct engine *e, const struct task *t, const struct closing *c)
{
    // A constant key: every node must derive the same identifier, so that one occurrence has one dead letter.
    static const uint8_t salt[16] = "chronos dead let";
    struct dead_letter *d = arena_new(&e->ends.batch->arena, struct dead_letter);
    if (!d)
        return NULL;
    *d = (struct dead_letter){
        .id = ulid_derive(t->scheduled, salt, &t->run_key, sizeof t->run_key),
        .job_id = t->entry->job_id,
        .job_name = c->job_name,
        .last_run_id = t->id,
        .run_key = t->run_key,
        .scheduled = t->scheduled,
        .reason = c->reason,
        .error_class = t->result.error_class,
        .attempts = t->attempt,
        .job_version = c->version,
        .definition = c->definition,
        .inputs = t->inputs,
        .created_at = t->end,
        .resolved_at = INSTANT_NEVER,
    };
    return d;
}

// Anchor END: the end of the last attempt sets the plan's next fire, whatever the end was.
static struct instant next_after_end(const struct task *t)
{
    const struct entry *p = t->entry;
    bool waits = p->follows && !p->gone && instant_is_never(p->next_fire) && rule_waits_for_end(p->rule);
    return waits ? schedule_next_after_end(p->rule->schedule, t->end) : INSTANT_NEVER;
}

// False when what is needed for it cannot be read now; the run stays ended.
static bool finish_build(struct engine *e, struct task *t)
{
    struct closing c;
    struct err err = {0};
    if (!closing_decide(e, t, &c, &err)) {
        store_failed(e, "read the definition of an ended run's job", &err);
        return false;
    }
    struct run *retry = NULL;
    struct dead_letter *dead = NULL;
    bool full = c.then == CLOSE_RETRY ? !(retry = retry_row(e, t, c.retry_due))
                                      : c.then == CLOSE_DEAD && !(dead = dead_letter_row(e, t, &c));
    struct run row, *starts = NULL;
    size_t n_starts = 0;
    finish_row(e, t, &row);
    full = full || !chain_make(e, t, &row, &c, &starts, &n_starts);
    struct finish *f = full ? NULL : batch_finish(e->ends.batch, t);
    if (!f)
        return false;
    *f->run = row;
    f->starts = starts;
    f->n_starts = n_starts;
    e->ends.batch->starts += n_starts;
    f->retry = retry;
    f->dead = dead;
    if (!retry)
        f->plan_next = next_after_end(t);
    share_tell(e, f, t->entry);
    notice_of_finish(e, f, t->entry, &c);
    return true;
}

void finish_fill(struct engine *e)
{
    struct task_queue later = task_queue_of(QUEUE_ENDED);
    int64_t logs_sent = e->logs_sent + (int64_t)e->ends.batch->flush.n_logs;
    struct task *t;
    while (batch_open_finishes(e->ends.batch) && (t = task_queue_pop(&e->ended)) != NULL) {
        // The log of a run is complete before its end can be seen.
        if (t->log_mark <= logs_sent && finish_build(e, t))
            continue;
        task_queue_push(&later, t);
        if (store_resting(e, clock_mono(e->clock)))
            break;
    }
    task_queue_join(&later, &e->ended);
    e->ended = later;
}

static void retry_take(struct engine *e, struct entry *p, const struct run *retry, struct moment now)
{
    meter_retry();
    engine_report_run(e, retry->id, retry->job_id, RUN_QUEUED);
    if (p->foreign || tasks_find(&e->tasks, retry->id))
        return; // another node was told, or a poke was faster
    e->queued++;
    task_enqueue(e, task_new(&e->tasks, p, retry), now);
}

void finish_act(struct engine *e, struct finish *f, struct task *t, struct moment now)
{
    struct entry *p = t->entry;
    if (f->ret_recorded) {
        meter_run_ended(p->type, f->run->status);
        if (t->attempt_ref && !instant_is_never(f->run->start))
            meter_run_took(p->type, instant_since(f->run->end, f->run->start));
        engine_report_run(e, t->id, p->job_id, f->run->status);
        if (f->retry)
            retry_take(e, p, f->retry, now);
        if (f->dead)
            meter_dead_letter();
        chain_act(e, f, now);
        if (!instant_is_never(f->plan_next) && instant_is_never(p->next_fire))
            p->next_fire = f->plan_next;
    } else if (t->token != 0) {
        p->outcome = OUTCOME_UNKNOWN;
        meter_stale_finish();
        LOG_WARN("result of a run that is not ours any more, dropped", LOG_ID("run", t->id),
                 LOG_ID("job", p->job_id));
    }
    if (t->given_up) {
        t->state = TASK_STRAY; // freed when the executor lets go
        plan_settle(e, p);
    } else {
        task_forget(e, t);
    }
}
