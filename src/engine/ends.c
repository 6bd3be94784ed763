// SPDX-License-Identifier: Apache-2.0
// Results on their way to the store, beside the starts.
//
// On a server's database what ends and what starts are two transactions at a time, each on a connection of
// its own: the engine writes starts itself, and gives the ends to a thread. While they are in the air the
// engine goes on; their tasks stay ENDED, which keeps their entries, and nobody else touches the batch. A
// result may then reach the store after the next start of its job: a crash in between finds both runs
// unfinished, as it would have found the first one before, and starts their next attempts by the concurrency
// rule. In a file there is one writer, so that both share one transaction and one flush to the disk.
#include "engine/core.h"
#include "engine/meters.h"

void ends_init(struct engine *e)
{
    struct ends *s = &e->ends;
    waker_init(&s->waker, LOCK_ENGINE_ENDS);
    s->batch = &e->batch;
    if (!e->config.ends_apart)
        return;
    batch_init(&s->own, (size_t)e->config.flush_max);
    s->batch = &s->own;
}

void ends_release(struct engine *e)
{
    if (ends_apart(e))
        batch_release(&e->ends.own);
    waker_release(&e->ends.waker);
}

bool ends_apart(const struct engine *e) { return e->ends.batch == &e->ends.own; }

bool ends_idle(const struct engine *e)
{
    return atomic_load_explicit(&e->ends.state, memory_order_acquire) == ENDS_IDLE;
}

static void state_set(struct engine *e, enum ends_state state)
{
    atomic_store_explicit(&e->ends.state, (int)state, memory_order_release);
}

void engine_write_ends(struct engine *e)
{
    struct ends *s = &e->ends;
    if (atomic_load_explicit(&s->state, memory_order_acquire) != ENDS_GIVEN)
        return;
    struct mono begun = clock_mono(e->clock);
    s->err = (struct err){0};
    s->ok = e->store->ops->flush(e->store, &s->own.flush, &s->err);
    meter_flush(mono_since(clock_mono(e->clock), begun));
    state_set(e, ENDS_WRITTEN);
    waker_wake(&e->inbox.waker);
}

static void act(struct engine *e)
{
    struct ends *s = &e->ends;
    if (s->ok) {
        store_worked(e);
        flush_act(e, &s->own);
        state_set(e, ENDS_IDLE);
        return;
    }
    store_failed(e, "write results", &s->err);
    if (s->err.code == ERR_UNKNOWN_COMMIT) {
        state_set(e, ENDS_UNKNOWN);
        return;
    }
    flush_abandon(e, &s->own);
    state_set(e, ENDS_IDLE);
}

void ends_collect(struct engine *e)
{
    int state = atomic_load_explicit(&e->ends.state, memory_order_acquire);
    if (state == ENDS_WRITTEN)
        act(e);
    else if (state == ENDS_UNKNOWN && !store_resting(e, clock_mono(e->clock)) &&
             unknown_resolve(e, &e->ends.own))
        state_set(e, ENDS_IDLE);
}

void ends_give(struct engine *e)
{
    struct ends *s = &e->ends;
    if (!ends_apart(e) || !ends_idle(e) || e->share.waits || store_resting(e, clock_mono(e->clock)))
        return;
    batch_logs(&s->own, inbox_logs(&e->inbox));
    finish_fill(e);
    if (batch_empty(&s->own)) {
        batch_clear(&s->own);
        return;
    }
    state_set(e, ENDS_GIVEN);
    waker_wake(&s->waker);
}

static void *ends_main(void *arg)
{
    enum { LOOK_S = 1 };
    struct engine *e = arg;
    while (!atomic_load(&e->ends.stop)) {
        (void)waker_wait(&e->ends.waker, duration_s(LOOK_S));
        engine_write_ends(e);
    }
    return NULL;
}

void ends_start(struct engine *e)
{
    if (ends_apart(e))
        e->ends.thread = thread_start("ends", ends_main, e);
}

void ends_stop(struct engine *e)
{
    if (!ends_apart(e))
        return;
    atomic_store(&e->ends.stop, true);
    waker_wake(&e->ends.waker);
    must(pthread_join(e->ends.thread, NULL) == 0);
}
