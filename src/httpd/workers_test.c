// SPDX-License-Identifier: Apache-2.0
// No item is lost and no wake-up is: all threads come to run although a push wakes one of them at most. A
// lost wake-up shows as a test that does not end.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "httpd/workers.h"

#include "base/err.h"
#include "base/sync.h"

enum { ITEMS = 20000, PUSHERS = 4, THREADS = 6, WAITING = 64 };

static atomic_int runs[ITEMS];

static void count_run(void *item)
{
    atomic_fetch_add((atomic_int *)item, 1);
}

struct pusher {
    struct workers *w;
    size_t first;
    atomic_size_t refused;
};

static void *push_share(void *arg)
{
    struct pusher *p = arg;
    for (size_t i = p->first; i < ITEMS; i += PUSHERS)
        while (!workers_push(p->w, &runs[i])) {
            atomic_fetch_add(&p->refused, 1);
            (void)sched_yield();
        }
    return NULL;
}

static void every_pushed_item_runs_once(void **state)
{
    (void)state;
    struct workers *w = workers_new(THREADS, WAITING, count_run);
    struct pusher pushers[PUSHERS];
    pthread_t threads[PUSHERS];
    for (size_t i = 0; i < PUSHERS; i++) {
        pushers[i] = (struct pusher){.w = w, .first = i};
        threads[i] = thread_start("pusher", push_share, &pushers[i]);
    }
    for (size_t i = 0; i < PUSHERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    workers_stop(w);
    for (size_t i = 0; i < ITEMS; i++)
        assert_int_equal(atomic_load(&runs[i]), 1);
    workers_free(w);
}

static struct {
    struct mutex lock;
    struct cond changed;
    int running;
    bool open;
} gate;

static void pass_gate(void *item)
{
    WITH_LOCK(&gate.lock);
    gate.running++;
    cond_broadcast(&gate.changed);
    while (!gate.open)
        cond_wait(&gate.changed, &gate.lock);
    atomic_fetch_add((atomic_int *)item, 1);
}

static void all_workers_run_though_one_wake_up_is_sent(void **state)
{
    (void)state;
    atomic_int done = 0;
    mutex_init(&gate.lock, LOCK_TEST);
    cond_init(&gate.changed);
    struct workers *w = workers_new(THREADS, THREADS, pass_gate);
    for (int i = 0; i < THREADS; i++)
        while (!workers_push(w, &done))
            (void)sched_yield();
    mutex_lock(&gate.lock);
    while (gate.running < THREADS) // hangs when a wake-up is lost
        cond_wait(&gate.changed, &gate.lock);
    mutex_unlock(&gate.lock);
    for (int i = 0; i < THREADS; i++)
        assert_true(workers_push(w, &done));
    assert_false(workers_push(w, &done));
    mutex_lock(&gate.lock);
    gate.open = true;
    cond_broadcast(&gate.changed);
    mutex_unlock(&gate.lock);
    workers_stop(w);
    assert_int_equal(atomic_load(&done), THREADS * 2);
    assert_false(workers_push(w, &done));
    workers_free(w);
    cond_release(&gate.changed);
    mutex_release(&gate.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pushed_item_runs_once),
        cmocka_unit_test(all_workers_run_though_one_wake_up_is_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
