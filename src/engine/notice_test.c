// SPDX-License-Identifier: Apache-2.0
// What the engine writes for people, and that it writes nothing else.
#include "../tests/sim/bench.h"

enum { EVERY_S = 10, NOTICES_MAX = 50 };
#define BIT(event) notice_bit(NOTICE_##event)

static size_t notices(struct bench *b, struct notice **ret)
{
    size_t n = 0;
    struct err err = {0};
    assert_true(b->store->ops->notices_read(b->store, NOTICES_MAX, ret, &n, &b->arena, &err));
    return n;
}

static void expect(struct bench *b, const int *events, size_t n)
{
    struct notice *v;
    assert_int_equal(notices(b, &v), n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(v[i].event, events[i]);
}
#define EXPECT(b, ...)                                                   \
    expect((b), (const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

static struct job job_every(struct bench *b)
{
    struct job j = bench_every(b, EVERY_S);
    j.retry_policy.max_attempts = 1;
    bench_insert(b, &j);
    return j;
}

// The next run of the only job ends so.
static void run_ends(struct bench *b, double *at_s, int status)
{
    bench_until(b, *at_s += EVERY_S);
    assert_int_equal(b->n_held, 1);
    bench_end(b, 0, status, status == RUN_SUCCEEDED ? NULL : "TIMEOUT");
    bench_settle(b);
}

static void nothing_for_nobody(void **state)
{
    struct bench *b = *state;
    struct notice *v;
    double at = 0;
    struct job j = job_every(b);
    struct ulid other = j.id;
    other.b[15] ^= 1;
    run_ends(b, &at, RUN_FAILED);
    engine_take_interest(b->engine, 0, &(struct interest){other, UINT32_MAX}, 1);
    run_ends(b, &at, RUN_FAILED);
    run_ends(b, &at, RUN_SUCCEEDED);
    assert_int_equal(notices(b, &v), 0);
}

static void failures_and_what_may_be_a_recovery(void **state)
{
    struct bench *b = *state;
    struct notice *v;
    double at = 0;
    struct job j = job_every(b);
    engine_take_interest(b->engine, 0, &(struct interest){j.id, BIT(FAILED) | BIT(RECOVERED)}, 1);
    run_ends(b, &at, RUN_SUCCEEDED); // nothing is known of before
    run_ends(b, &at, RUN_SUCCEEDED);
    EXPECT(b, NOTICE_RECOVERED);
    run_ends(b, &at, RUN_FAILED);
    run_ends(b, &at, RUN_FAILED);
    run_ends(b, &at, RUN_SUCCEEDED);
    run_ends(b, &at, RUN_SUCCEEDED);
    EXPECT(b, NOTICE_RECOVERED, NOTICE_DEAD, NOTICE_DEAD, NOTICE_RECOVERED);
    assert_int_equal(notices(b, &v), 4);
    assert_memory_equal(v[1].job_id.b, j.id.b, sizeof j.id.b);
    assert_true(str_is(v[1].error_class, "TIMEOUT"));
    assert_int_equal(v[1].at.us, bench_at(3 * EVERY_S).us);
    assert_int_equal(bench_run_get(b, v[1].run_id).status, RUN_FAILED);
}

static void only_the_last_attempt_is_a_failure(void **state)
{
    struct bench *b = *state;
    struct job j = bench_every(b, EVERY_S);
    j.retry_policy.max_attempts = 2;
    j.retry_policy.backoff_seconds = 1;
    bench_insert(b, &j);
    engine_take_interest(b->engine, BIT(FAILED), NULL, 0);
    bench_until(b, EVERY_S);
    bench_end(b, 0, RUN_FAILED, "X");
    bench_settle(b);
    struct notice *v;
    assert_int_equal(notices(b, &v), 0);
    bench_until(b, EVERY_S + 2);
    bench_end(b, 0, RUN_FAILED, "X");
    bench_settle(b);
    EXPECT(b, NOTICE_DEAD);
}

static void starts_and_every_success(void **state)
{
    struct bench *b = *state;
    double at = 0;
    (void)job_every(b);
    engine_take_interest(b->engine, BIT(STARTED) | BIT(SUCCEEDED) | BIT(RECOVERED), NULL, 0);
    run_ends(b, &at, RUN_SUCCEEDED);
    run_ends(b, &at, RUN_SUCCEEDED);
    EXPECT(b, NOTICE_STARTED, NOTICE_SUCCEEDED, NOTICE_STARTED, NOTICE_SUCCEEDED);
    engine_take_interest(b->engine, BIT(RECOVERED), NULL, 0);
    run_ends(b, &at, RUN_SUCCEEDED); // known to be good
    EXPECT(b, NOTICE_STARTED, NOTICE_SUCCEEDED, NOTICE_STARTED, NOTICE_SUCCEEDED);
}

static void what_was_missed(void **state)
{
    struct bench *b = *state;
    struct job j = bench_every(b, EVERY_S);
    j.schedule.misfire_policy = MISFIRE_RESCHEDULE;
    bench_insert(b, &j);
    bench_settle(b);
    bench_kill(b);
    clock_virtual_advance(&b->clock, duration_s(3600));
    bench_boot(b);
    engine_take_interest(b->engine, BIT(MISSED), NULL, 0);
    bench_settle(b);
    EXPECT(b, NOTICE_MISSED);
}

// ---- flushes that fail ---------------------------------------------------------------------------

static enum store_fault fault_once(void *ctx, const char *op, bool writes)
{
    enum store_fault *next = ctx, fault = *next;
    if (!writes || strcmp(op, "flush") != 0)
        return FAULT_NONE;
    *next = FAULT_NONE;
    return fault;
}

static void once_whatever_becomes_of_the_commit(void **state)
{
    static const enum store_fault faults[] = {FAULT_FAIL, FAULT_UNKNOWN_COMMITTED, FAULT_UNKNOWN_LOST};
    struct bench *b = *state;
    struct notice *v;
    double at = 0;
    (void)job_every(b);
    engine_take_interest(b->engine, BIT(FAILED) | BIT(RECOVERED), NULL, 0);
    run_ends(b, &at, RUN_SUCCEEDED);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        enum store_fault next = faults[i];
        bench_until(b, at += EVERY_S);
        store_memory_set_faults(b->store, (struct store_faults){fault_once, &next});
        bench_end(b, 0, RUN_FAILED, "X");
        bench_until(b, at + 1);
        store_memory_set_faults(b->store, (struct store_faults){0});
        assert_int_equal(next, FAULT_NONE);
        assert_int_equal(notices(b, &v), 2 + i);
        assert_int_equal(v[1 + i].event, NOTICE_DEAD);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(nothing_for_nobody),
        TEST(failures_and_what_may_be_a_recovery),
        TEST(only_the_last_attempt_is_a_failure),
        TEST(starts_and_every_success),
        TEST(what_was_missed),
        TEST(once_whatever_becomes_of_the_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
