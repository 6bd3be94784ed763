// SPDX-License-Identifier: Apache-2.0
// A connection lost during COMMIT: read again by token before acting.
#include "../tests/sim/bench.h"

struct once {
    enum store_fault fault;
    bool reads_fail;
};

static enum store_fault next_flush(void *ctx, const char *op, bool writes)
{
    struct once *o = ctx;
    enum store_fault fault = o->fault;
    if (!writes)
        return o->reads_fail ? FAULT_FAIL : FAULT_NONE;
    if (strcmp(op, "flush") != 0)
        return FAULT_NONE;
    o->fault = FAULT_NONE;
    return fault;
}

static void fault_next(struct bench *b, struct once *o)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    store_memory_set_faults(b->store, (struct store_faults){next_flush, o});
}

static void starts_exactly_once(struct bench *b, enum store_fault fault)
{
    struct once o = {fault, false};
    struct job j = bench_every(b, 60);
    bench_insert(b, &j);
    bench_settle(b);
    fault_next(b, &o);
    bench_until(b, 66);
    assert_int_equal(o.fault, FAULT_NONE);
    assert_int_equal(b->started, 1);
    assert_int_equal(bench_count(b, RUN_RUNNING), 1);
}

static void a_fire_that_was_committed_is_started_once(void **state)
{
    starts_exactly_once(*state, FAULT_UNKNOWN_COMMITTED);
}

static void a_fire_that_was_not_committed_is_decided_again(void **state)
{
    starts_exactly_once(*state, FAULT_UNKNOWN_LOST);
}

static void claims_once(struct bench *b, enum store_fault fault)
{
    struct once o = {fault, false};
    struct job j = bench_job(b, SCHEDULE_MANUAL);
    bench_insert(b, &j);
    bench_settle(b);
    fault_next(b, &o);
    struct ulid id = bench_run_now(b, j.id, PRIORITY_LOW);
    bench_until(b, 6);
    assert_int_equal(b->started, 1);
    assert_int_equal(bench_run_get(b, id).status, RUN_RUNNING);
}

static void a_claim_that_was_committed_is_started_once(void **state)
{
    claims_once(*state, FAULT_UNKNOWN_COMMITTED);
}

static void a_claim_that_was_not_committed_is_made_again(void **state)
{
    claims_once(*state, FAULT_UNKNOWN_LOST);
}

static void records_once(struct bench *b, enum store_fault fault)
{
    struct once o = {fault, false};
    struct job j = bench_job(b, SCHEDULE_MANUAL);
    j.retry_policy.max_attempts = 2;
    bench_insert(b, &j);
    struct ulid id = bench_run_now(b, j.id, PRIORITY_LOW);
    bench_settle(b);
    fault_next(b, &o);
    bench_end(b, 0, RUN_FAILED, "X");
    bench_until(b, 5);
    assert_int_equal(bench_run_get(b, id).status, RUN_FAILED);
    assert_int_equal(bench_runs(b), 2);
    bench_until(b, 10);
    assert_int_equal(b->started, 2); // the retry
}

static void a_result_that_was_committed_is_not_recorded_twice(void **state)
{
    records_once(*state, FAULT_UNKNOWN_COMMITTED);
}

static void a_result_that_was_not_committed_is_kept(void **state)
{
    records_once(*state, FAULT_UNKNOWN_LOST);
}

// The plan was set back to an occurrence that has a run: the store refused the fire, and the answer was lost.
static void a_run_that_was_there_before_proves_nothing(void **state)
{
    struct bench *b = *state;
    struct once o = {FAULT_UNKNOWN_COMMITTED, false};
    struct err err = {0};
    struct job j = bench_every(b, 60);
    j.schedule.misfire_policy = MISFIRE_FIRE_ALL;
    b->end_at_once = true;
    bench_insert(b, &j);
    bench_until(b, 70);
    assert_int_equal(b->started, 1);
    clock_virtual_advance(&b->clock, duration_s(55)); // one occurrence is due, the one before would be caught up
    assert_true(b->store->ops->job_set_state(b->store, j.id, JOB_STATE_ACTIVE, bench_at(60), bench_at(125), &err));
    engine_poke_jobs(b->engine, &j.id, 1);
    fault_next(b, &o);
    bench_until(b, 135);
    assert_int_equal(b->started, 2);
    assert_int_equal(bench_count(b, RUN_SUCCEEDED), 2); // what was started has a row
}

static void waiting_runs_of_a_fire_are_found(struct bench *b, enum store_fault fault)
{
    struct once o = {fault, false};
    struct job j = bench_every(b, 60);
    j.schedule.misfire_policy = MISFIRE_FIRE_ALL;
    b->end_at_once = true;
    bench_insert(b, &j);
    bench_settle(b);
    clock_virtual_advance(&b->clock, duration_s(200)); // three are due, two of them are caught up and wait
    fault_next(b, &o);
    bench_until(b, 210);
    assert_int_equal(b->started, 3);
    assert_int_equal(bench_count(b, RUN_SUCCEEDED), 3);
}

static void waiting_runs_of_a_committed_fire_are_found(void **state)
{
    waiting_runs_of_a_fire_are_found(*state, FAULT_UNKNOWN_COMMITTED);
}

static void waiting_runs_of_a_lost_fire_are_written_again(void **state)
{
    waiting_runs_of_a_fire_are_found(*state, FAULT_UNKNOWN_LOST);
}

static void nothing_is_acted_upon_while_the_store_cannot_tell(void **state)
{
    struct bench *b = *state;
    struct once o = {FAULT_UNKNOWN_COMMITTED, false};
    struct job j = bench_every(b, 60);
    bench_insert(b, &j);
    bench_settle(b);
    o.reads_fail = true;
    fault_next(b, &o);
    bench_until(b, 90);
    assert_int_equal(b->started, 0);
    o.reads_fail = false;
    bench_until(b, 95);
    assert_int_equal(b->started, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_fire_that_was_committed_is_started_once),
        TEST(a_fire_that_was_not_committed_is_decided_again),
        TEST(a_claim_that_was_committed_is_started_once),
        TEST(a_claim_that_was_not_committed_is_made_again),
        TEST(a_result_that_was_committed_is_not_recorded_twice),
        TEST(a_result_that_was_not_committed_is_kept),
        TEST(a_run_that_was_there_before_proves_nothing),
        TEST(waiting_runs_of_a_committed_fire_are_found),
        TEST(waiting_runs_of_a_lost_fire_are_written_again),
        TEST(nothing_is_acted_upon_while_the_store_cannot_tell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
