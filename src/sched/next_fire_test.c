// SPDX-License-Identifier: Apache-2.0
// Compiled schedules: each kind, bounds, counting, the way back, keys.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "sched/next_fire.h"

static struct zones *zones;

static int set_up(void **state)
{
    (void)state;
    zones = zones_new(getenv("TZDIR"));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    zones_free(zones);
    return 0;
}

static struct schedule_spec spec_of(enum schedule_kind kind)
{
    return (struct schedule_spec){.kind = kind,
                                  .run_at = INSTANT_NEVER,
                                  .dtstart = INSTANT_NEVER,
                                  .start_at = INSTANT_NEVER,
                                  .end_at = INSTANT_NEVER,
                                  .interval_seconds = FIELD_ABSENT,
                                  .interval_ms = FIELD_ABSENT};
}

static struct schedule_spec cron_spec(const char *expr, const char *zone)
{
    struct schedule_spec s = spec_of(SCHEDULE_CRON);
    s.cron_expression = str_of(expr);
    s.timezone = str_of(zone);
    return s;
}

static struct schedule *compile(const struct schedule_spec *spec, int64_t anchor_s)
{
    struct schedule *s;
    struct err err;
    if (!schedule_compile(zones, spec, instant_s(anchor_s), 0, &s, NULL, &err))
        fail_msg("%s", err.text);
    return s;
}

static struct instant when(const char *text)
{
    struct instant t;
    struct err err;
    if (!instant_parse(str_of(text), &t, &err))
        fail_msg("%s", err.text);
    return t;
}

static void an_interval_keeps_its_grid(void **state)
{
    (void)state;
    struct schedule_spec spec = spec_of(SCHEDULE_INTERVAL);
    spec.interval_seconds = 300;
    struct schedule *s = compile(&spec, 1000);
    assert_int_equal(schedule_next(s, instant_s(0)).us, 1000 * US_PER_S);
    assert_int_equal(schedule_next(s, instant_s(1000)).us, 1300 * US_PER_S);
    assert_int_equal(schedule_next(s, instant_s(1299)).us, 1300 * US_PER_S);
    assert_int_equal(schedule_next(s, (struct instant){1299999999}).us, 1300 * US_PER_S);
    assert_int_equal(schedule_next(s, instant_s(1000000000)).us, INT64_C(1000000300) * US_PER_S);
    assert_int_equal(schedule_prev(s, instant_s(1300)).us, 1000 * US_PER_S);
    assert_true(instant_is_never(schedule_prev(s, instant_s(1000))));
    assert_true(instant_is_never(schedule_next(s, INSTANT_NEVER)));
    schedule_unref(s);
    spec.interval_seconds = FIELD_ABSENT;
    spec.interval_ms = 1;
    spec.start_at = instant_s(50);
    s = compile(&spec, 1000); // startAt is the origin, not the creation
    assert_int_equal(schedule_next(s, instant_s(0)).us, 50 * US_PER_S);
    assert_int_equal(schedule_next(s, instant_s(50)).us, 50 * US_PER_S + 1000);
    bool estimated = true;
    assert_int_equal(schedule_count(s, instant_s(50), instant_s(50 + 10000000), 1, &estimated),
                     INT64_C(10000000000));
    assert_false(estimated);
    schedule_unref(s);
}

static void a_fixed_delay_waits_after_the_end(void **state)
{
    (void)state;
    struct schedule_spec spec = spec_of(SCHEDULE_INTERVAL);
    spec.interval_seconds = 60;
    spec.anchor = ANCHOR_END;
    spec.end_at = instant_s(10000);
    struct schedule *s = compile(&spec, 0);
    assert_true(schedule_waits_for_end(s));
    assert_int_equal(schedule_next_after_end(s, instant_s(95)).us, 155 * US_PER_S);
    assert_true(instant_is_never(schedule_next_after_end(s, instant_s(9999))));
    schedule_unref(s);
    spec.anchor = ANCHOR_START;
    s = compile(&spec, 0);
    assert_int_equal(schedule_next_after_end(s, instant_s(95)).us, 120 * US_PER_S);
    schedule_unref(s);
}

static void start_counts_and_end_does_not(void **state)
{
    (void)state;
    struct schedule_spec spec = cron_spec("0 * * * *", "UTC");
    spec.start_at = when("2021-01-01T10:00:00Z");
    spec.end_at = when("2021-01-01T12:00:00Z");
    struct schedule *s = compile(&spec, 0);
    assert_int_equal(schedule_next(s, when("2020-01-01T00:00:00Z")).us, spec.start_at.us);
    assert_int_equal(schedule_next(s, spec.start_at).us, when("2021-01-01T11:00:00Z").us);
    assert_true(instant_is_never(schedule_next(s, when("2021-01-01T11:00:00Z"))));
    assert_int_equal(schedule_prev(s, when("2030-01-01T00:00:00Z")).us, when("2021-01-01T11:00:00Z").us);
    assert_true(instant_is_never(schedule_prev(s, spec.start_at)));
    schedule_unref(s);
}

static void once_and_manual(void **state)
{
    (void)state;
    struct schedule_spec spec = spec_of(SCHEDULE_ONCE);
    spec.run_at = instant_s(500);
    struct schedule *s = compile(&spec, 0);
    assert_int_equal(schedule_next(s, instant_s(499)).us, 500 * US_PER_S);
    assert_true(instant_is_never(schedule_next(s, instant_s(500))));
    assert_int_equal(schedule_prev(s, instant_s(501)).us, 500 * US_PER_S);
    assert_true(instant_is_never(schedule_prev(s, instant_s(500))));
    schedule_unref(s);
    spec = spec_of(SCHEDULE_MANUAL);
    s = compile(&spec, 0);
    assert_true(instant_is_never(schedule_next(s, instant_s(0))));
    assert_true(instant_is_never(schedule_prev(s, instant_s(1000000000))));
    schedule_unref(s);
}

static void what_cannot_be_compiled_names_its_field(void **state)
{
    (void)state;
    struct schedule *s;
    struct err err;
    struct cron_fault fault;
    struct schedule_spec spec = cron_spec("0 25 * * *", "UTC");
    assert_false(schedule_compile(zones, &spec, instant_s(0), 0, &s, &fault, &err));
    assert_string_equal(err.field, "/cronExpression");
    assert_int_equal(fault.position, 2);
    spec = cron_spec("0 5 * * *", "Mars/Base");
    assert_false(schedule_compile(zones, &spec, instant_s(0), 0, &s, &fault, &err));
    assert_string_equal(err.field, "/timezone");
    assert_null(fault.field);
    spec = spec_of(SCHEDULE_INTERVAL);
    assert_false(schedule_compile(zones, &spec, instant_s(0), 0, &s, NULL, &err));
    assert_string_equal(err.field, "/intervalSeconds");
    spec = spec_of(SCHEDULE_RRULE);
    assert_false(schedule_compile(zones, &spec, instant_s(0), 0, &s, NULL, &err));
    assert_string_equal(err.field, "/rrule");
    spec = spec_of(SCHEDULE_CRON);
    assert_false(schedule_compile(zones, &spec, instant_s(0), 0, &s, NULL, &err));
    assert_string_equal(err.field, "/cronExpression");
}

static void prev_is_the_inverse_of_next(void **state)
{
    (void)state;
    static const char *const exprs[] = {"* * * * *",        "*/7 * * * * *", "30 2 * * *",
                                        "0 9 LW * *",       "0 0 29 2 *",    "0 0 0 1 1 ? 2020",
                                        "* * 9 * * ? 2019", "0 0 30 2 *",    "15 1,2,3 * * SUN"};
    struct rng rng;
    uint64_t seed = 20261123;
    rng_init(&rng, seed);
    print_message("# seed %llu\n", (unsigned long long)seed);
    for (size_t i = 0; i < sizeof exprs / sizeof exprs[0]; i++)
        for (int gap = 0; gap < 3; gap++)
            for (int k = 0; k < 100; k++) {
                struct schedule_spec spec = cron_spec(exprs[i], "Europe/Berlin");
                spec.dst_gap = gap;
                spec.dst_overlap = (int)rng_below(&rng, 3);
                struct schedule *s = compile(&spec, 0);
                struct instant t = {(int64_t)rng_below(&rng, UINT64_C(2000000000000000))};
                struct instant prev = schedule_prev(s, t);
                if (instant_is_never(prev)) {
                    struct instant first = schedule_next(s, (struct instant){-1});
                    assert_true(first.us >= t.us);
                } else {
                    assert_true(prev.us < t.us);
                    assert_true(schedule_next(s, prev).us >= t.us);
                    assert_int_equal(schedule_next(s, (struct instant){prev.us - 1}).us, prev.us);
                }
                schedule_unref(s);
            }
}

static void counts_are_exact_up_to_the_bound_and_then_estimated(void **state)
{
    (void)state;
    struct schedule_spec spec = cron_spec("* * * * *", "Europe/Berlin");
    struct schedule *s = compile(&spec, 0);
    struct instant a = when("2021-03-27T00:00:00Z"), b = when("2021-03-29T00:00:00Z");
    bool estimated;
    assert_int_equal(schedule_count(s, a, b, 100000, &estimated), 2880);
    assert_false(estimated);
    assert_int_equal(schedule_count(s, a, b, 2880, &estimated), 2880);
    assert_false(estimated);
    int64_t guess = schedule_count(s, a, b, 100, &estimated);
    assert_true(estimated);
    assert_in_range(guess, 2800, 2960);
    assert_int_equal(schedule_count(s, b, a, 100, &estimated), 0);
    schedule_unref(s);
}

static void jitter_is_stable_and_never_reaches_the_next_occurrence(void **state)
{
    (void)state;
    struct schedule_spec spec = cron_spec("* * * * *", "UTC");
    spec.jitter_seconds = 300;
    struct schedule *s = compile(&spec, 0);
    struct instant t = instant_s(1600000000), last = {0};
    int64_t low = INT64_MAX, high = 0;
    for (int i = 0; i < 5000; i++) {
        t = schedule_next(s, t);
        struct instant due = schedule_due(s, 77, t);
        assert_int_equal(due.us, schedule_due(s, 77, t).us);
        assert_true(due.us >= t.us && due.us < schedule_next(s, t).us);
        assert_true(due.us > last.us);
        last = due;
        if (due.us - t.us < low)
            low = due.us - t.us;
        if (due.us - t.us > high)
            high = due.us - t.us;
    }
    assert_true(low < US_PER_S && high > 59 * US_PER_S); // all of the minute is used
    assert_int_not_equal(schedule_due(s, 77, t).us, schedule_due(s, 78, t).us);
    schedule_unref(s);
}

static void equal_schedules_share_a_key(void **state)
{
    (void)state;
    struct instant a = instant_s(1), b = instant_s(2);
    struct schedule_spec x = cron_spec("0 5 * * THU", "Europe/Berlin"), y = x;
    assert_true(ulid_eq(schedule_key(&x, a, 1), schedule_key(&y, b, 2)));
    y.timezone = STR("Europe/Paris");
    assert_false(ulid_eq(schedule_key(&x, a, 1), schedule_key(&y, a, 1)));
    y = x;
    y.dst_overlap = DST_OVERLAP_BOTH;
    assert_false(ulid_eq(schedule_key(&x, a, 1), schedule_key(&y, a, 1)));
    y = x;
    y.day_match = DAY_MATCH_AND;
    assert_false(ulid_eq(schedule_key(&x, a, 1), schedule_key(&y, a, 1)));
    y = x;
    y.end_at = a;
    assert_false(ulid_eq(schedule_key(&x, a, 1), schedule_key(&y, a, 1)));
    x = cron_spec("H 5 * * *", "Europe/Berlin"); // H makes the seed count
    assert_true(ulid_eq(schedule_key(&x, a, 1), schedule_key(&x, b, 1)));
    assert_false(ulid_eq(schedule_key(&x, a, 1), schedule_key(&x, a, 2)));
    // Where expression ends and zone begins makes a difference.
    x = cron_spec("0 5 * * 1", "2/Zone");
    y = cron_spec("0 5 * * 12", "/Zone");
    assert_false(ulid_eq(schedule_key(&x, a, 1), schedule_key(&y, a, 1)));
    x = spec_of(SCHEDULE_INTERVAL);
    x.interval_seconds = 5;
    assert_false(ulid_eq(schedule_key(&x, a, 1), schedule_key(&x, b, 1)));
    assert_true(ulid_eq(schedule_key(&x, a, 1), schedule_key(&x, a, 2)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interval_keeps_its_grid),
        cmocka_unit_test(a_fixed_delay_waits_after_the_end),
        cmocka_unit_test(start_counts_and_end_does_not),
        cmocka_unit_test(once_and_manual),
        cmocka_unit_test(what_cannot_be_compiled_names_its_field),
        cmocka_unit_test(prev_is_the_inverse_of_next),
        cmocka_unit_test(counts_are_exact_up_to_the_bound_and_then_estimated),
        cmocka_unit_test(jitter_is_stable_and_never_reaches_the_next_occurrence),
        cmocka_unit_test(equal_schedules_share_a_key),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
