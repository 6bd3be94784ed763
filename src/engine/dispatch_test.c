// SPDX-License-Identifier: Apache-2.0
// Deadlines of attempts: told to end, then given up.
#include "../tests/sim/bench.h"

static struct job timed_job(struct bench *b)
{
    struct job j = bench_job(b, SCHEDULE_MANUAL);
    j.timeout_seconds = 20;
    bench_insert(b, &j);
    (void)bench_run_now(b, j.id, PRIORITY_LOW);
    bench_settle(b);
    return j;
}

static void an_attempt_past_its_timeout_is_told_to_end_and_recorded_timed_out(void **state)
{
    struct bench *b = *state;
    (void)timed_job(b);
    bench_until(b, 19.9);
    assert_int_equal(b->cancelled_why, -1);
    bench_until(b, 20);
    assert_int_equal(b->cancelled_why, CANCEL_BY_TIMEOUT);
    bench_end(b, 0, RUN_TIMED_OUT, NULL);
    bench_settle(b);
    assert_int_equal(bench_count(b, RUN_TIMED_OUT), 1);
    assert_true(str_is(b->runs[0].error_class, "TIMEOUT"));
}

static void the_clock_set_forward_times_nothing_out(void **state)
{
    struct bench *b = *state;
    (void)timed_job(b);
    clock_virtual_step(&b->clock, duration_s(3600));
    bench_settle(b);
    assert_int_equal(b->cancelled_why, -1);
}

static void an_executor_that_does_not_let_go_is_given_up_after_the_grace(void **state)
{
    struct bench *b = *state;
    struct engine_status s;
    log_configure(LOG_LEVEL_ERROR + 1, LOG_FORMAT_TEXT); // it says so, loudly
    (void)timed_job(b);
    bench_until(b, 49.9);
    assert_int_equal(bench_count(b, RUN_RUNNING), 1);
    bench_until(b, 50);
    assert_int_equal(bench_count(b, RUN_TIMED_OUT), 1);
    engine_status(b->engine, &s);
    assert_int_equal(s.running, 1); // its place stays taken
    bench_end(b, 0, RUN_SUCCEEDED, NULL); // too late: nobody listens
    bench_settle(b);
    engine_status(b->engine, &s);
    assert_int_equal(s.running, 0);
    assert_int_equal(bench_count(b, RUN_TIMED_OUT), 1);
}

static void the_executor_is_told_what_it_needs(void **state)
{
    struct bench *b = *state;
    (void)timed_job(b);
    const struct attempt *a = b->held[0];
    assert_int_equal(a->number, 1);
    assert_int_equal(a->timeout.us, duration_s(20).us);
    assert_int_equal(a->trigger, TRIGGER_MANUAL);
    assert_int_equal(a->scheduled.us, bench_at(0).us);
    assert_true(str_is(a->job.name, "job") && a->job_version == 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_attempt_past_its_timeout_is_told_to_end_and_recorded_timed_out),
        TEST(the_clock_set_forward_times_nothing_out),
        TEST(an_executor_that_does_not_let_go_is_given_up_after_the_grace),
        TEST(the_executor_is_told_what_it_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
