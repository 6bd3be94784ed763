// SPDX-License-Identifier: Apache-2.0
// What other nodes changed, from the store's list. Numbers become visible out of order, because transactions end in
// another order than they began: what lies behind a gap is read again until the gap is filled or old. For the same
// reason a reader begins a little before the end, and so does one whose store was away: a failover to a copy that
// missed the last commits gives their numbers to other changes. A change taken twice does no harm: it only makes the
// engine read a row again.
#include "base/mem.h"
#include "engine/cluster_core.h"

enum { PAGE = 2000, GAP_KEPT_S = 10, RECENT_FIRST = 256, REPEATED = 200 };

static void begin_after(struct cluster *c, int64_t last)
{
    c->recent.n = 0;
    c->low = last > REPEATED ? last - REPEATED : 0;
}

bool changes_start(struct cluster *c, struct err *err)
{
    int64_t last;
    if (!c->store->ops->changes_last(c->store, &last, err))
        return false;
    begin_after(c, last);
    return true;
}

void changes_repeat(struct cluster *c) { begin_after(c, c->low); }

// The place of a number in the list, or where it belongs.
static size_t recent_place(const struct recent *r, int64_t seq)
{
    size_t low = 0, high = r->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (r->v[mid].seq < seq)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

// False when it was seen before.
static bool recent_add(struct recent *r, int64_t seq, struct mono now)
{
    size_t at = recent_place(r, seq);
    if (at < r->n && r->v[at].seq == seq)
        return false;
    if (r->n == r->cap) {
        r->cap = r->cap ? r->cap * 2 : RECENT_FIRST;
        r->v = mem_resize(r->v, r->cap, sizeof *r->v);
    }
    memmove(&r->v[at + 1], &r->v[at], (r->n - at) * sizeof *r->v);
    r->v[at] = (struct recent_seq){seq, now};
    r->n++;
    return true;
}

// Moves `low` over everything that no earlier number can come before any more.
static void recent_forget(struct cluster *c, struct mono now)
{
    struct recent *r = &c->recent;
    size_t n = 0;
    while (n < r->n && (r->v[n].seq == c->low + 1 || now.us - r->v[n].seen.us > GAP_KEPT_S * US_PER_S))
        c->low = r->v[n++].seq;
    r->n -= n;
    memmove(r->v, r->v + n, r->n * sizeof *r->v);
}

static void change_take(struct cluster *c, const struct change *v)
{
    if (v->sender == c->token)
        return; // our engine was told at once
    switch ((enum change_kind)v->kind) {
    case CHANGE_JOB: ids_add(&c->changed_jobs, &v->subject, 1); break;
    case CHANGE_RUN: engine_poke_run(c->engine, v->subject); break;
    case CHANGE_CANCEL: engine_cancel_run(c->engine, v->subject); break;
    case CHANGE_NODES: waker_wake(&c->watch_waker); break;
    case CHANGE_BREAKER:
        if (c->config.breaker_changed)
            c->config.breaker_changed(c->config.breaker_arg);
        break;
    case CHANGE_PING:
        if (c->config.pinged)
            c->config.pinged(c->config.ping_arg, v->subject);
        break;
    case CHANGE_SUBSCRIPTION:
        if (c->config.subscription_changed)
            c->config.subscription_changed(c->config.subscription_arg);
        break;
    }
}

bool changes_take(struct cluster *c, struct arena *a, struct err *err)
{
    struct mono now = clock_mono(c->clock);
    int64_t after = c->low;
    for (size_t n = PAGE; n == PAGE;) {
        struct change *v;
        arena_reset(a);
        if (!c->store->ops->changes_read(c->store, after, PAGE, &v, &n, a, err))
            return false;
        for (size_t i = 0; i < n; i++)
            if (recent_add(&c->recent, v[i].seq, now))
                change_take(c, &v[i]);
        if (c->changed_jobs.n > 0)
            engine_poke_jobs(c->engine, c->changed_jobs.v, c->changed_jobs.n);
        ids_clear(&c->changed_jobs);
        after = n > 0 ? v[n - 1].seq : after;
    }
    recent_forget(c, now);
    return true;
}
