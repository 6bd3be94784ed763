// SPDX-License-Identifier: Apache-2.0
// Times and durations as people write and read them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/format.h"

enum { ARENA_BYTES = 1 << 20 };

static void durations_are_written_with_two_units_at_most(void **state)
{
    (void)state;
    static const struct { int64_t ms; const char *text; } rows[] = {
        {-5, "0 ms"}, {0, "0 ms"}, {812, "812 ms"}, {999, "999 ms"}, {1000, "1.0 s"}, {4250, "4.2 s"},
        {59999, "59.9 s"}, {60000, "1 m 00 s"}, {62000, "1 m 02 s"}, {3599999, "59 m 59 s"},
        {3600000, "1 h 00 m"}, {11520000, "3 h 12 m"}, {86400000, "1 d 00 h"}, {187200000, "2 d 04 h"}};
    struct arena a;
    arena_init(&a, ARENA_BYTES);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(duration_text(duration_ms(rows[i].ms), &a).p, rows[i].text);
    arena_release(&a);
}

static void exact_durations_read_back(void **state)
{
    (void)state;
    static const char *const rows[] = {"0s", "500ms", "1s500ms", "5m", "1h30m", "2d", "1d1h1m1s1ms"};
    struct arena a;
    arena_init(&a, ARENA_BYTES);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct duration d;
        struct err err;
        assert_true(duration_parse(str_of(rows[i]), &d, &err));
        assert_true(str_is(duration_exact(d, &a), rows[i]));
    }
    arena_release(&a);
}

static void instants_are_told_from_now(void **state)
{
    (void)state;
    static const struct { int64_t s; const char *text; } rows[] = {
        {0, "now"}, {1, "in 1 s"}, {59, "in 59 s"}, {22320, "in 6 h 12 m"}, {-1, "1 s ago"}, {-303, "5 m 03 s ago"}};
    struct arena a;
    struct instant now = instant_s(INT64_C(1800000000));
    arena_init(&a, ARENA_BYTES);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(instant_relative(instant_add(now, duration_s(rows[i].s)), now, &a).p, rows[i].text);
    arena_release(&a);
}

static void durations_are_read_with_units(void **state)
{
    (void)state;
    static const struct { const char *text; int64_t us; } rows[] = {
        {"30", 30 * US_PER_S}, {"0", 0}, {"500ms", 500 * US_PER_MS}, {"5s", 5 * US_PER_S}, {"15m", 900 * US_PER_S},
        {"1h30m", 5400 * US_PER_S}, {"2d", 2 * S_PER_DAY * US_PER_S}, {"1m500ms", 60500 * US_PER_MS}};
    static const char *const bad[] = {"", "m", "5 m", "-5s", "1h30", "5x", "5ss", "99999999999d", "1.5h",
                                      "9999999999999999999s"};
    struct duration d;
    struct err err;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(duration_parse(str_of(rows[i].text), &d, &err));
        assert_int_equal(d.us, rows[i].us);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(duration_parse(str_of(bad[i]), &d, &err));
        assert_non_null(strstr(err.text, "1h30m"));
        assert_int_equal(err.code, ERR_INVALID);
    }
}

static void instants_are_absolute_or_from_now(void **state)
{
    (void)state;
    struct instant now = instant_s(1000), t;
    struct err err;
    assert_true(instant_parse_relative(STR("+10m"), now, &t, &err));
    assert_int_equal(t.us, instant_s(1600).us);
    assert_true(instant_parse_relative(STR("1970-01-01T01:00:00+01:00"), now, &t, &err));
    assert_int_equal(t.us, 0);
    assert_false(instant_parse_relative(STR("+"), now, &t, &err));
    assert_false(instant_parse_relative(STR("tomorrow"), now, &t, &err));
    assert_non_null(strstr(err.text, "\"tomorrow\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_written_with_two_units_at_most),
        cmocka_unit_test(exact_durations_read_back),
        cmocka_unit_test(instants_are_told_from_now),
        cmocka_unit_test(durations_are_read_with_units),
        cmocka_unit_test(instants_are_absolute_or_from_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
