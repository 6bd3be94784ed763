// SPDX-License-Identifier: Apache-2.0
// Unit tests of app/job_stats: the figures of made-up histories.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <math.h>

#include "app/job_stats.h"

enum { EVERY_S = 60, RUNS = 40, ARENA = 1 << 16 };

struct history {
    struct arena a;
    struct job j;
    struct run v[RUNS]; // newest first
    struct instant now;
};

// Every minute, on time, each run 1,000 ms long; the newest one began a moment ago.
static struct history *history_new(struct arena *a)
{
    struct history *h = arena_new(a, struct history);
    struct instant last = instant_s(1800000000);
    arena_init(&h->a, ARENA);
    h->now = instant_add(last, duration_s(2));
    h->j = (struct job){.enabled = true,
                        .status = JOB_SCHEDULED,
                        .next_fire_time = instant_add(last, duration_s(EVERY_S)),
                        .run_count = RUNS};
    for (int i = 0; i < RUNS; i++) {
        struct instant at = instant_add(last, duration_s(-i * EVERY_S));
        h->v[i] = (struct run){.scheduled = at,
                               .due = at,
                               .start = instant_add(at, duration_ms(5)),
                               .end = instant_add(at, duration_ms(1005)),
                               .attempt = 1,
                               .occurrences = 1,
                               .status = RUN_SUCCEEDED,
                               .trigger = TRIGGER_SCHEDULE};
    }
    return h;
}

static struct job_stats stats(struct history *h)
{
    struct job_stats s;
    job_stats_of(&h->j, h->v, RUNS, h->now, &s, &h->a);
    return s;
}

static bool drifts(const struct job_stats *s, const char *word)
{
    for (size_t i = 0; i < s->drift.n; i++)
        if (str_is(s->drift.v[i], word))
            return true;
    return false;
}

static void a_steady_job_has_no_drift(void **state)
{
    struct history *h = *state;
    struct job_stats s = stats(h);
    assert_int_equal(s.runs, RUNS);
    assert_int_equal(s.succeeded, RUNS);
    assert_true(s.success_rate == 1.0);
    assert_int_equal(s.duration_p50_ms, 1000);
    assert_int_equal(s.duration_p95_ms, 1000);
    assert_int_equal(s.delay_p95_ms, 5);
    assert_int_equal(s.expected_interval_ms, 60000);
    assert_int_equal(s.actual_interval_ms, 60000);
    assert_int_equal(s.cadence_drift_ms, 0);
    assert_true(s.duration_trend == 1.0);
    assert_int_equal(s.overdue_ms, 0);
    assert_int_equal(s.drift.n, 0);
}

static void a_long_run_is_slow(void **state)
{
    struct history *h = *state;
    h->v[0].end = instant_add(h->v[0].start, duration_s(9));
    struct job_stats s = stats(h);
    assert_true(drifts(&s, "SLOW") && s.drift.n == 1);
    assert_int_equal(s.duration_last_ms, 9000);
    assert_int_equal(s.duration_max_ms, 9000);
}

static void growing_durations_are_slowing(void **state)
{
    struct history *h = *state;
    for (int i = 0; i < RUNS / 2; i++)
        h->v[i].end = instant_add(h->v[i].start, duration_s(3));
    struct job_stats s = stats(h);
    assert_true(drifts(&s, "SLOWING") && s.duration_trend > 2.9);
}

static void late_starts_and_a_lost_rhythm_show(void **state)
{
    struct history *h = *state;
    for (int i = 0; i < RUNS; i += 2)
        h->v[i].start = instant_add(h->v[i].scheduled, duration_s(45));
    for (int i = 0; i < RUNS; i++)
        h->v[i].end = instant_add(h->v[i].start, duration_s(1));
    struct job_stats s = stats(h);
    assert_true(drifts(&s, "OFF_BEAT"));
    assert_int_equal(s.expected_interval_ms, 60000);
    struct history *one = h;
    for (int i = 0; i < RUNS; i++)
        one->v[i].start = instant_add(one->v[i].scheduled, duration_ms(i == 0 ? 30000 : 5));
    s = stats(one);
    assert_true(drifts(&s, "LATE"));
    assert_int_equal(s.delay_last_ms, 30000);
}

static void failures_are_counted_back_to_the_last_success(void **state)
{
    struct history *h = *state;
    for (int i = 0; i < 3; i++)
        h->v[i].status = RUN_FAILED;
    h->v[5].status = RUN_TIMED_OUT;
    h->v[6] =
        (struct run){.status = RUN_MISSED, .occurrences = 4, .start = INSTANT_NEVER, .end = INSTANT_NEVER};
    struct job_stats s = stats(h);
    assert_int_equal(s.failures_in_a_row, 3);
    assert_int_equal(s.failed, 4);
    assert_int_equal(s.missed, 4);
    assert_true(drifts(&s, "FAILING"));
    assert_true(fabs(s.success_rate - 35.0 / 39.0) < 1e-9);
}

static void what_nobody_decided_is_overdue(void **state)
{
    struct history *h = *state;
    struct job_stats s;
    h->now = instant_add(h->j.next_fire_time, duration_s(300));
    s = stats(h);
    assert_true(drifts(&s, "OVERDUE") && !drifts(&s, "NEVER_STARTED"));
    assert_int_equal(s.overdue_ms, 300000);
    h->j.run_count = 0;
    job_stats_of(&h->j, NULL, 0, h->now, &s, &h->a);
    assert_true(drifts(&s, "NEVER_STARTED") && isnan(s.success_rate));
    assert_int_equal(s.duration_p50_ms, FIELD_ABSENT);
    assert_true(instant_is_never(s.since));
    h->j.status = JOB_PAUSED;
    job_stats_of(&h->j, NULL, 0, h->now, &s, &h->a);
    assert_int_equal(s.drift.n, 0);
}

static struct arena ground;

static int set_up(void **state)
{
    arena_init(&ground, ARENA);
    *state = history_new(&ground);
    return 0;
}

static int tear_down(void **state)
{
    arena_release(&((struct history *)*state)->a);
    arena_release(&ground);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_steady_job_has_no_drift, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_run_is_slow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(growing_durations_are_slowing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(late_starts_and_a_lost_rhythm_show, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failures_are_counted_back_to_the_last_success, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_nobody_decided_is_overdue, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
