// SPDX-License-Identifier: Apache-2.0
// An event loop on a thread of its own: messages from other threads, timers, and libuv for sockets.
//
// Everything that lives on a loop is touched on its thread only; other threads post. A message carries a
// pointer and a number and never waits: its receiver looks ids up, so that a late message about something
// that ended meanwhile does nothing. Messages run in the order posted, in batches; one wake-up per batch.
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/clock.h"

struct loop;
struct uv_loop_s; // uv_loop_t of uv.h

enum { LOOP_MESSAGES_MAX = 1 << 20 };

// Starts the thread (name ≤ 15 characters). The clock must be one that runs by itself: the loop waits in
// real time.
struct loop *loop_new(const char *name, const struct clock *clock, struct err *err);
// Handles what was posted before, then stops and joins. Whoever put handles on the loop must have closed
// them.
void loop_free(struct loop *l);

typedef void (*loop_fn)(void *arg, uint64_t n);
// Runs fn(arg, n) on the loop's thread soon. Any thread, never waits. False when LOOP_MESSAGES_MAX are
// waiting or the loop is stopping; fn is then not called.
bool loop_post(struct loop *l, loop_fn fn, void *arg, uint64_t n) __attribute__((warn_unused_result));
// As loop_post, and waits until fn has returned. Not from a loop's thread.
bool loop_call(struct loop *l, loop_fn fn, void *arg, uint64_t n) __attribute__((warn_unused_result));
bool loop_here(const struct loop *l); // the caller is on the loop's thread

// ---- on the loop's thread only ----

struct uv_loop_s *loop_uv(struct loop *l);
struct mono loop_now(const struct loop *l); // reads the clock
struct duration loop_idle(struct loop *l);  // time spent waiting for events so far

struct loop_timer {
    struct mono due;
    int pos; // in the heap
    void (*fn)(void *ctx);
    void *ctx;
};
void loop_timer_init(struct loop_timer *t, void (*fn)(void *ctx), void *ctx);
// (Re)arms; fires once, never before `due`. Costs no system call.
void loop_timer_set(struct loop *l, struct loop_timer *t, struct mono due);
void loop_timer_stop(struct loop *l, struct loop_timer *t); // no-op when not armed
static inline bool loop_timer_armed(const struct loop_timer *t) { return t->pos >= 0; }

#endif
