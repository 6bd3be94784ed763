// SPDX-License-Identifier: Apache-2.0
// Results that are written beside the starts: nothing of them is acted upon before the store has them, nothing is lost
// when it fails, and a new share waits for them.
#include "../tests/sim/bench.h"

#include "engine/core.h"

static int set_up(void **state)
{
    int rc = bench_setup(state);
    struct bench *b = *state;
    bench_kill(b);
    b->config.ends_apart = true;
    bench_boot(b);
    return rc;
}

static struct ulid run_ended(struct bench *b, int64_t attempts, int status)
{
    struct job j = bench_job(b, SCHEDULE_MANUAL);
    j.retry_policy.max_attempts = attempts;
    j.retry_policy.backoff_seconds = 1;
    bench_insert(b, &j);
    struct ulid id = bench_run_now(b, j.id, PRIORITY_LOW);
    bench_settle(b);
    assert_int_equal(b->n_held, 1);
    bench_end(b, 0, status, status == RUN_SUCCEEDED ? NULL : "X");
    bench_settle(b);
    return id;
}

static void starts_go_on_while_results_are_in_the_air(void **state)
{
    struct bench *b = *state;
    struct ulid first = run_ended(b, 1, RUN_SUCCEEDED);
    assert_false(ends_idle(b->engine));
    assert_int_equal(bench_run_get(b, first).status, RUN_RUNNING);
    struct ulid second = run_ended(b, 1, RUN_SUCCEEDED); // started meanwhile; its end waits
    engine_write_ends(b->engine);
    assert_int_equal(bench_run_get(b, first).status, RUN_SUCCEEDED);
    assert_int_equal(bench_run_get(b, second).status, RUN_RUNNING);
    bench_settle(b);
    engine_write_ends(b->engine);
    assert_int_equal(bench_run_get(b, second).status, RUN_SUCCEEDED);
    assert_false(engine_at_rest(b->engine)); // written, and not acted upon
    bench_settle(b);
    assert_true(engine_at_rest(b->engine));
}

struct once {
    enum store_fault fault;
};
static enum store_fault next_flush(void *ctx, const char *op, bool writes)
{
    struct once *o = ctx;
    enum store_fault fault = o->fault;
    if (!writes || strcmp(op, "flush") != 0)
        return FAULT_NONE;
    o->fault = FAULT_NONE;
    return fault;
}

static void retried_once(struct bench *b, enum store_fault fault)
{
    struct once o = {fault};
    struct ulid id = run_ended(b, 2, RUN_FAILED);
    store_memory_set_faults(b->store, (struct store_faults){next_flush, &o});
    engine_write_ends(b->engine);
    assert_int_equal(o.fault, FAULT_NONE);
    bench_until(b, 5); // over the pause after a failure
    engine_write_ends(b->engine);
    bench_until(b, 6);
    assert_int_equal(bench_run_get(b, id).status, RUN_FAILED);
    assert_int_equal(bench_runs(b), 2);
    bench_until(b, 10);
    assert_int_equal(b->started, 2);
}
static void results_that_were_not_written_are_kept(void **state) { retried_once(*state, FAULT_FAIL); }
static void results_of_a_lost_commit_are_kept(void **state) { retried_once(*state, FAULT_UNKNOWN_LOST); }
static void results_of_an_unknown_commit_count_once(void **state) { retried_once(*state, FAULT_UNKNOWN_COMMITTED); }

static void a_share_waits_for_what_is_in_the_air(void **state)
{
    struct bench *b = *state;
    struct engine_share share = {.token = 7, .lease_until = {INT64_MAX}, .generation = 1};
    (void)run_ended(b, 1, RUN_SUCCEEDED);
    engine_take_share(b->engine, &share);
    bench_settle(b);
    assert_int_equal(engine_share_taken(b->engine), 0);
    engine_write_ends(b->engine);
    bench_settle(b);
    assert_int_equal(engine_share_taken(b->engine), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(starts_go_on_while_results_are_in_the_air, set_up, bench_teardown),
        cmocka_unit_test_setup_teardown(results_that_were_not_written_are_kept, set_up, bench_teardown),
        cmocka_unit_test_setup_teardown(results_of_a_lost_commit_are_kept, set_up, bench_teardown),
        cmocka_unit_test_setup_teardown(results_of_an_unknown_commit_count_once, set_up, bench_teardown),
        cmocka_unit_test_setup_teardown(a_share_waits_for_what_is_in_the_air, set_up, bench_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
