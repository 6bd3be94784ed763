// SPDX-License-Identifier: Apache-2.0
// Event loop: a libuv loop, a message list guarded by one lock, a heap of timers with one uv_timer for its
// head.
//
// Posting appends to `in` and signals the async handle only when the list was empty: libuv coalesces
// signals anyway, but each costs a write. The thread swaps the two lists and runs the whole batch unlocked.
// The head timer is armed once per turn, in the prepare phase, however many timers were set in the turn.
#include "net/loop.h"

#include <uv.h>

#include "base/heap.h"
#include "base/mem.h"
#include "base/sync.h"

enum { MESSAGES_FIRST = 64, NS_PER_US = 1000 };

struct message {
    loop_fn fn;
    void *arg;
    uint64_t n;
};
struct messages {
    struct message *v;
    size_t n, cap;
};

struct loop {
    uv_loop_t uv;
    uv_async_t wake;
    uv_prepare_t prepare;
    uv_timer_t head;
    struct heap timers;
    const struct clock *clock;
    struct messages out; // being run
    pthread_t thread;

    struct mutex lock; // guards the rest
    struct messages in;
    bool stopping;
};

static _Thread_local const struct loop *loop_current;

bool loop_here(const struct loop *l)
{
    return loop_current == l;
}

struct uv_loop_s *loop_uv(struct loop *l)
{
    must(loop_here(l));
    return &l->uv;
}

struct mono loop_now(const struct loop *l)
{
    return clock_mono(l->clock);
}

struct duration loop_idle(struct loop *l)
{
    return (struct duration){(int64_t)(uv_metrics_idle_time(&l->uv) / NS_PER_US)};
}

// ---- messages ----

static bool messages_add(struct messages *m, struct message msg)
{
    if (m->n == m->cap) {
        if (m->n >= LOOP_MESSAGES_MAX)
            return false;
        m->cap = m->cap ? m->cap * 2 : MESSAGES_FIRST;
        m->v = mem_resize(m->v, m->cap, sizeof m->v[0]);
    }
    m->v[m->n++] = msg;
    return true;
}

bool loop_post(struct loop *l, loop_fn fn, void *arg, uint64_t n)
{
    WITH_LOCK(&l->lock);
    bool was_empty = l->in.n == 0;
    if (l->stopping || !messages_add(&l->in, (struct message){fn, arg, n}))
        return false;
    if (was_empty) // under the lock: afterwards the loop may be gone
        must(uv_async_send(&l->wake) == 0);
    return true;
}

struct call {
    loop_fn fn;
    void *arg;
    uint64_t n;
    struct waker returned;
};

static void call_run(void *arg, uint64_t n)
{
    (void)n;
    struct call *c = arg;
    c->fn(c->arg, c->n);
    waker_wake(&c->returned);
}

bool loop_call(struct loop *l, loop_fn fn, void *arg, uint64_t n)
{
    must(!loop_current);
    struct call c = {.fn = fn, .arg = arg, .n = n};
    waker_init(&c.returned, LOCK_LOOP);
    bool posted = loop_post(l, call_run, &c, 0);
    while (posted && !waker_wait(&c.returned, duration_s(1)))
        continue;
    waker_release(&c.returned);
    return posted;
}

static void close_own(struct loop *l)
{
    uv_close((uv_handle_t *)&l->wake, NULL);
    uv_close((uv_handle_t *)&l->prepare, NULL);
    uv_close((uv_handle_t *)&l->head, NULL);
}

static void on_wake(uv_async_t *h)
{
    struct loop *l = h->data;
    bool stopping;
    {
        WITH_LOCK(&l->lock);
        struct messages empty = l->out;
        l->out = l->in;
        l->in = empty;
        stopping = l->stopping;
    }
    for (size_t i = 0; i < l->out.n; i++)
        l->out.v[i].fn(l->out.v[i].arg, l->out.v[i].n);
    l->out.n = 0;
    if (stopping) // nothing can be posted any more, and all that was has run
        close_own(l);
}

// ---- timers ----

static void timer_set_pos(void *item, int pos)
{
    ((struct loop_timer *)item)->pos = pos;
}

void loop_timer_init(struct loop_timer *t, void (*fn)(void *ctx), void *ctx)
{
    *t = (struct loop_timer){.pos = HEAP_NOWHERE, .fn = fn, .ctx = ctx};
}

void loop_timer_set(struct loop *l, struct loop_timer *t, struct mono due)
{
    must(loop_here(l));
    t->due = due;
    if (loop_timer_armed(t))
        heap_move(&l->timers, t->pos, due.us, 0);
    else
        heap_push(&l->timers, t, due.us, 0);
}

void loop_timer_stop(struct loop *l, struct loop_timer *t)
{
    must(loop_here(l));
    if (loop_timer_armed(t))
        heap_remove(&l->timers, t->pos);
}

// Runs what is due now. A timer that sets itself again for now waits for the next turn: sockets come in
// between.
static void on_head(uv_timer_t *h)
{
    struct loop *l = h->data;
    struct mono now = loop_now(l);
    for (struct loop_timer *t; (t = heap_top(&l->timers)) && t->due.us <= now.us;) {
        heap_pop(&l->timers);
        t->fn(t->ctx);
        if (mono_since(loop_now(l), now).us > US_PER_MS)
            break;
    }
}

static void on_prepare(uv_prepare_t *h)
{
    struct loop *l = h->data;
    const struct loop_timer *t = heap_top(&l->timers);
    if (!t) {
        (void)uv_timer_stop(&l->head);
        return;
    }
    int64_t wait_us = mono_since(t->due, loop_now(l)).us;
    uint64_t wait_ms = wait_us > 0 ? (uint64_t)((wait_us + US_PER_MS - 1) / US_PER_MS) : 0;
    if (wait_ms > 0)
        uv_update_time(&l->uv); // uv counts from the time it cached at the start of the turn
    must(uv_timer_start(&l->head, on_head, wait_ms, 0) == 0);
}

// ---- life ----

static void *loop_main(void *arg)
{
    struct loop *l = arg;
    loop_current = l;
    (void)uv_run(&l->uv, UV_RUN_DEFAULT); // until every handle is closed
    loop_current = NULL;
    return NULL;
}

struct loop *loop_new(const char *name, const struct clock *clock, struct err *err)
{
    struct loop *l = mem_new(struct loop);
    int rc = uv_loop_init(&l->uv);
    if (rc == 0)
        rc = uv_loop_configure(&l->uv, UV_METRICS_IDLE_TIME);
    if (rc == 0) {
        rc = uv_async_init(&l->uv, &l->wake, on_wake);
        if (rc != 0)
            (void)uv_loop_close(&l->uv);
    }
    if (rc != 0) {
        mem_free(l);
        (void)ERR(err, ERR_IO, "cannot create an event loop: %s", uv_strerror(rc));
        return NULL;
    }
    must(uv_prepare_init(&l->uv, &l->prepare) == 0);
    must(uv_timer_init(&l->uv, &l->head) == 0);
    l->wake.data = l->prepare.data = l->head.data = l;
    must(uv_prepare_start(&l->prepare, on_prepare) == 0);
    heap_init(&l->timers, timer_set_pos);
    mutex_init(&l->lock, LOCK_LOOP);
    l->clock = clock;
    l->thread = thread_start(name, loop_main, l);
    return l;
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    must(!loop_here(l));
    mutex_lock(&l->lock);
    l->stopping = true;
    must(uv_async_send(&l->wake) == 0);
    mutex_unlock(&l->lock);
    must(pthread_join(l->thread, NULL) == 0);
    must(uv_loop_close(&l->uv) == 0);
    heap_release(&l->timers);
    mutex_release(&l->lock);
    mem_free(l->in.v);
    mem_free(l->out.v);
    mem_free(l);
}
