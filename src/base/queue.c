// SPDX-License-Identifier: Apache-2.0
// Bounded ring of pointers under one mutex. Everything after a queue takes batches, so one lock per
// batch is cheap; a lock-free ring would save little and could not wait.
#include "base/queue.h"

#include <stdlib.h>

#include "base/clock.h"

void queue_init(struct queue *q, size_t cap, enum lock_rank rank)
{
    must(cap > 0);
    *q = (struct queue){.cap = cap, .v = calloc(cap, sizeof *q->v)};
    must(q->v != NULL);
    mutex_init(&q->lock, rank);
    cond_init(&q->can_pop);
    cond_init(&q->can_push);
}

void queue_release(struct queue *q)
{
    must(q->n == 0); // else items would have no owner
    cond_release(&q->can_push);
    cond_release(&q->can_pop);
    mutex_release(&q->lock);
    free(q->v);
    q->v = NULL;
}

// Under lock, with room.
static void put(struct queue *q, void *item)
{
    q->v[(q->head + q->n) % q->cap] = item;
    q->n++;
    cond_signal(&q->can_pop);
}

bool queue_push(struct queue *q, void *item)
{
    WITH_LOCK(&q->lock);
    while (q->n == q->cap && !q->closed)
        cond_wait(&q->can_push, &q->lock);
    if (q->closed)
        return false;
    put(q, item);
    return true;
}

bool queue_try_push(struct queue *q, void *item)
{
    WITH_LOCK(&q->lock);
    if (q->closed || q->n == q->cap)
        return false;
    put(q, item);
    return true;
}

size_t queue_pop(struct queue *q, void **v, size_t max, struct duration at_most)
{
    const struct clock *clock = clock_real();
    struct mono until = {0};
    bool waiting = false;
    WITH_LOCK(&q->lock);
    while (q->n == 0 && !q->closed && max > 0) {
        struct mono now = clock_mono(clock);
        if (!waiting)
            until = mono_add(now, at_most);
        waiting = true;
        struct duration left = mono_since(until, now);
        if (left.us <= 0)
            return 0;
        (void)cond_wait_for(&q->can_pop, &q->lock, left);
    }
    size_t n = q->n < max ? q->n : max;
    for (size_t i = 0; i < n; i++)
        v[i] = q->v[(q->head + i) % q->cap];
    q->head = (q->head + n) % q->cap;
    q->n -= n;
    if (n > 0)
        cond_broadcast(&q->can_push);
    return n;
}

size_t queue_depth(struct queue *q)
{
    WITH_LOCK(&q->lock);
    return q->n;
}

void queue_close(struct queue *q)
{
    WITH_LOCK(&q->lock);
    q->closed = true;
    cond_broadcast(&q->can_pop);
    cond_broadcast(&q->can_push);
}
