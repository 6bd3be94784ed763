// SPDX-License-Identifier: Apache-2.0
// Jobs that the end of a run starts: after the last attempt only, once, with what they are told.
#include "../tests/sim/bench.h"

#include "model/chain.h"

static struct str link_to(struct bench *b, struct ulid job, const char *parameters)
{
    char id[ULID_TEXT_MAX];
    struct str text =
        arena_fmt(&b->arena, "[{\"job\":\"%s\",\"parameters\":{%s}}]", ulid_format(job, id), parameters);
    assert_non_null(text.p);
    return text;
}

static struct job target_make(struct bench *b)
{
    struct job j = bench_job(b, SCHEDULE_MANUAL);
    j.name = STR("target");
    bench_insert(b, &j);
    return j;
}

static size_t runs_of(struct bench *b, struct ulid job, struct run *ret_last)
{
    size_t n = 0;
    (void)bench_runs(b);
    for (size_t i = 0; i < b->n_runs; i++)
        if (ulid_eq(b->runs[i].job_id, job)) {
            *ret_last = b->runs[i];
            n++;
        }
    return n;
}

static void a_success_starts_the_next_job(void **state)
{
    struct bench *b = *state;
    struct job target = target_make(b), j = bench_job(b, SCHEDULE_MANUAL);
    struct run r;
    j.on_success = link_to(b, target.id, "\"day\":\"{{run.status}} {{run.output}}\"");
    bench_insert(b, &j);
    struct ulid cause = bench_run_now(b, j.id, PRIORITY_HIGH);
    bench_settle(b);
    assert_int_equal(b->n_held, 1);
    assert_int_equal(runs_of(b, target.id, &r), 0);
    b->held[0]->result.output = STR("42\n");
    clock_virtual_advance(&b->clock, duration_s(7));
    bench_end(b, 0, RUN_SUCCEEDED, NULL);
    bench_settle(b);
    assert_int_equal(b->n_held, 1); // it runs in the same moment
    assert_int_equal(runs_of(b, target.id, &r), 1);
    assert_int_equal(r.status, RUN_RUNNING);
    assert_int_equal(r.trigger, TRIGGER_CHAIN);
    assert_int_equal(r.due.us, bench_at(7).us);
    assert_int_equal(r.scheduled.us, bench_at(0).us);
    struct run caused = bench_run_get(b, cause);
    assert_memory_equal(r.run_key.b, chain_run_key(target.id, &caused).b, 16);
    assert_true(str_starts(r.inputs, STR("{\"day\":\"SUCCEEDED 42\",\"cause\":{\"runId\":\"")));
    assert_int_equal(chain_depth(r.inputs), 1);
    bench_end(b, 0, RUN_SUCCEEDED, NULL);
    bench_settle(b);
    assert_int_equal(runs_of(b, target.id, &r), 1);
    assert_int_equal(r.status, RUN_SUCCEEDED);
}

static void a_failure_starts_others_after_the_last_attempt(void **state)
{
    struct bench *b = *state;
    struct job good = target_make(b), bad = target_make(b), j = bench_job(b, SCHEDULE_MANUAL);
    struct run r;
    j.retry_policy.max_attempts = 2;
    j.retry_policy.backoff_seconds = 10;
    j.on_success = link_to(b, good.id, "");
    j.on_failure = link_to(b, bad.id, "\"why\":\"{{run.errorClass}} after {{run.attempt}}\"");
    bench_insert(b, &j);
    (void)bench_run_now(b, j.id, PRIORITY_LOW);
    bench_settle(b);
    bench_end(b, 0, RUN_FAILED, "HTTP_5XX");
    bench_settle(b);
    assert_int_equal(runs_of(b, bad.id, &r), 0); // it is tried again
    bench_until(b, 10);
    bench_end(b, 0, RUN_FAILED, "HTTP_5XX");
    bench_settle(b);
    assert_int_equal(runs_of(b, good.id, &r), 0);
    assert_int_equal(runs_of(b, bad.id, &r), 1);
    assert_true(str_starts(r.inputs, STR("{\"why\":\"HTTP_5XX after 2\",")));
    assert_int_equal(bench_dead_letters(b, NULL), 1);
}

static void a_cancelled_run_starts_nothing(void **state)
{
    struct bench *b = *state;
    struct job target = target_make(b), j = bench_job(b, SCHEDULE_MANUAL);
    struct run r;
    j.on_success = j.on_failure = link_to(b, target.id, "");
    bench_insert(b, &j);
    (void)bench_run_now(b, j.id, PRIORITY_LOW);
    bench_settle(b);
    bench_end(b, 0, RUN_CANCELLED, "CANCELLED");
    bench_settle(b);
    assert_int_equal(runs_of(b, target.id, &r), 0);
}

static void a_deleted_job_is_left_out(void **state)
{
    struct bench *b = *state;
    struct err err = {0};
    struct job target = target_make(b), j = bench_job(b, SCHEDULE_MANUAL);
    struct run r;
    j.on_success = link_to(b, target.id, "");
    bench_insert(b, &j);
    struct ulid id = bench_run_now(b, j.id, PRIORITY_LOW);
    bench_settle(b);
    assert_true(b->store->ops->job_delete(b->store, target.id, 0, bench_at(1), &err));
    bench_end(b, 0, RUN_SUCCEEDED, NULL);
    bench_settle(b);
    assert_int_equal(runs_of(b, target.id, &r), 0);
    assert_int_equal(bench_run_get(b, id).status, RUN_SUCCEEDED); // nothing holds it up
}

static void chains_of_chains_end(void **state)
{
    struct bench *b = *state;
    struct job one = bench_job(b, SCHEDULE_MANUAL), two = bench_job(b, SCHEDULE_MANUAL);
    struct run r;
    one.on_success = link_to(b, two.id, ""); // as two saves at one moment could leave it
    two.on_success = link_to(b, one.id, "");
    b->end_at_once = true;
    bench_insert(b, &one);
    bench_insert(b, &two);
    (void)bench_run_now(b, one.id, PRIORITY_LOW);
    bench_settle(b);
    assert_int_equal(runs_of(b, one.id, &r) + runs_of(b, two.id, &r), 1 + CHAIN_DEPTH_MAX);
}

static void an_unreadable_list_holds_nothing_up(void **state)
{
    struct bench *b = *state;
    struct job j = bench_job(b, SCHEDULE_MANUAL);
    j.on_success = STR("[{\"job\":7}]");
    bench_insert(b, &j);
    struct ulid id = bench_run_now(b, j.id, PRIORITY_LOW);
    bench_settle(b);
    bench_end(b, 0, RUN_SUCCEEDED, NULL);
    bench_settle(b);
    assert_int_equal(bench_run_get(b, id).status, RUN_SUCCEEDED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_success_starts_the_next_job),  TEST(a_failure_starts_others_after_the_last_attempt),
        TEST(a_cancelled_run_starts_nothing), TEST(a_deleted_job_is_left_out),
        TEST(chains_of_chains_end),           TEST(an_unreadable_list_holds_nothing_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
