// SPDX-License-Identifier: Apache-2.0
// The pool of threads, and the one thread that interrupts: an interrupter may itself wait (a cancel request
// is a connection of its own), which a loop must not.
//
// A struct blocked lives as long as its map entry or a thread that uses it: counted. The attempt may be gone
// as soon as its body has ended it, so nothing here looks at it after that.
#include "jobs/blocking.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/sync.h"

enum { IDLE_S = 60 };

struct blocked {
    struct ulid run_id;
    struct attempt *attempt;
    void (*body)(struct attempt *a);
    int users;            // under the pool's lock, as are the next three
    bool waiting;         // in the queue
    bool wants_interrupt; // in the interrupter's queue
    struct blocked *next, *next_interrupt;
    struct mutex lock;
    void (*interrupt)(void *ctx); // under lock
    void *ctx;
};

struct blocking {
    struct mutex lock;
    struct cond work, interrupts, quiet;
    struct blocked *first, **last; // all under lock
    struct blocked *first_interrupt, **last_interrupt;
    struct map by_run;
    size_t threads, idle, threads_max;
    bool closing;
    pthread_t interrupter;
};

// Under the pool's lock.
static void drop(struct blocked *b)
{
    if (--b->users > 0)
        return;
    mutex_release(&b->lock);
    mem_free(b);
}

// Under the pool's lock. NULL: the thread has nothing to do any more.
static struct blocked *take(struct blocking *p)
{
    while (!p->first) {
        p->idle++;
        bool worked = !p->closing && cond_wait_for(&p->work, &p->lock, duration_s(IDLE_S));
        p->idle--;
        if (!worked && !p->first)
            return NULL;
    }
    struct blocked *b = p->first;
    p->first = b->next;
    if (!p->first)
        p->last = &p->first;
    b->waiting = false;
    b->users++;
    return b;
}

static void *pool_main(void *arg)
{
    struct blocking *p = arg;
    struct blocked *b;
    mutex_lock(&p->lock);
    while ((b = take(p)) != NULL) {
        mutex_unlock(&p->lock);
        b->body(b->attempt);
        mutex_lock(&p->lock);
        must(map_remove(&p->by_run, b->run_id) == b);
        drop(b); // the map's
        drop(b); // ours
    }
    p->threads--;
    cond_broadcast(&p->quiet);
    mutex_unlock(&p->lock);
    return NULL;
}

static void *interrupter_main(void *arg)
{
    struct blocking *p = arg;
    mutex_lock(&p->lock);
    for (;;) {
        while (!p->first_interrupt && !p->closing)
            cond_wait(&p->interrupts, &p->lock);
        struct blocked *b = p->first_interrupt;
        if (!b)
            break;
        p->first_interrupt = b->next_interrupt;
        if (!p->first_interrupt)
            p->last_interrupt = &p->first_interrupt;
        b->wants_interrupt = false;
        mutex_unlock(&p->lock);
        mutex_lock(&b->lock);
        if (b->interrupt)
            b->interrupt(b->ctx);
        mutex_unlock(&b->lock);
        mutex_lock(&p->lock);
        drop(b);
    }
    mutex_unlock(&p->lock);
    return NULL;
}

struct blocking *blocking_new(size_t threads_max)
{
    struct blocking *p = mem_new(struct blocking);
    mutex_init(&p->lock, LOCK_BLOCKING);
    cond_init(&p->work);
    cond_init(&p->interrupts);
    cond_init(&p->quiet);
    map_init(&p->by_run);
    p->last = &p->first;
    p->last_interrupt = &p->first_interrupt;
    p->threads_max = threads_max == 0 ? BLOCKING_THREADS_DEFAULT : threads_max;
    p->interrupter = thread_start("interrupter", interrupter_main, p);
    return p;
}

void blocking_free(struct blocking *p)
{
    if (!p)
        return;
    mutex_lock(&p->lock);
    p->closing = true;
    cond_broadcast(&p->work);
    cond_broadcast(&p->interrupts);
    while (p->threads > 0)
        cond_wait(&p->quiet, &p->lock);
    mutex_unlock(&p->lock);
    must(pthread_join(p->interrupter, NULL) == 0);
    must(p->by_run.n == 0);
    map_release(&p->by_run);
    cond_release(&p->work);
    cond_release(&p->interrupts);
    cond_release(&p->quiet);
    mutex_release(&p->lock);
    mem_free(p);
}

void attempt_block(struct attempt *a, void (*body)(struct attempt *a))
{
    struct blocking *p = a->env->blocking;
    if (!p) {
        attempt_fail(a, "NOT_AVAILABLE", "this server runs no jobs of type %s", a->type->name);
        return;
    }
    struct blocked *b = mem_new(struct blocked);
    *b = (struct blocked){.run_id = a->run_id, .attempt = a, .body = body, .users = 1, .waiting = true};
    mutex_init(&b->lock, LOCK_INTERRUPT);
    WITH_LOCK(&p->lock);
    must(map_put(&p->by_run, b->run_id, b) == NULL);
    *p->last = b;
    p->last = &b->next;
    size_t waiting = 0;
    for (struct blocked *w = p->first; w && waiting <= p->idle; w = w->next)
        waiting++;
    if (waiting > p->idle && p->threads < p->threads_max) {
        p->threads++;
        must(pthread_detach(thread_start("blocking", pool_main, p)) == 0);
    }
    cond_signal(&p->work);
}

// Under the pool's lock.
static void unqueue(struct blocking *p, struct blocked *b)
{
    struct blocked **at = &p->first;
    while (*at != b)
        at = &(*at)->next;
    *at = b->next;
    if (p->last == &b->next)
        p->last = at;
    must(map_remove(&p->by_run, b->run_id) == b);
    drop(b);
}

void attempt_block_cancel(struct attempt *a, enum cancel_why why)
{
    struct blocking *p = a->env->blocking;
    {
        WITH_LOCK(&p->lock);
        struct blocked *b = map_get(&p->by_run, a->run_id);
        if (!b)
            return; // its body has ended
        if (!b->waiting) {
            if (b->wants_interrupt)
                return;
            b->wants_interrupt = true;
            b->users++;
            b->next_interrupt = NULL;
            *p->last_interrupt = b;
            p->last_interrupt = &b->next_interrupt;
            cond_signal(&p->interrupts);
            return;
        }
        unqueue(p, b);
    }
    attempt_cancelled(a, why);
}

// The caller is inside the body, so the entry is there.
static struct blocked *own(struct attempt *a)
{
    struct blocking *p = a->env->blocking;
    WITH_LOCK(&p->lock);
    struct blocked *b = map_get(&p->by_run, a->run_id);
    must(b);
    return b;
}

void attempt_interruptible(struct attempt *a, void (*interrupt)(void *ctx), void *ctx)
{
    struct blocked *b = own(a);
    WITH_LOCK(&b->lock);
    b->interrupt = interrupt;
    b->ctx = ctx;
    if (attempt_cancel_asked(a) >= 0)
        interrupt(ctx); // it came before there was anything to interrupt
}

void attempt_uninterruptible(struct attempt *a)
{
    struct blocked *b = own(a);
    WITH_LOCK(&b->lock);
    b->interrupt = NULL;
}

bool attempt_ended_by_cancel(struct attempt *a)
{
    int why = attempt_cancel_asked(a);
    if (why < 0)
        return false;
    attempt_cancelled(a, (enum cancel_why)why);
    return true;
}
