// SPDX-License-Identifier: Apache-2.0
// What is recorded when a run ends.
#include "../tests/sim/bench.h"

static struct ulid start_one(struct bench *b)
{
    struct job j = bench_job(b, SCHEDULE_MANUAL);
    bench_insert(b, &j);
    struct ulid id = bench_run_now(b, j.id, PRIORITY_LOW);
    bench_settle(b);
    return id;
}

static void the_real_start_and_end_and_the_version_that_ran_are_recorded(void **state)
{
    struct bench *b = *state;
    struct ulid id = start_one(b);
    b->held[0]->started = bench_at(2); // waited for a free connection
    b->held[0]->result.exit_code = 204;
    clock_virtual_advance(&b->clock, duration_s(7));
    bench_end(b, 0, RUN_SUCCEEDED, NULL);
    clock_virtual_advance(&b->clock, duration_s(1)); // the engine hears of it later
    bench_settle(b);
    struct run r = bench_run_get(b, id);
    assert_int_equal(r.start.us, bench_at(2).us);
    assert_int_equal(r.end.us, bench_at(7).us);
    assert_int_equal(r.exit_code, 204);
    assert_int_equal(r.job_version, 1);
    assert_false(r.error_class.p != NULL);
}

static void a_long_message_is_cut_between_characters(void **state)
{
    struct bench *b = *state;
    struct ulid id = start_one(b);
    char text[3001];
    for (size_t i = 0; i + 3 <= sizeof text; i += 3)
        memcpy(text + i, "€", 3);
    b->held[0]->result.error_message = str_of_n(text, 3000);
    bench_end(b, 0, RUN_FAILED, "X");
    bench_settle(b);
    struct run r = bench_run_get(b, id);
    assert_int_equal(r.error_message.n, RUN_ERROR_MESSAGE_MAX / 3 * 3);
    assert_true(str_utf8_valid(r.error_message));
}

static int heard[RUN_MISSED + 1];

static void hear(void *ctx, struct ulid run_id, struct ulid job_id, int status)
{
    (void)ctx;
    (void)run_id;
    (void)job_id;
    heard[status]++;
}

static void the_listener_hears_of_every_change_after_its_commit(void **state)
{
    struct bench *b = *state;
    struct err err = {0};
    struct engine_listener l = {.run_changed = hear};
    bench_kill(b);
    b->engine = engine_new(&b->config, b->store, &b->x, &b->clock.base, &l);
    assert_true(engine_recover(b->engine, &err));
    memset(heard, 0, sizeof heard);
    struct job j = bench_every(b, 10);
    j.retry_policy.max_attempts = 2;
    bench_insert(b, &j);
    bench_until(b, 10);
    assert_int_equal(heard[RUN_RUNNING], 1);
    bench_end(b, 0, RUN_FAILED, "X");
    bench_settle(b);
    assert_int_equal(heard[RUN_FAILED], 1);
    assert_int_equal(heard[RUN_QUEUED], 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_real_start_and_end_and_the_version_that_ran_are_recorded),
        TEST(a_long_message_is_cut_between_characters),
        TEST(the_listener_hears_of_every_change_after_its_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
