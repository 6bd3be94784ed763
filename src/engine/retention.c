// SPDX-License-Identifier: Apache-2.0
// The thread that removes old history. A batch is small, so that it delays no flush, and a pause follows, so that it
// takes a bounded share of the store: at most 20,000 runs a second.
#include "engine/retention.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/sync.h"

enum { BATCH = 1000, PAUSE_MS = 50, IDLE_S = 60, DUTY_LEASE_S = 180 };
static const struct str duty = STR_INIT("retention");

static struct metric removed = METRIC_COUNTER_INIT("chronos_history_removed_total", "",
                                                   "Runs removed because they were older than history.keepDays");

struct retention {
    struct retention_config config;
    struct store *store;
    const struct clock *clock;
    int64_t token, term; // under which the last round worked
    struct waker waker;
    _Atomic bool stop;
    bool runs;
    pthread_t thread;
};

struct retention *retention_new(const struct retention_config *c, struct store *store, const struct clock *clock)
{
    struct retention *r = mem_new(struct retention);
    must(c->keep_days > 0);
    r->config = *c;
    r->store = store;
    r->clock = clock;
    waker_init(&r->waker, LOCK_CLUSTER_WAKER);
    metric_register(&removed);
    return r;
}

// Alone on its store it needs no permission.
static bool has_duty(struct retention *r, bool *ret, struct err *err)
{
    struct cluster_status node;
    int64_t term = 0;
    *ret = true;
    if (!r->config.cluster)
        return true;
    cluster_status(r->config.cluster, &node); // a node that lost its lease has another token now
    r->token = node.token;
    if (!r->store->ops->duty_hold(r->store, duty, r->token, duration_s(DUTY_LEASE_S), ret, &term, err))
        return false;
    if (*ret && term != r->term)
        LOG_INFO("this node removes old history now", LOG_INT("term", term));
    r->term = *ret ? term : 0;
    return true;
}

static bool trim(struct retention *r, bool *ret_more, struct err *err)
{
    struct duration keep = duration_s(r->config.keep_days * S_PER_DAY);
    struct instant before = {clock_now(r->clock).us - keep.us};
    size_t n = 0;
    bool held;
    *ret_more = false;
    if (!has_duty(r, &held, err))
        return false;
    if (!held)
        return true;
    if (!r->store->ops->history_trim(r->store, before, BATCH, &n, ret_more, err))
        return false;
    metric_add(&removed, (int64_t)n);
    return true;
}

struct duration retention_round(struct retention *r)
{
    struct err err = {0};
    bool more = false;
    if (!trim(r, &more, &err))
        LOG_WARN("old history cannot be removed now, trying again", LOG_ERROR_FIELD(&err));
    return more ? duration_ms(PAUSE_MS) : duration_s(IDLE_S);
}

static void *retention_main(void *arg)
{
    struct retention *r = arg;
    while (!r->stop)
        (void)waker_wait(&r->waker, retention_round(r));
    return NULL;
}

void retention_start(struct retention *r)
{
    r->thread = thread_start("retention", retention_main, r);
    r->runs = true;
}

void retention_free(struct retention *r)
{
    struct err ignored; // the duty's lease ends by itself
    if (!r)
        return;
    r->stop = true;
    waker_wake(&r->waker);
    if (r->runs)
        (void)pthread_join(r->thread, NULL);
    if (r->term > 0)
        (void)r->store->ops->duty_release(r->store, duty, r->token, &ignored);
    waker_release(&r->waker);
    mem_free(r);
}
