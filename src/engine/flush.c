// SPDX-License-Identifier: Apache-2.0
// One transaction per tick: fill the batch, hand it to the store, act on who won.
//
// Batching is natural: the next flush starts when the last one returned, so it holds what came together meanwhile.
// Nothing is acted upon before the store has said yes, and nothing is forgotten before that either.
#include "base/log.h"
#include "engine/core.h"
#include "engine/meters.h"

// The most urgent of what is due; late work only within its share of the room.
static struct agenda_node *take_most_urgent(struct engine *e, bool *ret_late)
{
    struct agenda_node *ready = agenda_top(&e->agenda, AGENDA_READY);
    struct agenda_node *late = engine_has_late_room(e) ? agenda_top(&e->agenda, AGENDA_LATE) : NULL;
    struct agenda_node *n = !ready || (late && late->key < ready->key) ? late : ready;
    if (!n)
        return NULL;
    *ret_late = n == late;
    agenda_drop(&e->agenda, n);
    return n;
}

static void fill(struct engine *e)
{
    struct moment now = engine_now(e);
    struct agenda_node *n;
    bool late;
    if (!ends_apart(e))
        batch_logs(&e->batch, inbox_logs(&e->inbox));
    bool decides = !e->draining && share_may_decide(e, now.mono);
    if (decides)
        while (batch_open(&e->batch) && engine_has_room(e) && (n = take_most_urgent(e, &late)) != NULL) {
            if (n->kind == NODE_ENTRY && e->holding)
                agenda_put(&e->agenda, n, AGENDA_HELD, ((struct entry *)n)->next_fire.us);
            else if (n->kind == NODE_ENTRY)
                plan_decide(e, (struct entry *)n, late, now);
            else
                claim_decide(e, (struct task *)n, now);
        }
    if (decides)
        rezone_fill(e, now);
    if (!ends_apart(e))
        finish_fill(e); // last: claims that were refused above end in the same flush
    if (e->share.clustered && e->batch.flush.n_fires + e->batch.flush.n_claims > 0)
        e->batch.flush.node_token = e->token;
}

static void task_discard(struct engine *e, struct task *t)
{
    struct entry *p = t->entry;
    task_unreserve(e, t);
    task_free(&e->tasks, t);
    overlap_release(e, p);
}

static void fire_drop_tasks(struct engine *e, struct batch *b, size_t i)
{
    for (size_t k = 0; k < b->flush.fires[i].n_runs; k++)
        if (b->started[i][k])
            task_discard(e, TAKE(b->started[i][k]));
}

void flush_abandon(struct engine *e, struct batch *b)
{
    struct moment now = engine_now(e);
    for (size_t i = 0; i < b->flush.n_fires; i++) {
        fire_drop_tasks(e, b, i);
        rezone_again(e, b->planned[i]);
        plan_settle(e, b->planned[i]);
    }
    for (size_t i = 0; i < b->flush.n_claims; i++) {
        task_unreserve(e, b->claimed[i]);
        b->claimed[i]->state = TASK_QUEUED;
        e->queued++;
        task_enqueue(e, b->claimed[i], now);
    }
    for (size_t i = 0; i < b->flush.n_finishes; i++) {
        b->finished[i]->entry->outcome = OUTCOME_UNKNOWN;
        task_queue_push(&e->ended, b->finished[i]);
    }
    batch_clear(b);
}

// A run of a won fire.
static void run_act(struct engine *e, struct entry *p, const struct run *r, struct task *t, struct moment now)
{
    engine_report_run(e, r->id, r->job_id, r->status);
    if (t) {
        dispatch_add(e, t, now);
    } else if (r->status == RUN_QUEUED) {
        if (tasks_find(&e->tasks, r->id))
            return; // a poke was faster
        e->queued++;
        task_enqueue(e, task_new(&e->tasks, p, r), now);
    } else {
        meter_run_ended(p->type, r->status);
        if (r->status == RUN_MISSED)
            meter_missed(r->occurrences);
    }
}

static void fire_act(struct engine *e, struct batch *b, size_t i, struct moment now)
{
    struct fire *f = &b->flush.fires[i];
    struct entry *p = b->planned[i];
    if (f->ret_won) {
        p->next_fire = f->new_next;
        rezone_won(e, p);
        for (size_t k = 0; k < f->n_runs; k++)
            run_act(e, p, &f->runs[k], b->started[i][k], now);
        plan_settle(e, p);
        return;
    }
    fire_drop_tasks(e, b, i);
    if (f->ret_exists) {
        p->repeats = true;
        plan_settle(e, p);
    } else { // the plan changed: see what it is now
        ids_add(&e->todo.jobs, &p->job_id, 1);
    }
}

static void claim_act(struct engine *e, struct claim *c, struct task *t, struct moment now)
{
    if (c->ret_won) {
        engine_report_run(e, t->id, t->entry->job_id, RUN_RUNNING);
        dispatch_add(e, t, now);
        return;
    }
    task_unreserve(e, t);
    t->state = TASK_QUEUED;
    e->queued++;
    ids_add(&e->todo.runs, &t->id, 1); // cancelled meanwhile? see what it is now
}

static void logs_act(struct engine *e, const struct batch *b)
{
    const struct log_line *v = b->flush.logs;
    for (size_t i = 0; i < b->flush.n_logs; i++)
        if (e->listener.logs_added && (i == 0 || !ulid_eq(v[i].run_id, v[i - 1].run_id)))
            e->listener.logs_added(e->listener.ctx, v[i].run_id);
    if (b->logs)
        b->logs->sent += b->flush.n_logs;
    e->logs_sent += (int64_t)b->flush.n_logs;
}

void flush_act(struct engine *e, struct batch *b)
{
    struct moment now = engine_now(e);
    logs_act(e, b);
    for (size_t i = 0; i < b->flush.n_fires; i++)
        fire_act(e, b, i, now);
    for (size_t i = 0; i < b->flush.n_claims; i++)
        claim_act(e, &b->flush.claims[i], b->claimed[i], now);
    for (size_t i = 0; i < b->flush.n_finishes; i++)
        if (b->finished[i])
            finish_act(e, &b->flush.finishes[i], b->finished[i], now);
    batch_clear(b);
    dispatch_go(e);
}

bool flush_run(struct engine *e)
{
    fill(e);
    if (batch_empty(&e->batch)) {
        batch_clear(&e->batch);
        return false;
    }
    struct err err = {0};
    struct mono begun = clock_mono(e->clock);
    bool ok = e->store->ops->flush(e->store, &e->batch.flush, &err);
    meter_flush(mono_since(clock_mono(e->clock), begun));
    if (ok) {
        store_worked(e);
        flush_act(e, &e->batch);
        return true;
    }
    if (err.code == ERR_STALE) {
        share_fenced(e);
        flush_abandon(e, &e->batch);
        return true; // ends can be written
    }
    store_failed(e, "write a batch", &err);
    if (err.code == ERR_UNKNOWN_COMMIT)
        e->batch_state = BATCH_UNKNOWN;
    else
        flush_abandon(e, &e->batch);
    return false;
}
