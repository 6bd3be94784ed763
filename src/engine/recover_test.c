// SPDX-License-Identifier: Apache-2.0
// Start-up after a crash.
#include "../tests/sim/bench.h"

static struct ulid running(struct bench *b, struct job *ret)
{
    *ret = bench_job(b, SCHEDULE_MANUAL);
    bench_insert(b, ret);
    struct ulid id = bench_run_now(b, ret->id, PRIORITY_LOW);
    bench_settle(b);
    assert_int_equal(bench_run_get(b, id).status, RUN_RUNNING);
    return id;
}

static void a_run_of_a_dead_engine_ends_lost_and_is_repeated_at_once(void **state)
{
    struct bench *b = *state;
    struct job j;
    struct ulid id = running(b, &j);
    bench_kill(b);
    bench_boot(b);
    bench_settle(b);
    struct run lost = bench_run_get(b, id);
    assert_int_equal(lost.status, RUN_LOST);
    assert_true(str_is(lost.error_class, "LOST"));
    assert_int_equal(b->n_held, 1);
    assert_int_equal(b->held[0]->number, 2); // although the job has one attempt only
    assert_true(ulid_eq(b->held[0]->run_key, lost.run_key));
    assert_int_equal(bench_run_get(b, b->held[0]->run_id).lost_count, 1);
}

static void recovering_twice_changes_nothing_more(void **state)
{
    struct bench *b = *state;
    struct err err = {0};
    struct job j;
    (void)running(b, &j);
    bench_kill(b);
    bench_boot(b);
    assert_true(engine_recover(b->engine, &err));
    bench_settle(b);
    assert_true(engine_recover(b->engine, &err));
    bench_settle(b);
    assert_int_equal(b->n_held, 1);
    assert_int_equal(bench_runs(b), 2);
}

static void a_run_lost_again_and_again_becomes_a_dead_letter(void **state)
{
    struct bench *b = *state;
    struct dead_letter d;
    struct job j;
    (void)running(b, &j);
    for (int i = 0; i < RUN_LOST_MAX + 1; i++) {
        assert_int_equal(b->n_held, 1);
        bench_kill(b);
        bench_boot(b);
        bench_settle(b);
    }
    assert_int_equal(b->n_held, 0);
    assert_int_equal(bench_count(b, RUN_LOST), RUN_LOST_MAX + 1);
    assert_int_equal(bench_dead_letters(b, &d), 1);
    assert_true(str_contains(d.reason, STR("lost")));
    assert_true(str_contains(d.definition, STR("DUMMY")));
}

static void a_lost_run_that_was_to_be_cancelled_ends_cancelled(void **state)
{
    struct bench *b = *state;
    struct err err = {0};
    enum run_cancel_result result;
    struct job j;
    struct ulid id = running(b, &j);
    assert_true(b->store->ops->run_cancel(b->store, id, bench_at(0), &result, &err));
    bench_kill(b);
    bench_boot(b);
    bench_settle(b);
    assert_int_equal(bench_run_get(b, id).status, RUN_CANCELLED);
    assert_int_equal(bench_runs(b), 1);
}

static void a_lost_run_of_a_deleted_job_is_not_repeated(void **state)
{
    struct bench *b = *state;
    struct err err = {0};
    struct job j;
    struct ulid id = running(b, &j);
    assert_true(b->store->ops->job_delete(b->store, j.id, 1, bench_at(0), &err));
    bench_kill(b);
    bench_boot(b);
    bench_settle(b);
    assert_true(str_is(bench_run_get(b, id).error_class, "JOB_DELETED"));
    assert_int_equal(bench_runs(b), 1);
}

static void queued_runs_wait_for_their_time_across_a_restart(void **state)
{
    struct bench *b = *state;
    struct job j = bench_job(b, SCHEDULE_MANUAL);
    j.retry_policy.max_attempts = 2;
    j.retry_policy.backoff_seconds = 100;
    bench_insert(b, &j);
    (void)bench_run_now(b, j.id, PRIORITY_LOW);
    bench_settle(b);
    bench_end(b, 0, RUN_FAILED, "X");
    bench_settle(b);
    bench_kill(b);
    bench_boot(b);
    bench_until(b, 99);
    assert_int_equal(b->n_held, 0);
    bench_until(b, 100);
    assert_int_equal(b->n_held, 1);
    assert_int_equal(b->held[0]->number, 2);
}

static void the_late_word_of_a_former_owner_is_refused(void **state)
{
    struct bench *b = *state;
    struct job j;
    struct ulid id = running(b, &j);
    struct engine *old = TAKE(b->engine); // it is only asleep
    struct attempt *late = b->held[0];
    b->n_held = 0;
    bench_boot(b);
    bench_settle(b);
    late->result.status = RUN_SUCCEEDED;
    late->sink->done(late->sink, late);
    (void)engine_tick(old);
    (void)engine_tick(old);
    assert_int_equal(bench_run_get(b, id).status, RUN_LOST);
    engine_free(old);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_run_of_a_dead_engine_ends_lost_and_is_repeated_at_once),
        TEST(recovering_twice_changes_nothing_more),
        TEST(a_run_lost_again_and_again_becomes_a_dead_letter),
        TEST(a_lost_run_that_was_to_be_cancelled_ends_cancelled),
        TEST(a_lost_run_of_a_deleted_job_is_not_repeated),
        TEST(queued_runs_wait_for_their_time_across_a_restart),
        TEST(the_late_word_of_a_former_owner_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
