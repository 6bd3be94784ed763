// SPDX-License-Identifier: Apache-2.0
// A store that fails and comes back.
#include "../tests/sim/bench.h"

static enum store_fault failing(void *ctx, const char *op, bool writes)
{
    (void)op;
    (void)writes;
    ++*(int *)ctx;
    return FAULT_FAIL;
}

static void break_store(struct bench *b, int *ret_calls)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    store_memory_set_faults(b->store, (struct store_faults){failing, ret_calls});
}

static void repair_store(struct bench *b)
{
    store_memory_set_faults(b->store, (struct store_faults){0});
}

static bool store_ok(struct bench *b)
{
    struct engine_status s;
    engine_status(b->engine, &s);
    return s.store_ok;
}

static void nothing_starts_while_the_store_fails_and_all_starts_within_five_seconds_after(void **state)
{
    struct bench *b = *state;
    int calls = 0;
    struct job j = bench_every(b, 10);
    bench_insert(b, &j);
    bench_settle(b);
    break_store(b, &calls);
    bench_until(b, 35);
    assert_int_equal(b->started, 0);
    assert_false(store_ok(b));
    assert_true(calls < 40); // it does not hammer
    repair_store(b);
    bench_until(b, 39.9);
    assert_int_equal(b->started, 3); // 10, 20, 30: late, not misfired
    assert_true(store_ok(b));
}

static void a_result_is_kept_until_the_store_can_take_it(void **state)
{
    struct bench *b = *state;
    int calls = 0;
    struct job j = bench_job(b, SCHEDULE_MANUAL);
    bench_insert(b, &j);
    struct ulid id = bench_run_now(b, j.id, PRIORITY_LOW);
    bench_settle(b);
    break_store(b, &calls);
    bench_end(b, 0, RUN_SUCCEEDED, NULL);
    bench_until(b, 100);
    repair_store(b);
    assert_int_equal(bench_run_get(b, id).status, RUN_RUNNING);
    bench_until(b, 105);
    struct run r = bench_run_get(b, id);
    assert_int_equal(r.status, RUN_SUCCEEDED);
    assert_int_equal(r.end.us, bench_at(0).us);
}

static void a_poke_during_the_failure_is_not_forgotten(void **state)
{
    struct bench *b = *state;
    int calls = 0;
    struct job j = bench_job(b, SCHEDULE_MANUAL);
    bench_insert(b, &j);
    struct ulid id = bench_run_now(b, j.id, PRIORITY_LOW);
    break_store(b, &calls);
    bench_until(b, 10);
    repair_store(b);
    bench_until(b, 15);
    assert_int_equal(bench_run_get(b, id).status, RUN_RUNNING);
}

static void work_beyond_one_flush_is_done_in_several(void **state)
{
    struct bench *b = *state;
    b->end_at_once = true;
    for (int i = 0; i < 300; i++) { // flush_max is 50, room 100
        struct job j = bench_every(b, 100);
        bench_insert(b, &j);
    }
    bench_until(b, 100);
    assert_int_equal(b->started, 300);
    assert_int_equal(bench_count(b, RUN_SUCCEEDED), 300);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(nothing_starts_while_the_store_fails_and_all_starts_within_five_seconds_after),
        TEST(a_result_is_kept_until_the_store_can_take_it),
        TEST(a_poke_during_the_failure_is_not_forgotten),
        TEST(work_beyond_one_flush_is_done_in_several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
