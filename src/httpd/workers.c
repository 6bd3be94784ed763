// SPDX-License-Identifier: Apache-2.0
// A pushing thread wakes one sleeper at most and only when no other wake-up is on its way; a woken worker
// that leaves items behind wakes the next one. So a burst costs the connection threads one system call, and
// workers that are busy take new items without any.
#include "httpd/workers.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/sync.h"

struct workers {
    struct mutex lock; // guards all below except threads
    struct cond work;
    void **ring;
    size_t head, n, cap;
    size_t sleeping;   // threads in cond_wait
    bool waking;       // a signal was sent and nobody has come up yet
    bool stopping;
    void (*run)(void *item);
    pthread_t *threads;
    size_t threads_n;
};

// With the lock held: true when the caller is to signal after unlocking.
static bool want_wake(struct workers *w)
{
    if (w->n == 0 || w->sleeping == 0 || w->waking)
        return false;
    w->waking = true;
    return true;
}

// Waits for an item; NULL when stopped and empty.
static void *take(struct workers *w)
{
    mutex_lock(&w->lock);
    while (w->n == 0 && !w->stopping) {
        w->sleeping++;
        cond_wait(&w->work, &w->lock);
        w->sleeping--;
        w->waking = false;
    }
    void *item = NULL;
    if (w->n > 0) {
        item = w->ring[w->head];
        w->head = (w->head + 1) % w->cap;
        w->n--;
    }
    bool wake = want_wake(w);
    mutex_unlock(&w->lock);
    if (wake)
        cond_signal(&w->work);
    return item;
}

static void *worker_main(void *arg)
{
    struct workers *w = arg;
    for (void *item; (item = take(w));)
        w->run(item);
    return NULL;
}

struct workers *workers_new(size_t threads, size_t waiting_max, void (*run)(void *item))
{
    must(threads > 0 && waiting_max > 0);
    struct workers *w = mem_new(struct workers);
    mutex_init(&w->lock, LOCK_HTTPD_QUEUE);
    cond_init(&w->work);
    w->cap = waiting_max;
    w->ring = mem_array(waiting_max, sizeof *w->ring);
    w->threads = mem_array(threads, sizeof *w->threads);
    w->run = run;
    w->threads_n = threads;
    for (size_t i = 0; i < threads; i++)
        w->threads[i] = thread_start("http-worker", worker_main, w);
    return w;
}

bool workers_push(struct workers *w, void *item)
{
    mutex_lock(&w->lock);
    bool room = w->n < w->cap && !w->stopping;
    if (room) {
        w->ring[(w->head + w->n) % w->cap] = item;
        w->n++;
    }
    bool wake = room && want_wake(w);
    mutex_unlock(&w->lock);
    if (wake)
        cond_signal(&w->work);
    return room;
}

void workers_stop(struct workers *w)
{
    mutex_lock(&w->lock);
    w->stopping = true;
    mutex_unlock(&w->lock);
    cond_broadcast(&w->work);
    for (size_t i = 0; i < w->threads_n; i++)
        must(pthread_join(w->threads[i], NULL) == 0);
}

void workers_free(struct workers *w)
{
    must(w->n == 0);
    cond_release(&w->work);
    mutex_release(&w->lock);
    mem_free(w->ring);
    mem_free(w->threads);
    mem_free(w);
}
