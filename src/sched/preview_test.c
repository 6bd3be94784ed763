// SPDX-License-Identifier: Apache-2.0
// The sentences people read: notes about clock changes and warnings.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sched/preview.h"

static struct zones *zones;
static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    zones = zones_new(getenv("TZDIR"));
    arena_init(&arena, 16 * 1024 * 1024);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    zones_free(zones);
    arena_release(&arena);
    return 0;
}

static struct instant when(const char *text)
{
    struct instant t;
    struct err err;
    if (!instant_parse(str_of(text), &t, &err))
        fail_msg("%s", err.text);
    return t;
}

static struct schedule *compile(const char *expr, const char *zone, int gap, int overlap)
{
    struct schedule_spec spec = {.kind = SCHEDULE_CRON,
                                 .start_at = INSTANT_NEVER,
                                 .end_at = INSTANT_NEVER,
                                 .cron_expression = str_of(expr),
                                 .timezone = str_of(zone),
                                 .dst_gap = gap,
                                 .dst_overlap = overlap};
    struct schedule *s;
    struct err err;
    if (!schedule_compile(zones, &spec, instant_s(0), 0, &s, NULL, &err))
        fail_msg("%s", err.text);
    return s;
}

static void notes_explain_clock_changes(void **state)
{
    (void)state;
    static const struct {
        const char *expr, *zone;
        int gap, overlap;
        const char *from, *first, *note;
    } rows[] = {
        {"30 2 * * *", "Europe/Berlin", DST_GAP_RUN, 0, "2021-03-27T12:00:00Z", "2021-03-28T03:00:00+02:00",
         "02:30 does not exist in Europe/Berlin on 2021-03-28 (clocks jump from 02:00 to 03:00); policy RUN: "
         "runs at "
         "03:00 CEST"},
        {"30 2 * * *", "Europe/Berlin", DST_GAP_SHIFT, 0, "2021-03-27T12:00:00Z", "2021-03-28T03:30:00+02:00",
         "02:30 does not exist in Europe/Berlin on 2021-03-28 (clocks jump from 02:00 to 03:00); policy "
         "SHIFT: runs at "
         "03:30 CEST"},
        {"30 2 * * *", "Europe/Berlin", DST_GAP_SKIP, 0, "2021-03-27T12:00:00Z", "2021-03-29T02:30:00+02:00",
         "02:30 does not exist in Europe/Berlin on 2021-03-28 (clocks jump from 02:00 to 03:00); policy "
         "SKIP: does not "
         "run then"},
        {"30 2 * * *", "Europe/Berlin", 0, DST_OVERLAP_AUTO, "2021-10-30T12:00:00Z",
         "2021-10-31T02:30:00+02:00",
         "02:30 happens twice in Europe/Berlin on 2021-10-31; policy AUTO: runs once, the first time, CEST"},
        {"30 2 * * *", "Europe/Berlin", 0, DST_OVERLAP_BOTH, "2021-10-31T00:30:00Z",
         "2021-10-31T02:30:00+01:00",
         "02:30 happens twice in Europe/Berlin on 2021-10-31; policy BOTH: runs both times, this is the "
         "second, CET"},
        {"30 2 * * *", "Europe/Berlin", 0, 0, "2021-06-01T12:00:00Z", "2021-06-02T02:30:00+02:00", ""},
        {"0 12 30 * *", "Pacific/Apia", DST_GAP_RUN, 0, "2011-12-01T12:00:00Z", "2011-12-31T00:00:00+14:00",
         "12:00 does not exist in Pacific/Apia on 2011-12-30 (clocks jump from 2011-12-30 00:00 to "
         "2011-12-31 "
         "00:00); policy RUN: runs at 00:00 +14"},
        {"*/30 * * * *", "Europe/Berlin", DST_GAP_RUN, 0, "2021-03-28T00:45:00Z", "2021-03-28T03:00:00+02:00",
         ""},
        {"5 1 * * *", "UTC", 0, 0, "2021-03-28T00:45:00Z", "2021-03-28T01:05:00Z", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct schedule *s = compile(rows[i].expr, rows[i].zone, rows[i].gap, rows[i].overlap);
        struct fires fires;
        struct err err;
        char text[INSTANT_TEXT_MAX];
        assert_true(schedule_preview(s, when(rows[i].from), 1, &fires, &arena, &err));
        assert_int_equal(fires.n, 1);
        assert_string_equal(instant_format_offset(fires.v[0].at, fires.v[0].offset_s, text), rows[i].first);
        if (!str_is(fires.v[0].note, rows[i].note))
            fail_msg("row %zu: %.*s", i, STR_ARG(fires.v[0].note));
        schedule_unref(s);
    }
}

static void a_preview_equals_repeated_next(void **state)
{
    (void)state;
    struct schedule *s = compile("*/20 0-3 * * *", "Australia/Lord_Howe", 0, 0);
    struct fires fires;
    struct err err;
    struct instant t = when("2021-01-01T00:00:00Z");
    assert_true(schedule_preview(s, t, 2000, &fires, &arena, &err));
    assert_int_equal(fires.n, 2000);
    for (size_t i = 0; i < fires.n; i++) {
        t = schedule_next(s, t);
        assert_int_equal(fires.v[i].at.us, t.us);
    }
    schedule_unref(s);
}

static void a_preview_ends_with_the_schedule_and_the_memory(void **state)
{
    (void)state;
    struct schedule *s = compile("0 0 0 1 1 ? 2020-2022", "UTC", 0, 0);
    struct fires fires;
    struct err err;
    assert_true(schedule_preview(s, instant_s(0), 50, &fires, &arena, &err));
    assert_int_equal(fires.n, 3);
    struct arena small;
    arena_init(&small, 64);
    assert_false(schedule_preview(s, instant_s(0), 50, &fires, &small, &err));
    assert_int_equal(err.code, ERR_FULL);
    arena_release(&small);
    schedule_unref(s);
}

static void warnings_say_what_is_probably_not_meant(void **state)
{
    (void)state;
    static const struct {
        const char *expr, *warning;
    } rows[] = {
        {"0 9 * * 1-5", NULL},
        {"*/15 * * * *", NULL},
        {"0 9 L * *", NULL},
        {"0 0 30 2 *", "it never fires after 2021-01-01T00:00:00.000Z"},
        {"0 9 13 * FRI",
         "day of month and weekday are both set: it runs when either matches; dayMatch AND asks for both"},
        {"0 9 31 * *",
         "day 31 does not exist in every month: nothing runs in February, April, June, September, November "
         "(\"L\" means the last day)"},
        {"0 9 29 * *",
         "day 29 does not exist in every month: nothing runs in February outside leap years (\"L\" means "
         "the last day)"},
        {"*/7 * * * *", "a step of 7 does not divide the minute field evenly: from 56 to 0 it is only 4"},
        {"0 */5 * * *", "a step of 5 does not divide the hour field evenly: from 20 to 0 it is only 4"},
        {"0 0 0 1 1 ? 2030", "its next fire is more than a year away: 2030-01-01T00:00:00.000Z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct schedule *s = compile(rows[i].expr, "UTC", 0, 0);
        struct strs w = schedule_warnings(s, when("2021-01-01T00:00:00Z"), &arena);
        if (!rows[i].warning)
            assert_int_equal(w.n, 0);
        else if (w.n == 0 || !str_is(w.v[0], rows[i].warning))
            fail_msg("\"%s\": %.*s", rows[i].expr, STR_ARG(w.n ? w.v[0] : STR("no warning")));
        schedule_unref(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notes_explain_clock_changes),
        cmocka_unit_test(a_preview_equals_repeated_next),
        cmocka_unit_test(a_preview_ends_with_the_schedule_and_the_memory),
        cmocka_unit_test(warnings_say_what_is_probably_not_meant),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
