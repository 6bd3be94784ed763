// SPDX-License-Identifier: Apache-2.0
// Locks, clean-up attributes and the waker. Every mutex names a rank from locks.def: a thread takes
// locks in rising rank only; debug builds abort when it does not.
#ifndef BASE_SYNC_H
#define BASE_SYNC_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/time.h"

enum lock_rank {
#define LOCK(name, doc) LOCK_##name,
#include "base/locks.def"
#undef LOCK
    LOCK_COUNT
};

struct mutex {
    pthread_mutex_t m;
    enum lock_rank rank;
};
void mutex_init(struct mutex *m, enum lock_rank rank);
void mutex_release(struct mutex *m);
void mutex_lock(struct mutex *m);
void mutex_unlock(struct mutex *m);

struct cond { pthread_cond_t c; }; // waits on CLOCK_MONOTONIC
void cond_init(struct cond *c);
void cond_release(struct cond *c);
void cond_wait(struct cond *c, struct mutex *m);
// False when the duration passed first. Negative or zero returns at once.
bool cond_wait_for(struct cond *c, struct mutex *m, struct duration d);
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c);

// Lets one thread sleep until it is woken or a time has passed; wake-ups coalesce and are never lost.
struct waker {
    struct mutex lock;
    struct cond cond;
    bool woken; // under lock
};
void waker_init(struct waker *w, enum lock_rank rank);
void waker_release(struct waker *w);
void waker_wake(struct waker *w);                         // from any thread
bool waker_wait(struct waker *w, struct duration at_most); // true when woken; clears the flag

// Lets one thread sleep until another says go, once. Neither side takes a lock, so a woken thread never stands in
// front of the mutex of the one who woke it. The event may be gone as soon as event_wait has returned.
struct event { sem_t s; };
void event_init(struct event *e);
void event_release(struct event *e);
void event_set(struct event *e);
void event_wait(struct event *e);

typedef void *(*thread_main)(void *arg);
// Starts a named thread (≤ 15 characters) with a small stack and all signals blocked. Aborts on failure.
pthread_t thread_start(const char *name, thread_main fn, void *arg);

static inline void cleanup_unlock(struct mutex **m) { if (*m) mutex_unlock(*m); }
// Locks now, unlocks at the end of the scope.
#define WITH_LOCK(which) \
    __attribute__((cleanup(cleanup_unlock), unused)) struct mutex *lock_held_ = (mutex_lock(which), (which))

#define CLEANUP(fn) __attribute__((cleanup(fn)))
// Moves ownership out of a variable: returns its value and sets it to NULL.
#define TAKE(x) ({ __typeof__(x) taken_ = (x); (x) = NULL; taken_; })
void cleanup_fd(int *fd); // closes when ≥ 0

#endif
