// SPDX-License-Identifier: Apache-2.0
// The definition as attempts load it, also when it cannot be loaded.
#include "../tests/sim/bench.h"

static enum store_fault no_definitions(void *ctx, const char *op, bool writes)
{
    (void)ctx;
    (void)writes;
    return strcmp(op, "job_definition") == 0 ? FAULT_FAIL : FAULT_NONE;
}

// An attempt that cannot load its job says so at once, as the runner does.
static void start_and_fail(struct executor *x, struct attempt **v, size_t n)
{
    struct bench *b = (struct bench *)x;
    for (size_t i = 0; i < n; i++) {
        bench_load(v[i]);
        b->started++;
        v[i]->result.status = RUN_FAILED;
        v[i]->result.error_class = STR("LOAD");
        v[i]->sink->done(v[i]->sink, v[i]);
    }
}

static void a_definition_that_cannot_be_read_uses_up_no_attempt(void **state)
{
    struct bench *b = *state;
    struct job j = bench_job(b, SCHEDULE_MANUAL); // one attempt only
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    bench_insert(b, &j);
    struct ulid id = bench_run_now(b, j.id, PRIORITY_LOW);
    b->x.start = start_and_fail;
    store_memory_set_faults(b->store, (struct store_faults){no_definitions, NULL});
    bench_settle(b);
    store_memory_set_faults(b->store, (struct store_faults){0});
    b->x.start = bench_start;
    bench_until(b, 10);
    struct run r = bench_run_get(b, id);
    assert_int_equal(r.status, RUN_LOST);
    assert_true(str_is(r.error_class, "LOAD_FAILED"));
    assert_int_equal(b->n_held, 1);
    assert_int_equal(b->held[0]->number, 2);
}

// The job is deleted between the claim and the load.
static void delete_and_start(struct executor *x, struct attempt **v, size_t n)
{
    struct bench *b = (struct bench *)x;
    struct err err = {0};
    assert_true(b->store->ops->job_delete(b->store, v[0]->job_id, 1, bench_at(0), &err));
    start_and_fail(x, v, n);
}

static void a_run_whose_job_is_gone_at_load_ends_cancelled(void **state)
{
    struct bench *b = *state;
    struct job j = bench_job(b, SCHEDULE_MANUAL);
    j.retry_policy.max_attempts = 5;
    bench_insert(b, &j);
    b->x.start = delete_and_start;
    struct ulid id = bench_run_now(b, j.id, PRIORITY_LOW);
    bench_until(b, 100);
    struct run r = bench_run_get(b, id);
    assert_int_equal(r.status, RUN_CANCELLED);
    assert_true(str_is(r.error_class, "JOB_DELETED"));
    assert_int_equal(bench_runs(b), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_definition_that_cannot_be_read_uses_up_no_attempt),
        TEST(a_run_whose_job_is_gone_at_load_ends_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
