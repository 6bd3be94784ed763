// SPDX-License-Identifier: Apache-2.0
// HTTP client over several loops: hands requests to the lane of their loop. A request's id names its lane, so
// that a cancel finds it; ids are never used again.
#include "base/mem.h"
#include "base/sync.h"
#include "net/http_lane.h"

struct http_client {
    struct http_lane *lanes;
    size_t n;
    char *user_agent;
    _Atomic uint64_t next_id;
    _Atomic bool closing;
};

struct http_client *http_client_new(const struct http_options *o, struct loop *const *loops, size_t n,
                                    struct err *err)
{
    must(n > 0);
    if (!http_library_start(err))
        return NULL;
    struct http_client *c = mem_new(struct http_client);
    c->n = n;
    c->lanes = mem_array(n, sizeof c->lanes[0]);
    if (o->user_agent.p) {
        c->user_agent = mem_array(o->user_agent.n + 1, 1);
        memcpy(c->user_agent, o->user_agent.p, o->user_agent.n);
    }
    for (size_t i = 0; i < n; i++)
        lane_init(&c->lanes[i], loops[i], o, c->user_agent);
    atomic_store(&c->next_id, 1);
    return c;
}

static void close_lane(void *arg, uint64_t n)
{
    (void)n;
    lane_close(arg);
}

static void no_op(void *arg, uint64_t n)
{
    (void)arg;
    (void)n;
}

void http_client_free(struct http_client *c)
{
    if (!c)
        return;
    atomic_store(&c->closing, true);
    for (size_t i = 0; i < c->n; i++) {
        must(loop_call(c->lanes[i].loop, close_lane, &c->lanes[i], 0));
        // What was posted by a thread that had not seen `closing` runs before this second call.
        must(loop_call(c->lanes[i].loop, no_op, NULL, 0));
        lane_release(&c->lanes[i]);
    }
    mem_free(c->lanes);
    mem_free(c->user_agent);
    mem_free(c);
}

static void start_transfer(void *arg, uint64_t n)
{
    (void)n;
    struct http_transfer *t = arg;
    lane_start(t->lane, t);
}

bool http_send(struct http_client *c, const struct http_request *r, http_done done, void *ctx,
               uint64_t *ret_id)
{
    if (atomic_load(&c->closing))
        return false;
    size_t lane = r->lane % c->n;
    struct http_transfer *t = mem_new(struct http_transfer);
    t->request = *r;
    t->request.on_chunk = NULL;
    t->done = done;
    t->ctx = ctx;
    t->lane = &c->lanes[lane];
    *ret_id = t->id = atomic_fetch_add(&c->next_id, 1) * c->n + lane;
    if (loop_post(t->lane->loop, start_transfer, t, 0))
        return true; // t may have ended already
    mem_free(t);
    return false;
}

static void cancel_transfer(void *arg, uint64_t id)
{
    lane_cancel(arg, id);
}

void http_cancel(struct http_client *c, uint64_t id)
{
    struct http_lane *l = &c->lanes[id % c->n];
    // Not taken only when the loop stops or drowns: then the request's own timeout ends it.
    (void)!loop_post(l->loop, cancel_transfer, l, id);
}

static void add_stats(void *arg, uint64_t lane_address)
{
    struct http_stats *s = arg;
    const struct http_lane *l = (const struct http_lane *)(uintptr_t)lane_address;
    s->in_flight += l->active;
    s->waiting += l->waiting.n + l->waiting_named.n;
    s->connections += l->connections;
}

void http_client_stats(struct http_client *c, struct http_stats *ret)
{
    *ret = (struct http_stats){0};
    for (size_t i = 0; i < c->n; i++)
        (void)!loop_call(c->lanes[i].loop, add_stats, ret, (uint64_t)(uintptr_t)&c->lanes[i]);
}
