// SPDX-License-Identifier: Apache-2.0
// Locks with ranks, conditions on the monotonic clock, the waker, threads.
//
// Each thread keeps the ranks it holds in rising order; taking a lock that does not rise is a possible
// deadlock and aborts at once, on the first run, whether or not the deadlock would have happened.
// The check costs a few nanoseconds and is compiled out with NDEBUG.
#include "base/sync.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    STACK_BYTES = 256 * 1024,
    STACK_BYTES_SANITIZED = 2 * 1024 * 1024, // instrumented frames are several times larger
    NS_PER_US = 1000,
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#ifndef NDEBUG
static const char *const rank_names[] = {
#define LOCK(name, doc) #name,
#include "base/locks.def"
#undef LOCK
};

static _Thread_local enum lock_rank held[LOCK_COUNT]; // rising
static _Thread_local size_t held_n;

static void rank_take(enum lock_rank rank)
{
    must(rank < LOCK_COUNT);
    if (held_n > 0 && held[held_n - 1] >= rank) {
        (void)fprintf(stderr, "chronos: lock %s taken while holding %s: see base/locks.def\n",
                      rank_names[rank], rank_names[held[held_n - 1]]);
        abort();
    }
    held[held_n++] = rank;
}

static void rank_drop(enum lock_rank rank)
{
    size_t i = held_n;
    while (i > 0 && held[i - 1] != rank)
        i--;
    must(i > 0); // else: unlocked by a thread that does not hold it
    memmove(&held[i - 1], &held[i], (held_n - i) * sizeof held[0]);
    held_n--;
}
#else
static void rank_take(enum lock_rank rank) { (void)rank; }
static void rank_drop(enum lock_rank rank) { (void)rank; }
#endif

void mutex_init(struct mutex *m, enum lock_rank rank)
{
    must(pthread_mutex_init(&m->m, NULL) == 0);
    m->rank = rank;
}

void mutex_release(struct mutex *m)
{
    must(pthread_mutex_destroy(&m->m) == 0);
}

void mutex_lock(struct mutex *m)
{
    rank_take(m->rank);
    must(pthread_mutex_lock(&m->m) == 0);
}

void mutex_unlock(struct mutex *m)
{
    rank_drop(m->rank);
    must(pthread_mutex_unlock(&m->m) == 0);
}

// pthread_cond_clockwait would need no attribute, but thread sanitizers of our compilers do not know it.
void cond_init(struct cond *c)
{
    pthread_condattr_t attr;
    must(pthread_condattr_init(&attr) == 0);
    must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    must(pthread_cond_init(&c->c, &attr) == 0);
    must(pthread_condattr_destroy(&attr) == 0);
}

void cond_release(struct cond *c)
{
    must(pthread_cond_destroy(&c->c) == 0);
}

void cond_wait(struct cond *c, struct mutex *m)
{
    rank_drop(m->rank);
    must(pthread_cond_wait(&c->c, &m->m) == 0);
    rank_take(m->rank);
}

bool cond_wait_for(struct cond *c, struct mutex *m, struct duration d)
{
    if (d.us <= 0)
        return false;
    int64_t until_us = mono_add(clock_mono(clock_real()), d).us;
    struct timespec until = {
        .tv_sec = until_us / US_PER_S,
        .tv_nsec = until_us % US_PER_S * NS_PER_US,
    };
    rank_drop(m->rank);
    int rc = pthread_cond_timedwait(&c->c, &m->m, &until);
    rank_take(m->rank);
    must(rc == 0 || rc == ETIMEDOUT);
    return rc == 0;
}

void cond_signal(struct cond *c)
{
    must(pthread_cond_signal(&c->c) == 0);
}

void cond_broadcast(struct cond *c)
{
    must(pthread_cond_broadcast(&c->c) == 0);
}

void waker_init(struct waker *w, enum lock_rank rank)
{
    mutex_init(&w->lock, rank);
    cond_init(&w->cond);
    w->woken = false;
}

void waker_release(struct waker *w)
{
    cond_release(&w->cond);
    mutex_release(&w->lock);
}

void waker_wake(struct waker *w)
{
    WITH_LOCK(&w->lock);
    w->woken = true;
    cond_signal(&w->cond);
}

bool waker_wait(struct waker *w, struct duration at_most)
{
    const struct clock *clock = clock_real();
    struct mono until = mono_add(clock_mono(clock), at_most);
    WITH_LOCK(&w->lock);
    while (!w->woken) {
        // Asked again each turn: a spurious wake-up must not make the wait longer.
        struct duration left = mono_since(until, clock_mono(clock));
        if (left.us <= 0)
            return false;
        (void)cond_wait_for(&w->cond, &w->lock, left);
    }
    w->woken = false;
    return true;
}

void event_init(struct event *e)
{
    must(sem_init(&e->s, 0, 0) == 0);
}

void event_release(struct event *e)
{
    must(sem_destroy(&e->s) == 0);
}

void event_set(struct event *e)
{
    must(sem_post(&e->s) == 0);
}

void event_wait(struct event *e)
{
    while (sem_wait(&e->s) != 0)
        ; // interrupted by a signal handler
}

// Signals are taken by the main thread alone: a new thread inherits a full mask.
pthread_t thread_start(const char *name, thread_main fn, void *arg)
{
    sigset_t all, before;
    pthread_attr_t attr;
    pthread_t thread;
    must(sigfillset(&all) == 0);
    must(pthread_attr_init(&attr) == 0);
    must(pthread_attr_setstacksize(&attr, SANITIZED ? STACK_BYTES_SANITIZED : STACK_BYTES) == 0);
    must(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    must(pthread_create(&thread, &attr, fn, arg) == 0);
    must(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    must(pthread_attr_destroy(&attr) == 0);
    (void)pthread_setname_np(thread, name); // for tools only: a long name is no reason to stop
    return thread;
}

void cleanup_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}
