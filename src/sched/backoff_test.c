// SPDX-License-Identifier: Apache-2.0
// Waits between attempts: fixed, doubling, capped, spread.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sched/backoff.h"

static int64_t wait_s(int strategy, int64_t base, int64_t max, int64_t attempt)
{
    struct retry_policy p = {
        .backoff_strategy = strategy, .backoff_seconds = base, .max_backoff_seconds = max};
    return backoff_wait(&p, attempt, NULL).us / US_PER_S;
}

static void fixed_waits_stay_the_same(void **state)
{
    (void)state;
    assert_int_equal(wait_s(BACKOFF_FIXED, 60, 0, 1), 60);
    assert_int_equal(wait_s(BACKOFF_FIXED, 60, 0, 100), 60);
    assert_int_equal(wait_s(BACKOFF_FIXED, 7200, 0, 1), 3600); // the default cap
    assert_int_equal(wait_s(BACKOFF_FIXED, 7200, 9000, 1), 7200);
    assert_int_equal(wait_s(BACKOFF_FIXED, -5, 0, 1), 0);
}

static void exponential_waits_double_up_to_the_cap(void **state)
{
    (void)state;
    static const int64_t want[] = {60, 120, 240, 480, 960, 1920, 3600, 3600};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        assert_int_equal(wait_s(BACKOFF_EXPONENTIAL, 60, 3600, (int64_t)i + 1), want[i]);
    assert_int_equal(wait_s(BACKOFF_EXPONENTIAL, 0, 3600, 50), 0);
    assert_int_equal(wait_s(BACKOFF_EXPONENTIAL, 60, 3600, 0), 60);
}

static void huge_numbers_do_not_overflow(void **state)
{
    (void)state;
    struct retry_policy p = {.backoff_strategy = BACKOFF_EXPONENTIAL,
                             .backoff_seconds = INT64_MAX,
                             .max_backoff_seconds = INT64_MAX};
    assert_int_equal(backoff_wait(&p, INT64_MAX, NULL).us, INT64_MAX);
    p.backoff_seconds = 1;
    assert_int_equal(backoff_wait(&p, INT64_MAX, NULL).us, INT64_MAX);
    p.backoff_seconds = INT64_MIN;
    assert_int_equal(backoff_wait(&p, 3, NULL).us, 0);
}

static void full_jitter_spreads_over_the_whole_wait(void **state)
{
    (void)state;
    struct retry_policy p = {.backoff_strategy = BACKOFF_EXPONENTIAL, .backoff_seconds = 10};
    struct rng rng;
    rng_init(&rng, 1);
    int64_t low = INT64_MAX, high = 0;
    for (int i = 0; i < 10000; i++) {
        int64_t us = backoff_wait(&p, 3, &rng).us;
        if (us < low)
            low = us;
        if (us > high)
            high = us;
    }
    assert_true(low >= 0 && low < US_PER_S);
    assert_true(high <= 40 * US_PER_S && high > 39 * US_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_waits_stay_the_same),
        cmocka_unit_test(exponential_waits_double_up_to_the_cap),
        cmocka_unit_test(huge_numbers_do_not_overflow),
        cmocka_unit_test(full_jitter_spreads_over_the_whole_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
