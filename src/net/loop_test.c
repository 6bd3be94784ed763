// SPDX-License-Identifier: Apache-2.0
// The event loop: order and coalescing of messages, timers that are never early, a clean stop.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/sync.h"
#include "net/loop.h"

enum { THREADS = 4, PER_THREAD = 20000, PATIENCE_S = 60 };

static struct loop *loop;

struct tally {
    uint64_t last[THREADS];
    int64_t count;
    bool in_order;
    struct waker all;
};

static void on_number(void *arg, uint64_t n)
{
    struct tally *t = arg;
    uint64_t thread = n / PER_THREAD, number = n % PER_THREAD;
    t->in_order = t->in_order && number == t->last[thread]++ && loop_here(loop);
    if (++t->count == (int64_t)THREADS * PER_THREAD)
        waker_wake(&t->all);
}

struct poster {
    struct tally *tally;
    uint64_t thread;
};

static void *post_numbers(void *arg)
{
    struct poster *p = arg;
    for (uint64_t i = 0; i < PER_THREAD; i++)
        must(loop_post(loop, on_number, p->tally, p->thread * PER_THREAD + i));
    return NULL;
}

static void messages_of_each_thread_run_once_and_in_order(void **state)
{
    (void)state;
    struct tally t = {.in_order = true};
    struct poster posters[THREADS];
    pthread_t threads[THREADS];
    waker_init(&t.all, LOCK_TEST);
    for (uint64_t i = 0; i < THREADS; i++) {
        posters[i] = (struct poster){&t, i};
        threads[i] = thread_start("poster", post_numbers, &posters[i]);
    }
    assert_true(waker_wait(&t.all, duration_s(PATIENCE_S)));
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(t.in_order);
    assert_false(loop_here(loop));
    waker_release(&t.all);
}

struct alarm {
    struct loop_timer timer;
    struct mono due, fired;
    struct alarms *all;
};
struct alarms {
    struct alarm v[64];
    size_t fired, stopped;
    bool in_order;
    struct mono last;
    struct waker done;
};

static void on_alarm(void *ctx)
{
    struct alarm *a = ctx;
    struct alarms *all = a->all;
    a->fired = loop_now(loop);
    all->in_order = all->in_order && a->due.us >= all->last.us;
    all->last = a->due;
    if (++all->fired + all->stopped == sizeof all->v / sizeof all->v[0])
        waker_wake(&all->done);
}

static void set_alarms(void *arg, uint64_t n)
{
    struct alarms *all = arg;
    struct mono now = loop_now(loop);
    for (size_t i = 0; i < n; i++) {
        struct alarm *a = &all->v[i];
        a->all = all;
        a->due = mono_add(now, (struct duration){(int64_t)((i * 37) % n) * 500 + 1});
        loop_timer_init(&a->timer, on_alarm, a);
        loop_timer_set(loop, &a->timer, mono_add(now, duration_s(PATIENCE_S)));
        loop_timer_set(loop, &a->timer, a->due); // moves it
    }
    for (size_t i = 0; i < n; i += 8) {
        loop_timer_stop(loop, &all->v[i].timer);
        loop_timer_stop(loop, &all->v[i].timer);
        all->stopped++;
    }
}

static void timers_fire_once_in_order_and_never_early(void **state)
{
    (void)state;
    struct alarms all = {.in_order = true};
    size_t n = sizeof all.v / sizeof all.v[0];
    waker_init(&all.done, LOCK_TEST);
    assert_true(loop_post(loop, set_alarms, &all, n));
    assert_true(waker_wait(&all.done, duration_s(PATIENCE_S)));
    assert_true(all.in_order);
    for (size_t i = 0; i < n; i++) {
        assert_false(loop_timer_armed(&all.v[i].timer));
        if (i % 8 == 0)
            assert_int_equal(all.v[i].fired.us, 0);
        else
            assert_true(all.v[i].fired.us >= all.v[i].due.us);
    }
    waker_release(&all.done);
}

static void add_one(void *arg, uint64_t n)
{
    *(uint64_t *)arg += n;
}

static void a_call_returns_after_it_ran(void **state)
{
    (void)state;
    uint64_t sum = 0;
    for (uint64_t i = 1; i <= 100; i++)
        assert_true(loop_call(loop, add_one, &sum, i));
    assert_int_equal(sum, 5050);
}

static void stopping_runs_what_was_posted(void **state)
{
    (void)state;
    struct err err;
    for (int round = 0; round < 20; round++) {
        struct loop *l = loop_new("short", clock_real(), &err);
        uint64_t sum = 0;
        assert_non_null(l);
        for (int i = 0; i < 1000; i++)
            assert_true(loop_post(l, add_one, &sum, 1));
        loop_free(l);
        assert_int_equal(sum, 1000);
    }
}

static int open_loop(void **state)
{
    (void)state;
    struct err err;
    loop = loop_new("test", clock_real(), &err);
    return loop ? 0 : -1;
}

static int close_loop(void **state)
{
    (void)state;
    loop_free(loop);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_each_thread_run_once_and_in_order),
        cmocka_unit_test(timers_fire_once_in_order_and_never_early),
        cmocka_unit_test(a_call_returns_after_it_ran),
        cmocka_unit_test(stopping_runs_what_was_posted),
    };
    return cmocka_run_group_tests(tests, open_loop, close_loop);
}
