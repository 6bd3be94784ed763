// SPDX-License-Identifier: Apache-2.0
// The threads of the cluster: one renews the lease and does nothing else, one looks around, and, where the store can
// tell of changes, one listens.
#include "engine/cluster_core.h"

#include "base/log.h"

enum { LISTEN_MS = 500, LISTEN_RETRY_MS = 1000, WAIT_MAX_MS = 1000 };

static void sleep_until(struct cluster *c, struct waker *w, struct mono until)
{
    struct duration left = mono_since(until, clock_mono(c->clock));
    if (left.us > duration_ms(WAIT_MAX_MS).us)
        left = duration_ms(WAIT_MAX_MS);
    if (left.us > 0)
        (void)waker_wait(w, left);
}

static void *beat_main(void *arg)
{
    struct cluster *c = arg;
    while (!c->stop)
        sleep_until(c, &c->beat_waker, cluster_beat(c));
    return NULL;
}

static void *watch_main(void *arg)
{
    struct cluster *c = arg;
    while (!c->stop)
        sleep_until(c, &c->watch_waker, cluster_watch(c));
    return NULL;
}

static void *listen_main(void *arg)
{
    struct cluster *c = arg;
    struct waker pause;
    waker_init(&pause, LOCK_CLUSTER_WAKER);
    while (!c->stop) {
        struct err err = {0};
        if (c->store->ops->changes_wait(c->store, duration_ms(LISTEN_MS), &err))
            waker_wake(&c->watch_waker);
        else
            (void)waker_wait(&pause, duration_ms(LISTEN_RETRY_MS)); // polling goes on meanwhile
    }
    waker_release(&pause);
    return NULL;
}

void cluster_start(struct cluster *c)
{
    c->stop = false;
    c->threads[c->n_threads++] = thread_start("heartbeat", beat_main, c);
    c->threads[c->n_threads++] = thread_start("cluster", watch_main, c);
    if (c->store->ops->changes_wait)
        c->threads[c->n_threads++] = thread_start("listener", listen_main, c);
}

void cluster_wake(struct cluster *c) { waker_wake(&c->watch_waker); }

void cluster_stop(struct cluster *c)
{
    c->stop = true;
    waker_wake(&c->beat_waker);
    waker_wake(&c->watch_waker);
    while (c->n_threads > 0)
        (void)pthread_join(c->threads[--c->n_threads], NULL);
}
