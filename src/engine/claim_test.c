// SPDX-License-Identifier: Apache-2.0
// The concurrency rule and the order of what waits for room.
#include "../tests/sim/bench.h"

static struct job job_with(struct bench *b, int concurrency)
{
    struct job j = bench_every(b, 10);
    j.concurrency_policy = concurrency;
    bench_insert(b, &j);
    return j;
}

static void allow_runs_side_by_side(void **state)
{
    struct bench *b = *state;
    (void)job_with(b, CONCURRENCY_ALLOW);
    bench_until(b, 30);
    assert_int_equal(b->n_held, 3);
}

static void forbid_skips_and_names_the_run_in_the_way(void **state)
{
    struct bench *b = *state;
    (void)job_with(b, CONCURRENCY_FORBID);
    bench_until(b, 20);
    assert_int_equal(b->n_held, 1);
    assert_int_equal(bench_count(b, RUN_SKIPPED), 1);
    struct run r = b->runs[1];
    assert_int_equal(r.status, RUN_SKIPPED);
    assert_true(str_is(r.error_class, "OVERLAP"));
    assert_true(ulid_eq(r.blocked_by, b->held[0]->run_id));
    bench_end(b, 0, RUN_SUCCEEDED, NULL);
    bench_until(b, 30);
    assert_int_equal(b->n_held, 1);
}

static void forbid_holds_for_a_manual_start_too(void **state)
{
    struct bench *b = *state;
    struct job j = job_with(b, CONCURRENCY_FORBID);
    bench_until(b, 10);
    struct ulid id = bench_run_now(b, j.id, PRIORITY_LOW);
    bench_settle(b);
    struct run r = bench_run_get(b, id);
    assert_int_equal(r.status, RUN_SKIPPED);
    assert_true(str_is(r.error_class, "OVERLAP"));
    assert_true(str_contains(r.error_message, STR("is in the way")));
    assert_int_equal(b->n_held, 1);
}

static void a_run_that_ended_at_the_same_instant_is_not_in_the_way(void **state)
{
    struct bench *b = *state;
    (void)job_with(b, CONCURRENCY_FORBID);
    bench_until(b, 10);
    clock_virtual_advance(&b->clock, duration_s(10));
    bench_end(b, 0, RUN_SUCCEEDED, NULL);
    bench_settle(b);
    assert_int_equal(b->n_held, 1);
    assert_int_equal(bench_count(b, RUN_SKIPPED), 0);
}

static void queue_keeps_the_newest_one_waiting(void **state)
{
    struct bench *b = *state;
    (void)job_with(b, CONCURRENCY_QUEUE);
    bench_until(b, 45);
    assert_int_equal(b->n_held, 1);
    assert_int_equal(bench_count(b, RUN_QUEUED), 1);
    assert_int_equal(bench_count(b, RUN_SKIPPED), 2);
    assert_true(str_is(b->runs[1].error_class, "COALESCED"));
    bench_end(b, 0, RUN_SUCCEEDED, NULL);
    bench_settle(b);
    assert_int_equal(b->n_held, 1);
    assert_int_equal(b->held[0]->scheduled.us, bench_at(40).us);
}

static void replace_cancels_first_and_starts_when_the_other_has_ended(void **state)
{
    struct bench *b = *state;
    (void)job_with(b, CONCURRENCY_REPLACE);
    bench_until(b, 20);
    assert_int_equal(b->n_held, 1);
    assert_int_equal(b->cancelled_why, CANCEL_BY_REPLACE);
    assert_true(ulid_eq(b->cancelled, b->held[0]->run_id));
    assert_int_equal(bench_count(b, RUN_QUEUED), 1);
    bench_end(b, 0, RUN_CANCELLED, "CANCELLED");
    bench_settle(b);
    assert_int_equal(b->n_held, 1);
    assert_int_equal(b->held[0]->scheduled.us, bench_at(20).us);
    assert_int_equal(bench_count(b, RUN_CANCELLED), 1);
    assert_int_equal(bench_count(b, RUN_QUEUED), 0);
}

static void a_full_engine_starts_the_most_urgent_first(void **state)
{
    struct bench *b = *state;
    bench_kill(b);
    b->config.running_max = 1;
    bench_boot(b);
    struct job j = bench_job(b, SCHEDULE_MANUAL);
    bench_insert(b, &j);
    bench_run_now(b, j.id, PRIORITY_LOW);
    bench_settle(b);
    struct ulid low = bench_run_now(b, j.id, PRIORITY_LOW);
    struct ulid high = bench_run_now(b, j.id, PRIORITY_CRITICAL);
    bench_settle(b);
    assert_int_equal(b->n_held, 1);
    bench_end(b, 0, RUN_SUCCEEDED, NULL);
    bench_settle(b);
    assert_true(ulid_eq(b->held[0]->run_id, high));
    bench_until(b, 240); // four minutes: LOW has risen above a new CRITICAL
    struct ulid newer = bench_run_now(b, j.id, PRIORITY_CRITICAL);
    bench_settle(b);
    bench_end(b, 0, RUN_SUCCEEDED, NULL);
    bench_settle(b);
    assert_true(ulid_eq(b->held[0]->run_id, low));
    bench_end(b, 0, RUN_SUCCEEDED, NULL);
    bench_settle(b);
    assert_true(ulid_eq(b->held[0]->run_id, newer));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(allow_runs_side_by_side),
        TEST(forbid_skips_and_names_the_run_in_the_way),
        TEST(forbid_holds_for_a_manual_start_too),
        TEST(a_run_that_ended_at_the_same_instant_is_not_in_the_way),
        TEST(queue_keeps_the_newest_one_waiting),
        TEST(replace_cancels_first_and_starts_when_the_other_has_ended),
        TEST(a_full_engine_starts_the_most_urgent_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
