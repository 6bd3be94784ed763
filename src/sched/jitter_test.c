// SPDX-License-Identifier: Apache-2.0
// Jitter: a stable delay inside its window.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sched/jitter.h"

static void a_delay_stays_inside_its_window(void **state)
{
    (void)state;
    struct duration jitter = duration_s(10);
    for (uint64_t job = 0; job < 1000; job++) {
        struct instant t = instant_s(1600000000);
        struct instant due = jitter_apply(t, jitter, INSTANT_NEVER, job);
        assert_int_equal(due.us, jitter_apply(t, jitter, INSTANT_NEVER, job).us);
        assert_true(due.us >= t.us && due.us < t.us + jitter.us);
        struct instant next = instant_add(t, duration_ms(3));
        assert_true(jitter_apply(t, jitter, next, job).us < next.us);
    }
}

static void delays_are_spread_evenly(void **state)
{
    (void)state;
    enum { JOBS = 10000, TENTHS = 10 };
    int counts[TENTHS] = {0};
    for (uint64_t job = 0; job < JOBS; job++)
        counts[jitter_apply(instant_s(0), duration_s(TENTHS), INSTANT_NEVER, job).us / US_PER_S]++;
    for (int i = 0; i < TENTHS; i++)
        assert_in_range(counts[i], JOBS / TENTHS * 8 / 10, JOBS / TENTHS * 12 / 10);
}

static void without_a_window_nothing_moves(void **state)
{
    (void)state;
    struct instant t = instant_s(1600000000);
    assert_int_equal(jitter_apply(t, duration_s(0), INSTANT_NEVER, 1).us, t.us);
    assert_int_equal(jitter_apply(t, duration_s(-5), INSTANT_NEVER, 1).us, t.us);
    assert_int_equal(jitter_apply(t, duration_s(10), t, 1).us, t.us);
    assert_true(instant_is_never(jitter_apply(INSTANT_NEVER, duration_s(10), INSTANT_NEVER, 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_delay_stays_inside_its_window),
        cmocka_unit_test(delays_are_spread_evenly),
        cmocka_unit_test(without_a_window_nothing_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
