// SPDX-License-Identifier: Apache-2.0
// Misfire policies after downtime, late work, and anchor END.
#include "../tests/sim/bench.h"

enum { DOWN_S = 600 }; // ten missed minutes

// A minutely job, and an engine that was down for ten minutes.
static void down(struct bench *b, int policy, int concurrency)
{
    struct job j = bench_every(b, 60);
    j.schedule.misfire_policy = policy;
    j.schedule.max_catch_up = 4;
    j.concurrency_policy = concurrency;
    bench_insert(b, &j);
    bench_settle(b);
    bench_kill(b);
    clock_virtual_advance(&b->clock, duration_s(DOWN_S + 30));
    bench_boot(b);
    bench_settle(b);
}

static void fire_now_runs_the_newest_missed_one_and_says_how_many_it_stands_for(void **state)
{
    struct bench *b = *state;
    down(*state, MISFIRE_FIRE_NOW, CONCURRENCY_ALLOW);
    // 60 … 540 are misfired (over 60 s late), 600 is late by 30 s and runs
    assert_int_equal(b->n_held, 2);
    assert_int_equal(bench_count(b, RUN_SKIPPED), 1);
    assert_true(str_is(b->runs[0].error_class, "COALESCED"));
    assert_int_equal(b->runs[0].occurrences, 8);
    assert_int_equal(b->runs[0].first_scheduled.us, bench_at(60).us);
    assert_int_equal(b->runs[0].scheduled.us, bench_at(480).us);
}

static void reschedule_records_them_missed_in_one_row(void **state)
{
    struct bench *b = *state;
    down(*state, MISFIRE_RESCHEDULE, CONCURRENCY_ALLOW);
    assert_int_equal(b->n_held, 1);
    assert_int_equal(bench_count(b, RUN_MISSED), 1);
    assert_true(str_is(b->runs[0].error_class, "MISFIRED"));
    assert_int_equal(b->runs[0].occurrences, 9);
}

static void ignore_writes_nothing_and_goes_on(void **state)
{
    struct bench *b = *state;
    down(*state, MISFIRE_IGNORE, CONCURRENCY_ALLOW);
    assert_int_equal(bench_runs(b), 1);
    assert_int_equal(b->runs[0].scheduled.us, bench_at(600).us);
}

static void fire_all_runs_the_oldest_up_to_the_maximum(void **state)
{
    struct bench *b = *state;
    down(*state, MISFIRE_FIRE_ALL, CONCURRENCY_ALLOW);
    size_t caught_up = 0;
    (void)bench_runs(b);
    for (size_t i = 0; i < b->n_runs; i++)
        caught_up += b->runs[i].trigger == TRIGGER_CATCH_UP && b->runs[i].status == RUN_RUNNING;
    assert_int_equal(caught_up, 4);
    assert_int_equal(b->n_held, 5);
    assert_int_equal(bench_count(b, RUN_MISSED), 1);
}

static void catch_up_runs_of_a_forbidding_job_wait_for_each_other(void **state)
{
    struct bench *b = *state;
    down(*state, MISFIRE_FIRE_ALL, CONCURRENCY_FORBID);
    assert_int_equal(b->n_held, 1);
    for (int i = 0; i < 4; i++) {
        bench_end(b, 0, RUN_SUCCEEDED, NULL);
        bench_settle(b);
        assert_true(b->n_held <= 1);
    }
    if (b->n_held == 1)
        bench_end(b, 0, RUN_SUCCEEDED, NULL);
    bench_settle(b);
    size_t caught_up = 0;
    (void)bench_runs(b);
    for (size_t i = 0; i < b->n_runs; i++)
        caught_up += b->runs[i].trigger == TRIGGER_CATCH_UP && b->runs[i].status == RUN_SUCCEEDED;
    assert_int_equal(caught_up, 4); // each of them, none skipped
}

static void late_work_leaves_half_of_the_room_to_work_on_time(void **state)
{
    struct bench *b = *state;
    for (int i = 0; i < 300; i++) {
        struct job j = bench_every(b, 3600);
        bench_insert(b, &j);
    }
    bench_settle(b);
    bench_kill(b);
    clock_virtual_advance(&b->clock, duration_s(5000));
    bench_boot(b);
    bench_settle(b);
    assert_int_equal(b->n_held, b->config.running_max / 2);
    struct job j = bench_job(b, SCHEDULE_MANUAL);
    bench_insert(b, &j);
    bench_run_now(b, j.id, PRIORITY_LOW);
    bench_settle(b);
    assert_int_equal(b->n_held, b->config.running_max / 2 + 1);
}

static void anchor_end_waits_after_the_end_of_each_run_whatever_it_was(void **state)
{
    struct bench *b = *state;
    struct job j = bench_every(b, 60);
    j.schedule.anchor = ANCHOR_END;
    bench_insert(b, &j);
    bench_until(b, 60);
    bench_until(b, 100);
    assert_int_equal(b->started, 1);
    bench_end(b, 0, RUN_SUCCEEDED, NULL);
    bench_until(b, 159);
    assert_int_equal(b->started, 1);
    bench_until(b, 160);
    assert_int_equal(b->started, 2);
    bench_end(b, 0, RUN_FAILED, "X");
    bench_until(b, 220);
    assert_int_equal(b->started, 3);
    bench_end(b, 0, RUN_CANCELLED, "CANCELLED");
    bench_until(b, 280);
    assert_int_equal(b->started, 4);
}

static void anchor_end_goes_on_after_a_restart_without_any_run(void **state)
{
    struct bench *b = *state;
    struct job j = bench_every(b, 60);
    j.schedule.anchor = ANCHOR_END;
    struct plan p = bench_plan(b, &j);
    p.next_fire = INSTANT_NEVER; // its run was cancelled while no engine was there
    bench_insert_planned(b, &j, &p);
    bench_kill(b);
    bench_boot(b);
    bench_until(b, 60);
    assert_int_equal(b->started, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(fire_now_runs_the_newest_missed_one_and_says_how_many_it_stands_for),
        TEST(reschedule_records_them_missed_in_one_row),
        TEST(ignore_writes_nothing_and_goes_on),
        TEST(fire_all_runs_the_oldest_up_to_the_maximum),
        TEST(catch_up_runs_of_a_forbidding_job_wait_for_each_other),
        TEST(late_work_leaves_half_of_the_room_to_work_on_time),
        TEST(anchor_end_waits_after_the_end_of_each_run_whatever_it_was),
        TEST(anchor_end_goes_on_after_a_restart_without_any_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
