// SPDX-License-Identifier: Apache-2.0
// Percentiles within their bound, counts per job, the time line.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "jobs/report_stats.h"

static void percentiles_are_within_a_sixteenth(void **state)
{
    (void)state;
    struct histogram h = {.n = 0};
    assert_int_equal(histogram_at(&h, 0.5), 0);
    for (int64_t i = 1; i <= 100000; i++)
        histogram_add(&h, i);
    static const double shares[] = {0.01, 0.5, 0.95, 0.99};
    for (size_t i = 0; i < 4; i++) {
        double want = shares[i] * 100000, got = (double)histogram_at(&h, shares[i]);
        assert_true(got >= want && got <= want * 17 / 16);
    }
    assert_int_equal(histogram_at(&h, 1), 100000);
    struct histogram few = {.n = 0};
    histogram_add(&few, 3);
    histogram_add(&few, 7);
    histogram_add(&few, INT64_MAX);
    histogram_add(&few, -5);
    assert_int_equal(histogram_at(&few, 0.5), 3);
    assert_int_equal(histogram_at(&few, 0.75), 7);
    assert_true(histogram_at(&few, 1) == INT64_MAX);
}

static struct run run_of(uint8_t job, int status, int64_t at_s, int64_t delay_ms, int64_t took_ms)
{
    struct instant start = {at_s * US_PER_S + delay_ms * US_PER_MS};
    return (struct run){.job_id = {{job}},
                        .job_name = STR("j"),
                        .status = status,
                        .scheduled = instant_s(at_s),
                        .start = status >= RUN_SKIPPED ? INSTANT_NEVER : start,
                        .end = status >= RUN_SKIPPED ? INSTANT_NEVER
                                                     : (struct instant){start.us + took_ms * US_PER_MS},
                        .start_delay_ms = delay_ms,
                        .duration_ms = took_ms};
}

static void runs_are_counted_per_job_and_day(void **state)
{
    (void)state;
    static struct stats s;
    stats_init(&s, instant_s(0), instant_s(10 * S_PER_DAY));
    assert_int_equal(s.slots, 10);
    struct run v[] = {run_of(1, RUN_SUCCEEDED, 10, 5, 100), run_of(1, RUN_FAILED, 20, 7, 300),
                      run_of(2, RUN_SKIPPED, 30, 0, 0), run_of(1, RUN_SUCCEEDED, 3 * S_PER_DAY, 9, 200),
                      run_of(1, RUN_LOST, 99 * S_PER_DAY, 9, 200)};
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++)
        stats_add(&s, &v[i]);
    assert_int_equal(s.n, 2);
    assert_int_equal(stats_runs(&s.all), 4);
    assert_int_equal(stats_failed(&s.all), 2);
    assert_true(stats_success_rate(s.v[0]) == 50);
    assert_true(stats_success_rate(s.v[1]) == -1);
    assert_int_equal(s.v[1]->by_status[RUN_SKIPPED], 1);
    assert_int_equal(s.good[0], 1);
    assert_int_equal(s.bad[0], 1);
    assert_int_equal(s.good[3], 1);
    assert_int_equal(s.v[0]->duration_ms, 800);
    char label[32];
    stats_slot_label(&s, 3, label, sizeof label);
    assert_string_equal(label, "1970-01-04");
    stats_release(&s);
}

static void long_ranges_have_wider_slots(void **state)
{
    (void)state;
    static struct stats s;
    stats_init(&s, instant_s(0), instant_s(40 * 366 * S_PER_DAY));
    assert_true(s.slots > 0 && s.slots <= STATS_SLOTS_MAX);
    stats_release(&s);
    stats_init(&s, instant_s(100), instant_s(7300));
    assert_int_equal(s.slots, 3);
    stats_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles_are_within_a_sixteenth),
        cmocka_unit_test(runs_are_counted_per_job_and_day),
        cmocka_unit_test(long_ranges_have_wider_slots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
