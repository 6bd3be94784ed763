// SPDX-License-Identifier: Apache-2.0
// The blocking pool: bodies run side by side up to the bound, waits are in order, cancels reach what waits,
// what runs and what has just ended.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/sync.h"
#include "jobs/blocking.h"

enum { THREADS = 3, MANY = 200, LOG_LINES = 16, PATIENCE_S = 30 };

static struct bench {
    struct mutex lock;
    struct cond changed;
    int inside, most_inside, ended, succeeded, cancelled, interrupts; // all under lock
    bool gate;                                                        // bodies may go on
} bench;
static struct job_env env;

static void on_done(struct attempt_sink *s, struct attempt *a)
{
    (void)s;
    WITH_LOCK(&bench.lock);
    bench.ended++;
    bench.succeeded += a->result.status == RUN_SUCCEEDED;
    bench.cancelled += a->result.status == RUN_CANCELLED;
    cond_broadcast(&bench.changed);
}
static struct attempt_sink sink = {.done = on_done};

static int set_up(void **state)
{
    (void)state;
    bench = (struct bench){0};
    mutex_init(&bench.lock, LOCK_TEST);
    cond_init(&bench.changed);
    env = (struct job_env){.blocking = blocking_new(THREADS)};
    return 0;
}
static int tear_down(void **state)
{
    (void)state;
    blocking_free(env.blocking);
    cond_release(&bench.changed);
    mutex_release(&bench.lock);
    return 0;
}

static const struct job_type blocker = {.name = "BLOCKER"};

static struct attempt *attempt_make(int i)
{
    struct attempt *a = mem_new(struct attempt);
    a->run_id.b[0] = (uint8_t)i;
    a->run_id.b[1] = (uint8_t)(i >> 8);
    a->run_id.b[2] = 1;
    a->sink = &sink;
    a->env = &env;
    a->type = &blocker;
    atomic_store(&a->cancel, -1);
    arena_init(&a->arena, ATTEMPT_ARENA_BUDGET);
    return a;
}
static void attempt_drop(struct attempt *a)
{
    arena_release(&a->arena);
    mem_free(a);
}

static void await(const int *number, int at_least)
{
    WITH_LOCK(&bench.lock);
    while (*number < at_least)
        assert_true(cond_wait_for(&bench.changed, &bench.lock, duration_s(PATIENCE_S)));
}
static void gate_open(void)
{
    WITH_LOCK(&bench.lock);
    bench.gate = true;
    cond_broadcast(&bench.changed);
}

static void body_waits_at_gate(struct attempt *a)
{
    {
        WITH_LOCK(&bench.lock);
        bench.inside++;
        if (bench.inside > bench.most_inside)
            bench.most_inside = bench.inside;
        cond_broadcast(&bench.changed);
        while (!bench.gate)
            cond_wait(&bench.changed, &bench.lock);
        bench.inside--;
    }
    attempt_succeed(a, FIELD_ABSENT);
}

static void bodies_run_side_by_side_up_to_the_bound(void **state)
{
    (void)state;
    struct attempt *v[MANY];
    for (int i = 0; i < MANY; i++)
        attempt_block(v[i] = attempt_make(i), body_waits_at_gate);
    await(&bench.inside, THREADS);
    gate_open();
    await(&bench.ended, MANY);
    assert_int_equal(bench.most_inside, THREADS);
    assert_int_equal(bench.succeeded, MANY);
    for (int i = 0; i < MANY; i++)
        attempt_drop(v[i]);
}

static void who_waits_is_cancelled_at_once(void **state)
{
    (void)state;
    struct attempt *v[THREADS + 3];
    for (int i = 0; i < THREADS + 3; i++)
        attempt_block(v[i] = attempt_make(i), body_waits_at_gate);
    await(&bench.inside, THREADS);
    attempt_block_cancel(v[THREADS + 2], CANCEL_BY_USER); // the last, the first, and the only one left
    attempt_block_cancel(v[THREADS], CANCEL_BY_USER);
    attempt_block_cancel(v[THREADS + 1], CANCEL_BY_USER);
    assert_int_equal(bench.cancelled, 3);
    struct attempt *later = attempt_make(THREADS + 3);
    attempt_block(later, body_waits_at_gate); // the queue is still whole
    gate_open();
    await(&bench.ended, THREADS + 4);
    assert_int_equal(bench.succeeded, THREADS + 1);
    for (int i = 0; i < THREADS + 3; i++)
        attempt_drop(v[i]);
    attempt_drop(later);
}

static void on_interrupt(void *ctx)
{
    WITH_LOCK(&bench.lock);
    (void)ctx;
    bench.interrupts++;
    cond_broadcast(&bench.changed);
}

static void body_waits_for_interrupt(struct attempt *a)
{
    attempt_interruptible(a, on_interrupt, &bench);
    {
        WITH_LOCK(&bench.lock);
        bench.inside++;
        cond_broadcast(&bench.changed);
        while (bench.interrupts == 0)
            cond_wait(&bench.changed, &bench.lock);
    }
    attempt_uninterruptible(a);
    assert_true(attempt_ended_by_cancel(a));
}

static void who_runs_is_interrupted(void **state)
{
    (void)state;
    struct attempt *a = attempt_make(1);
    attempt_block(a, body_waits_for_interrupt);
    await(&bench.inside, 1);
    atomic_store(&a->cancel, CANCEL_BY_USER);
    attempt_block_cancel(a, CANCEL_BY_USER);
    await(&bench.ended, 1);
    assert_int_equal(bench.cancelled, 1);
    attempt_drop(a);
}

static void a_cancel_before_the_interrupter_is_set_is_not_lost(void **state)
{
    (void)state;
    struct attempt *a = attempt_make(1);
    atomic_store(&a->cancel, CANCEL_BY_USER);
    attempt_block(a, body_waits_for_interrupt);
    await(&bench.ended, 1);
    assert_int_equal(bench.cancelled, 1);
    attempt_drop(a);
}

static void without_a_pool_it_fails_in_a_sentence(void **state)
{
    (void)state;
    struct job_env bare = {0};
    struct attempt *a = attempt_make(1);
    a->env = &bare;
    attempt_block(a, body_waits_at_gate);
    assert_int_equal(bench.ended, 1);
    assert_int_equal(a->result.status, RUN_FAILED);
    attempt_drop(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bodies_run_side_by_side_up_to_the_bound, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_waits_is_cancelled_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_runs_is_interrupted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cancel_before_the_interrupter_is_set_is_not_lost, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(without_a_pool_it_fails_in_a_sentence, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
