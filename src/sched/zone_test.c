// SPDX-License-Identifier: Apache-2.0
// Offsets and wall times of known zones, and laws that hold in every zone.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "base/time.h"
#include "sched/zones.h"

static const char *tzdir(void)
{
    const char *dir = getenv("TZDIR");
    return dir ? dir : ZONES_DIR_DEFAULT;
}

static struct zones *zones;

static int set_up(void **state)
{
    (void)state;
    zones = zones_new(tzdir());
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    zones_free(zones);
    return 0;
}

static struct zone *zone_of(const char *name)
{
    struct zone *z;
    struct err err;
    if (!zones_get(zones, str_of(name), &z, &err))
        fail_msg("%s", err.text);
    return z;
}

static int64_t at(int32_t year, int32_t month, int32_t day, int32_t hour, int32_t minute)
{
    return civil_to_s((struct civil){year, month, day, hour, minute, 0});
}

static void an_instant_has_its_offset_and_abbreviation(void **state)
{
    (void)state;
    static const struct {
        const char *zone;
        int32_t y, m, d, h;
        int32_t offset_s;
        const char *abbr;
    } rows[] = {
        {"Europe/Berlin", 2021, 1, 1, 0, 3600, "CET"},
        {"Europe/Berlin", 2021, 7, 1, 0, 7200, "CEST"},
        {"Europe/Berlin", 2150, 7, 1, 0, 7200, "CEST"},
        {"Europe/Berlin", 9999, 12, 31, 23, 3600, "CET"},
        {"America/New_York", 2021, 7, 1, 0, -14400, "EDT"},
        {"Asia/Kathmandu", 2021, 1, 1, 0, 20700, "+0545"},
        {"Australia/Lord_Howe", 2021, 1, 1, 0, 39600, "+11"},
        {"Australia/Lord_Howe", 2021, 7, 1, 0, 37800, "+1030"},
        {"Pacific/Apia", 2011, 12, 29, 0, -36000, "-10"},
        {"Pacific/Apia", 2011, 12, 31, 0, 50400, "+14"},
        {"Europe/Dublin", 2021, 1, 1, 0, 0, "GMT"},
        {"Europe/Dublin", 2021, 7, 1, 0, 3600, "IST"},
        {"UTC", 2021, 1, 1, 0, 0, "UTC"},
        {"Etc/GMT-14", 2021, 1, 1, 0, 50400, "+14"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct zone *z = zone_of(rows[i].zone);
        uint32_t hint = 12345; // a wrong hint costs time, never the answer
        struct zone_span s = zone_span_at(z, at(rows[i].y, rows[i].m, rows[i].d, rows[i].h, 0), &hint);
        if (s.offset_s != rows[i].offset_s || strcmp(s.abbr, rows[i].abbr) != 0)
            fail_msg("%s row %zu: %d %s", rows[i].zone, i, s.offset_s, s.abbr);
        zone_unref(z);
    }
}

static void a_wall_time_is_unique_missing_or_twice(void **state)
{
    (void)state;
    struct zone *berlin = zone_of("Europe/Berlin"), *apia = zone_of("Pacific/Apia"),
                *howe = zone_of("Australia/Lord_Howe");
    struct wall w = zone_wall(berlin, at(2021, 3, 28, 1, 59));
    assert_int_equal(w.kind, WALL_UNIQUE);
    assert_int_equal(w.first_s, at(2021, 3, 28, 0, 59));
    w = zone_wall(berlin, at(2021, 3, 28, 2, 30));
    assert_int_equal(w.kind, WALL_GAP);
    assert_int_equal(w.transition_s, at(2021, 3, 28, 1, 0));
    assert_int_equal(w.first_s, at(2021, 3, 28, 1, 30));
    assert_int_equal(w.second_s, at(2021, 3, 28, 0, 30));
    w = zone_wall(berlin, at(2021, 3, 28, 3, 0));
    assert_int_equal(w.kind, WALL_UNIQUE);
    w = zone_wall(berlin, at(2021, 10, 31, 2, 0));
    assert_int_equal(w.kind, WALL_OVERLAP);
    assert_int_equal(w.first_s, at(2021, 10, 31, 0, 0));
    assert_int_equal(w.second_s, at(2021, 10, 31, 1, 0));
    assert_int_equal(w.transition_s, at(2021, 10, 31, 1, 0));
    assert_int_equal(zone_wall(berlin, at(2021, 10, 31, 3, 0)).kind, WALL_UNIQUE);
    w = zone_wall(apia, at(2011, 12, 30, 12, 0));
    assert_int_equal(w.kind, WALL_GAP);
    assert_int_equal(w.transition_s, at(2011, 12, 30, 10, 0));
    w = zone_wall(howe, at(2021, 4, 4, 1, 45));
    assert_int_equal(w.kind, WALL_OVERLAP);
    assert_int_equal(w.second_s - w.first_s, 1800);
    zone_unref(berlin);
    zone_unref(apia);
    zone_unref(howe);
}

// Every zone: its spans join, and mapping there and back gives the instant again.
static void spans_join_and_walls_lead_back_in_every_zone(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 8 * 1024 * 1024);
    struct strs names = zones_names(zones, &a);
    assert_true(names.n > 400);
    struct rng rng;
    rng_init(&rng, 20261123);
    for (size_t i = 0; i < names.n; i++) {
        struct zone *z = zone_of(arena_cstr(&a, names.v[i]));
        for (int64_t t = at(1960, 1, 1, 0, 0); t < at(2500, 1, 1, 0, 0);) {
            struct zone_span s = zone_span_at(z, t, NULL);
            assert_true(s.begin_s <= t && t < s.end_s);
            if (s.end_s == INT64_MAX)
                break;
            struct zone_span next = zone_span_at(z, s.end_s, NULL);
            assert_true(next.begin_s == s.end_s && next.before_s == s.offset_s && next.offset_s == s.after_s);
            t = s.end_s;
        }
        for (int k = 0; k < 200; k++) {
            int64_t t = (int64_t)rng_below(&rng, 20000000000);
            struct wall w = zone_wall(z, t + zone_span_at(z, t, NULL).offset_s);
            assert_true(w.kind != WALL_GAP && (w.first_s == t || w.second_s == t));
        }
        zone_unref(z);
    }
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_instant_has_its_offset_and_abbreviation),
        cmocka_unit_test(a_wall_time_is_unique_missing_or_twice),
        cmocka_unit_test(spans_join_and_walls_lead_back_in_every_zone),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
