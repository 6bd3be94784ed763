// SPDX-License-Identifier: Apache-2.0
// Retries, backoff and dead letters.
#include "../tests/sim/bench.h"

static struct job failing_job(struct bench *b, int64_t attempts)
{
    struct job j = bench_job(b, SCHEDULE_MANUAL);
    j.retry_policy.max_attempts = attempts;
    j.retry_policy.backoff_seconds = 10;
    return j;
}

// Fails the only attempt in flight and returns the newest run of the occurrence.
static struct run fail_one(struct bench *b, const char *error_class)
{
    assert_int_equal(b->n_held, 1);
    struct ulid key = b->held[0]->run_key;
    struct ulid job = b->held[0]->job_id;
    struct instant scheduled = b->held[0]->scheduled;
    int64_t number = b->held[0]->number;
    bench_end(b, 0, RUN_FAILED, error_class);
    bench_settle(b);
    struct run r;
    struct err err = {0};
    struct ulid next = run_id_of(job, scheduled, key, number + 1);
    if (b->store->ops->run_get(b->store, next, &r, &b->arena, &err))
        return r;
    return bench_run_get(b, run_id_of(job, scheduled, key, number));
}

static void a_failed_attempt_is_repeated_after_the_backoff_with_the_same_run_key(void **state)
{
    struct bench *b = *state;
    struct job j = failing_job(b, 3);
    bench_insert(b, &j);
    struct ulid first = bench_run_now(b, j.id, PRIORITY_HIGH);
    bench_settle(b);
    struct ulid key = b->held[0]->run_key;
    struct run r = fail_one(b, "SCRIPT_ERROR");
    assert_int_equal(bench_run_get(b, first).status, RUN_FAILED);
    assert_int_equal(r.status, RUN_QUEUED);
    assert_int_equal(r.attempt, 2);
    assert_int_equal(r.trigger, TRIGGER_RETRY);
    assert_int_equal(r.due.us, bench_at(10).us);
    assert_int_equal(r.scheduled.us, bench_at(0).us);
    assert_true(ulid_eq(r.run_key, key));
    bench_until(b, 9.9);
    assert_int_equal(b->started, 1);
    bench_until(b, 10);
    assert_int_equal(b->started, 2);
    bench_end(b, 0, RUN_SUCCEEDED, NULL);
    bench_until(b, 1000);
    assert_int_equal(b->started, 2);
    assert_int_equal(bench_dead_letters(b, NULL), 0);
}

static void exponential_backoff_doubles_up_to_its_cap(void **state)
{
    struct bench *b = *state;
    struct job j = failing_job(b, 5);
    j.retry_policy.backoff_strategy = BACKOFF_EXPONENTIAL;
    j.retry_policy.max_backoff_seconds = 30;
    bench_insert(b, &j);
    bench_run_now(b, j.id, PRIORITY_LOW);
    const int64_t waits[] = {10, 20, 30, 30};
    int64_t at = 0;
    for (size_t i = 0; i < 4; i++) {
        bench_until(b, (double)at);
        at += waits[i];
        assert_int_equal(fail_one(b, "X").due.us, bench_at((double)at).us);
    }
}

static void a_longer_wait_asked_for_by_the_target_is_honoured(void **state)
{
    struct bench *b = *state;
    struct job j = failing_job(b, 2);
    bench_insert(b, &j);
    bench_run_now(b, j.id, PRIORITY_LOW);
    bench_settle(b);
    b->held[0]->result.retry_after = duration_s(120);
    assert_int_equal(fail_one(b, "HTTP_5XX").due.us, bench_at(120).us);
}

static void the_last_attempt_becomes_one_dead_letter_with_all_that_is_needed_to_repeat_it(void **state)
{
    struct bench *b = *state;
    struct dead_letter d;
    struct job j = failing_job(b, 2);
    bench_insert(b, &j);
    bench_run_now(b, j.id, PRIORITY_LOW);
    bench_settle(b);
    (void)fail_one(b, "SCRIPT_ERROR");
    bench_until(b, 10);
    struct run last = fail_one(b, "CONNECTION_ERROR");
    bench_until(b, 1000);
    assert_int_equal(b->started, 2);
    assert_int_equal(bench_dead_letters(b, &d), 1);
    assert_true(ulid_eq(d.last_run_id, last.id) && ulid_eq(d.run_key, last.run_key));
    assert_true(str_is(d.error_class, "CONNECTION_ERROR"));
    assert_true(str_is(d.job_name, "job") && d.job_version == 1);
    assert_true(str_contains(d.definition, STR("\"retryPolicy\"")));
    assert_true(str_contains(d.reason, STR("all 2 attempts failed")));
}

static void a_class_that_retry_on_does_not_list_is_not_repeated(void **state)
{
    struct bench *b = *state;
    struct dead_letter d;
    struct str listed[] = {STR("TIMEOUT")};
    struct job j = failing_job(b, 5);
    j.retry_policy.retry_on = (struct strs){listed, 1};
    bench_insert(b, &j);
    bench_run_now(b, j.id, PRIORITY_LOW);
    bench_settle(b);
    assert_int_equal(fail_one(b, "SCRIPT_ERROR").status, RUN_FAILED);
    assert_int_equal(bench_dead_letters(b, &d), 1);
    assert_true(str_contains(d.reason, STR("retryOn does not list SCRIPT_ERROR")));
}

static void a_run_whose_job_was_deleted_is_neither_repeated_nor_a_dead_letter(void **state)
{
    struct bench *b = *state;
    struct err err = {0};
    struct job j = failing_job(b, 5);
    bench_insert(b, &j);
    bench_run_now(b, j.id, PRIORITY_LOW);
    bench_settle(b);
    assert_true(b->store->ops->job_delete(b->store, j.id, 1, bench_at(0), &err));
    engine_poke_jobs(b->engine, &j.id, 1);
    bench_settle(b);
    assert_int_equal(fail_one(b, "X").status, RUN_FAILED);
    assert_int_equal(bench_runs(b), 1);
    assert_int_equal(bench_dead_letters(b, NULL), 0);
}

static void a_retry_of_a_job_deleted_in_between_ends_cancelled(void **state)
{
    struct bench *b = *state;
    struct err err = {0};
    struct job j = failing_job(b, 5);
    bench_insert(b, &j);
    bench_run_now(b, j.id, PRIORITY_LOW);
    bench_settle(b);
    struct run retry = fail_one(b, "X");
    assert_true(b->store->ops->job_delete(b->store, j.id, 1, bench_at(0), &err));
    bench_until(b, 100); // no poke: the claim finds out
    assert_int_equal(b->started, 1);
    assert_int_equal(bench_run_get(b, retry.id).status, RUN_CANCELLED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_failed_attempt_is_repeated_after_the_backoff_with_the_same_run_key),
        TEST(exponential_backoff_doubles_up_to_its_cap),
        TEST(a_longer_wait_asked_for_by_the_target_is_honoured),
        TEST(the_last_attempt_becomes_one_dead_letter_with_all_that_is_needed_to_repeat_it),
        TEST(a_class_that_retry_on_does_not_list_is_not_repeated),
        TEST(a_run_whose_job_was_deleted_is_neither_repeated_nor_a_dead_letter),
        TEST(a_retry_of_a_job_deleted_in_between_ends_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
