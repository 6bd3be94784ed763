// SPDX-License-Identifier: Apache-2.0
// What others change while the engine runs; rows that cannot be read.
#include "../tests/sim/bench.h"

static void one_plan_that_cannot_be_read_does_not_stop_the_others(void **state)
{
    struct bench *b = *state;
    struct job bad = bench_job(b, SCHEDULE_CRON), good = bench_every(b, 10);
    b->end_at_once = true;
    bad.schedule.cron_expression = STR("this is no cron expression");
    struct plan p = bench_plan(b, &bad);
    p.next_fire = bench_at(5);
    bench_insert_planned(b, &bad, &p);
    bench_insert(b, &good);
    bench_until(b, 20);
    assert_int_equal(b->started, 2);
    bench_kill(b); // at start-up, too
    bench_boot(b);
    bench_until(b, 40);
    assert_int_equal(b->started, 4);
}

static void a_deleted_job_stops_firing(void **state)
{
    struct bench *b = *state;
    struct err err = {0};
    struct engine_status s;
    struct job j = bench_every(b, 10);
    b->end_at_once = true;
    bench_insert(b, &j);
    bench_until(b, 15);
    assert_true(b->store->ops->job_delete(b->store, j.id, 1, bench_at(15), &err));
    engine_poke_jobs(b->engine, &j.id, 1);
    bench_until(b, 100);
    assert_int_equal(b->started, 1);
    engine_status(b->engine, &s);
    assert_int_equal(s.plans, 0);
}

static void a_poke_for_nothing_is_harmless(void **state)
{
    struct bench *b = *state;
    struct engine_status s;
    struct ulid nobody = ulid_new(bench_at(0), &b->rng);
    engine_poke_jobs(b->engine, &nobody, 1);
    engine_poke_run(b->engine, nobody);
    engine_cancel_run(b->engine, nobody);
    bench_settle(b);
    engine_status(b->engine, &s);
    assert_int_equal(s.plans, 0);
    assert_int_equal(s.queued, 0);
}

static void a_queued_run_cancelled_in_the_store_is_not_started(void **state)
{
    struct bench *b = *state;
    struct err err = {0};
    struct engine_status s;
    enum run_cancel_result result;
    struct job j = bench_job(b, SCHEDULE_MANUAL);
    j.retry_policy.max_attempts = 2;
    bench_insert(b, &j);
    (void)bench_run_now(b, j.id, PRIORITY_LOW);
    bench_settle(b);
    bench_end(b, 0, RUN_FAILED, "X");
    bench_settle(b);
    assert_int_equal(bench_count(b, RUN_QUEUED), 1);
    size_t at = b->runs[0].status == RUN_QUEUED ? 0 : 1;
    assert_true(b->store->ops->run_cancel(b->store, b->runs[at].id, bench_at(0), &result, &err));
    assert_int_equal(result, CANCEL_DONE);
    engine_cancel_run(b->engine, b->runs[at].id);
    bench_until(b, 100);
    assert_int_equal(b->started, 1);
    engine_status(b->engine, &s);
    assert_int_equal(s.queued, 0);
}

static void a_run_poked_twice_starts_once(void **state)
{
    struct bench *b = *state;
    struct job j = bench_job(b, SCHEDULE_MANUAL);
    bench_insert(b, &j);
    struct ulid id = bench_run_now(b, j.id, PRIORITY_LOW);
    engine_poke_run(b->engine, id);
    bench_settle(b);
    engine_poke_run(b->engine, id);
    bench_settle(b);
    assert_int_equal(b->started, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(one_plan_that_cannot_be_read_does_not_stop_the_others),
        TEST(a_deleted_job_stops_firing),
        TEST(a_poke_for_nothing_is_harmless),
        TEST(a_queued_run_cancelled_in_the_store_is_not_started),
        TEST(a_run_poked_twice_starts_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
