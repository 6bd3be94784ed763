// SPDX-License-Identifier: Apache-2.0
// Unit tests of base/time.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/time.h"

#include "base/rng.h"

#define DAY_US (S_PER_DAY * US_PER_S)

static void the_calendar_is_right_on_every_day_of_400_years(void **state)
{
    (void)state;
    int64_t days = civil_to_days(1970, 1, 1);
    assert_int_equal(days, 0);
    for (int32_t year = 1970; year < 2370; year++)
        for (int32_t month = 1; month <= 12; month++)
            for (int32_t day = 1; day <= civil_month_days(year, month); day++, days++) {
                struct civil c = civil_from_s(days * S_PER_DAY + S_PER_DAY - 1);
                bool right = civil_to_days(year, month, day) == days && c.year == year &&
                             c.month == month && c.day == day && c.hour == 23 && c.minute == 59 &&
                             c.second == 59 && civil_weekday(days) == (days + 4) % 7;
                if (!right)
                    fail_msg("%d-%d-%d", year, month, day);
            }
    assert_int_equal(days, 146097);
    assert_int_equal(civil_month_days(2000, 2), 29);
    assert_int_equal(civil_month_days(1900, 2), 28);
    assert_int_equal(civil_month_days(2024, 2), 29);
    assert_int_equal(civil_month_days(2100, 2), 28);
    assert_int_equal(civil_weekday(civil_to_days(2026, 11, 23)), 1);
    assert_int_equal(civil_weekday(-1), 3); // 1969-12-31 was a Wednesday
    assert_int_equal(civil_from_s(-1).year, 1969);
    assert_int_equal(civil_to_days(0, 3, 1), -719468);
}

static void instants_survive_their_text(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 7);
    const int64_t end = civil_to_days(10000, 1, 1) * DAY_US;
    for (int i = 0; i < 50000; i++) {
        struct instant t = {(int64_t)rng_below(&rng, (uint64_t)end)}, back;
        struct err err;
        char text[INSTANT_TEXT_MAX];
        int32_t offset_s = (int32_t)(rng_below(&rng, 28 * 60) * 60) - 14 * 3600;
        int32_t local = civil_from_s(t.us / US_PER_S + offset_s).year;
        if (local >= 1969 && local <= 9999) {
            assert_true(instant_parse(str_of(instant_format_offset(t, offset_s, text)), &back, &err));
            assert_true(back.us == t.us);
        }
        assert_true(instant_parse(str_of(instant_format(t, text)), &back, &err));
        assert_true(back.us == t.us - t.us % US_PER_MS);
    }
}

static void rfc_3339_is_read(void **state)
{
    (void)state;
    static const struct { const char *text; int64_t us; } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:00-00:00", 0},
        {"1970-01-01t01:00:00.5+01:00", 500000},
        {"1969-12-31T23:59:59-00:01", 59 * US_PER_S},
        {"1970-01-02T00:00:00.1234567891z", DAY_US + 123456},
        {"1970-01-01T00:00:00.000001Z", 1},
        {"2000-02-29T12:00:00Z", 951825600 * US_PER_S},
        {"9999-12-31T23:59:59.999999Z", 253402300799 * US_PER_S + 999999},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = {0};
        struct instant t;
        if (!instant_parse(str_of(cases[i].text), &t, &err) || t.us != cases[i].us)
            fail_msg("%s: %s", cases[i].text, err.text);
    }
}

static void what_is_not_rfc_3339_is_refused_with_a_reason(void **state)
{
    (void)state;
    static const struct { const char *text, *why; } cases[] = {
        {"", "form"},
        {"2026-11-23", "form"},
        {"2026-11-23T14:05:09", "offset is missing"},
        {"2026-11-23T14:05Z", "form"},
        {"2026-11-23 14:05:09Z", "form"},
        {"2026-11-23T24:00:00Z", "hour"},
        {"2026-11-23T14:60:00Z", "minute"},
        {"2026-11-23T14:05:60Z", "second"},
        {"2026-02-30T00:00:00Z", "fewer days"},
        {"2025-02-29T00:00:00Z", "fewer days"},
        {"2026-13-01T00:00:00Z", "month"},
        {"2026-00-01T00:00:00Z", "month"},
        {"2026-01-00T00:00:00Z", "day"},
        {"2026-01-32T00:00:00Z", "day"},
        {"2026-1-1T00:00:00Z", "form"},
        {"26-01-01T00:00:00Z", "form"},
        {"2026-01-01T00:00:00.Z", "form"},
        {"2026-01-01T00:00:00,5Z", "offset is missing"},
        {"2026-01-01T00:00:00+24:00", "offset"},
        {"2026-01-01T00:00:00+0100", "form"},
        {"2026-01-01T00:00:00+01", "form"},
        {"2026-01-01T00:00:00Zx", "form"},
        {" 2026-01-01T00:00:00Z", "form"},
        {"1969-12-31T23:59:59Z", "1970 to 9999"},
        {"1970-01-01T00:00:00+00:01", "1970 to 9999"},
        {"9999-12-31T23:59:59-00:01", "1970 to 9999"},
        {"1900-01-01T00:00:00Z", "1970 to 9999"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = {0};
        struct instant t = {42};
        if (instant_parse(str_of(cases[i].text), &t, &err) || t.us != 42)
            fail_msg("accepted %s", cases[i].text);
        if (err.code != ERR_INVALID || !strstr(err.text, cases[i].why))
            fail_msg("%s: %s", cases[i].text, err.text);
    }
    struct err err;
    struct instant t;
    assert_false(instant_parse(STR("2026-01-01T00:00:00\0"), &t, &err));
    assert_false(instant_parse(STR_NONE, &t, &err));
}

static void texts_have_the_documented_forms(void **state)
{
    (void)state;
    char text[INSTANT_TEXT_MAX];
    struct instant t = {civil_to_s((struct civil){2026, 11, 23, 14, 5, 9}) * US_PER_S};
    assert_string_equal(instant_format(t, text), "2026-11-23T14:05:09.000Z");
    assert_string_equal(instant_format_offset(t, 3600, text), "2026-11-23T15:05:09+01:00");
    assert_string_equal(instant_format_offset(t, -12600, text), "2026-11-23T10:35:09-03:30");
    assert_string_equal(instant_format_offset(t, 0, text), "2026-11-23T14:05:09Z");
    assert_string_equal(instant_format_offset(t, -2670, text), "2026-11-23T13:21:09-00:44");
    t.us += 123456;
    assert_string_equal(instant_format(t, text), "2026-11-23T14:05:09.123Z");
    assert_string_equal(instant_format_offset(t, 0, text), "2026-11-23T14:05:09.123456Z");
    t.us -= 456;
    assert_string_equal(instant_format_offset(t, 0, text), "2026-11-23T14:05:09.123Z");
    assert_string_equal(instant_format((struct instant){-1}, text), "1969-12-31T23:59:59.999Z");
    assert_true(strlen(instant_format(INSTANT_NEVER, text)) < INSTANT_TEXT_MAX);
    assert_true(strlen(instant_format_offset((struct instant){INT64_MIN}, 3600, text)) < INSTANT_TEXT_MAX);
}

static void adding_saturates(void **state)
{
    (void)state;
    assert_true(instant_is_never(instant_add(INSTANT_NEVER, duration_s(-5))));
    assert_true(instant_is_never(instant_add((struct instant){INT64_MAX - 1}, duration_s(1))));
    assert_true(instant_add((struct instant){INT64_MIN + 1}, duration_s(-1)).us == INT64_MIN);
    assert_true(instant_add(instant_s(5), duration_ms(-500)).us == 4500000);
    assert_true(mono_add((struct mono){INT64_MAX}, duration_s(1)).us == INT64_MAX);
    assert_true(mono_add((struct mono){1}, duration_ms(1)).us == 1001);
    assert_true(instant_since(instant_s(5), instant_s(3)).us == 2 * US_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_calendar_is_right_on_every_day_of_400_years),
        cmocka_unit_test(instants_survive_their_text),
        cmocka_unit_test(rfc_3339_is_read),
        cmocka_unit_test(what_is_not_rfc_3339_is_refused_with_a_reason),
        cmocka_unit_test(texts_have_the_documented_forms),
        cmocka_unit_test(adding_saturates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
