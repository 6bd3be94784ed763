// SPDX-License-Identifier: Apache-2.0
// A list of subscribers under one lock. Publishing costs a walk of the list: there are at most as many as open
// event streams, and none at all on most servers, which the counter tells without the lock.
#include "app/topic.h"

#include "base/err.h"
#include "base/mem.h"

struct subscriber {
    struct subscriber *next, **prev;
    struct ulid run_id; // zero: all runs
    void (*wake)(void *ctx);
    void *ctx;
    struct run_change v[TOPIC_CHANGES_MAX]; // ring
    size_t head, n;
    bool missed;
};

struct topic {
    struct mutex lock;
    struct subscriber *first; // under lock, as everything in a subscriber
    _Atomic int64_t count;    // subscribers; read without the lock as a hint
    int64_t seq;              // under lock
};

struct topic *topic_new(void)
{
    struct topic *t = mem_new(struct topic);
    mutex_init(&t->lock, LOCK_TOPIC);
    return t;
}

void topic_free(struct topic *t)
{
    if (!t)
        return;
    must(t->first == NULL);
    mutex_release(&t->lock);
    mem_free(t);
}

struct subscriber *topic_join(struct topic *t, struct ulid run_id, void (*wake)(void *ctx), void *ctx)
{
    WITH_LOCK(&t->lock);
    if (t->count >= TOPIC_SUBSCRIBERS_MAX)
        return NULL;
    struct subscriber *s = mem_new(struct subscriber);
    *s = (struct subscriber){.next = t->first, .prev = &t->first, .run_id = run_id, .wake = wake, .ctx = ctx};
    if (s->next)
        s->next->prev = &s->next;
    t->first = s;
    t->count++;
    return s;
}

void topic_leave(struct topic *t, struct subscriber *s)
{
    if (!s)
        return;
    WITH_LOCK(&t->lock);
    *s->prev = s->next;
    if (s->next)
        s->next->prev = s->prev;
    t->count--;
    mem_free(s);
}

size_t topic_take(struct topic *t, struct subscriber *s, struct run_change *v, size_t max, bool *ret_missed)
{
    WITH_LOCK(&t->lock);
    size_t n = 0;
    for (; n < max && s->n > 0; n++, s->n--) {
        v[n] = s->v[s->head];
        s->head = (s->head + 1) % TOPIC_CHANGES_MAX;
    }
    *ret_missed = s->missed;
    s->missed = false;
    return n;
}

static void subscriber_put(struct subscriber *s, const struct run_change *c)
{
    if (s->n == TOPIC_CHANGES_MAX) {
        s->head = (s->head + 1) % TOPIC_CHANGES_MAX;
        s->n--;
        s->missed = true;
    }
    s->v[(s->head + s->n++) % TOPIC_CHANGES_MAX] = *c;
}

void topic_run_changed(struct topic *t, struct ulid run_id, struct ulid job_id, int status)
{
    if (atomic_load_explicit(&t->count, memory_order_seq_cst) == 0)
        return;
    WITH_LOCK(&t->lock);
    struct run_change c = {.seq = ++t->seq, .run_id = run_id, .job_id = job_id, .status = status};
    for (struct subscriber *s = t->first; s; s = s->next) {
        bool all = ulid_is_zero(s->run_id);
        if (!all && !ulid_eq(s->run_id, run_id))
            continue;
        if (all)
            subscriber_put(s, &c);
        s->wake(s->ctx);
    }
}

void topic_logs_added(struct topic *t, struct ulid run_id)
{
    if (atomic_load_explicit(&t->count, memory_order_seq_cst) == 0)
        return;
    WITH_LOCK(&t->lock);
    for (struct subscriber *s = t->first; s; s = s->next)
        if (ulid_eq(s->run_id, run_id))
            s->wake(s->ctx);
}
