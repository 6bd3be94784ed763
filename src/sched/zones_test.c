// SPDX-License-Identifier: Apache-2.0
// Names, the reload of changed data, and sharing between threads.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sync.h"
#include "base/time.h"
#include "sched/zones.h"

enum { FILE_BYTES_MAX = 64 * 1024, PATH_LEN_MAX = 512 };

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

static int64_t at(int32_t year, int32_t month, int32_t day, int32_t hour, int32_t minute)
{
    return civil_to_s((struct civil){year, month, day, hour, minute, 0});
}

static void names_that_are_no_zones_are_refused_with_a_hint(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
    } rows[] = {
        {"europe/berlin", "time zone \"europe/berlin\" does not exist; did you mean \"Europe/Berlin\"?"},
        {"Europe/Berlim", "time zone \"Europe/Berlim\" does not exist; did you mean \"Europe/Berlin\"?"},
        {"Berlin", "time zone \"Berlin\" does not exist; did you mean \"Europe/Berlin\"?"},
        {"UTC+1",
         "time zone \"UTC+1\" is a fixed offset, which ignores summer time; use an IANA name such as "
         "\"Europe/Berlin\", or \"UTC\""},
    };
    struct zone *z;
    struct err err;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_false(zones_get(zones, str_of(rows[i].name), &z, &err));
        assert_string_equal(err.text, rows[i].text);
        assert_int_equal(err.code, ERR_INVALID);
    }
    static const char *const refused[] = {"../../../etc/passwd",
                                          "/etc/localtime",
                                          "Europe",
                                          "Europe/",
                                          "Europe//Berlin",
                                          "Z",
                                          "+02:00",
                                          "GMT-3:00",
                                          "right/Europe/Berlin",
                                          "localtime",
                                          "posixrules",
                                          "tzdata.zi",
                                          "zone1970.tab",
                                          "leapseconds",
                                          "Europe/Berlin ",
                                          "Europe\\Berlin",
                                          ".",
                                          "CEST",
                                          "\xff"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (zones_get(zones, str_of(refused[i]), &z, &err))
            fail_msg("\"%s\" was accepted", refused[i]);
    char longest[500];
    memset(longest, 'A', sizeof longest);
    assert_false(zones_get(zones, str_of_n(longest, sizeof longest), &z, &err));
    assert_false(zones_get(zones, str_of_n("UTC\0x", 5), &z, &err));
}

static void utc_needs_no_files_and_is_the_default(void **state)
{
    (void)state;
    struct zones *none = zones_new("/nonexistent-zoneinfo");
    char version[ZONES_VERSION_MAX];
    struct zone *z, *again;
    struct err err;
    assert_true(zones_get(none, STR_NONE, &z, &err));
    assert_true(zones_get(none, STR("UTC"), &again, &err));
    assert_ptr_equal(z, again);
    assert_string_equal(zone_name(z), "UTC");
    assert_int_equal(zones_reload(none).failed, 0);
    assert_string_equal(zones_version(none, version), "");
    assert_false(zones_get(none, STR("Europe/Berlin"), &again, &err));
    zone_unref(z);
    zone_unref(z);
    zones_free(none);
}

static void copy_file(const char *from, const char *to)
{
    struct arena a;
    arena_init(&a, 1024 * 1024);
    struct str bytes;
    struct err err;
    if (!file_read(from, FILE_BYTES_MAX, &bytes, &a, &err) || !file_write(to, bytes, 0644, &err))
        fail_msg("%s", err.text);
    arena_release(&a);
}

static void path_of(char out[static PATH_LEN_MAX], const char *dir, const char *name)
{
    snprintf(out, PATH_LEN_MAX, "%s/%s", dir, name);
}

static void a_reload_swaps_changed_zones_and_keeps_old_ones_valid(void **state)
{
    (void)state;
    char dir[] = "/tmp/chronos-zones-XXXXXX", from[PATH_LEN_MAX], to[PATH_LEN_MAX], list[PATH_LEN_MAX];
    char version[ZONES_VERSION_MAX];
    struct err err;
    assert_non_null(mkdtemp(dir));
    path_of(from, tzdir(), "Europe/Berlin");
    path_of(to, dir, "Home");
    path_of(list, dir, "+VERSION");
    copy_file(from, to);
    assert_true(file_write(list, STR("2026f\n"), 0644, &err));
    struct zones *zs = zones_new(dir);
    assert_string_equal(zones_version(zs, version), "2026f");
    struct zone *old, *fresh;
    assert_true(zones_get(zs, STR("Home"), &old, &err));
    struct zones_report report = zones_reload(zs);
    assert_int_equal(report.checked, 1);
    assert_int_equal(report.changed + report.failed, 0);

    copy_file(from, to); // a new file with the same bytes is no change
    assert_int_equal(zones_reload(zs).changed, 0);
    assert_false(zone_superseded(old));

    path_of(from, tzdir(), "Asia/Tokyo"); // the zone moves
    copy_file(from, to);
    assert_true(file_write(list, STR("2026g\n"), 0644, &err));
    assert_int_equal(zones_reload(zs).changed, 1);
    assert_true(zone_superseded(old));
    assert_string_equal(zones_version(zs, version), "2026g");
    assert_true(zones_get(zs, STR("Home"), &fresh, &err));
    assert_false(zone_superseded(fresh));
    assert_int_equal(zone_span_at(fresh, at(2021, 7, 1, 0, 0), NULL).offset_s, 9 * 3600);
    assert_int_equal(zone_span_at(old, at(2021, 7, 1, 0, 0), NULL).offset_s, 2 * 3600);

    assert_true(file_write(to, STR("TZif damaged"), 0644, &err)); // damage and loss keep what is known
    assert_int_equal(zones_reload(zs).failed, 1);
    assert_int_equal(unlink(to), 0);
    assert_int_equal(zones_reload(zs).failed, 1);
    assert_false(zone_superseded(fresh));
    copy_file(from, to);
    report = zones_reload(zs);
    assert_int_equal(report.changed + report.failed, 0);

    zones_free(zs);
    assert_int_equal(zone_span_at(fresh, 0, NULL).offset_s, 9 * 3600); // outlives the cache
    zone_unref(old);
    zone_unref(fresh);
    unlink(to);
    unlink(list);
    rmdir(dir);
}

enum { THREADS = 4, ROUNDS = 2000 };

static void *ask_for_zones(void *arg)
{
    static const char *const names[] = {"Europe/Berlin", "Asia/Tokyo", "UTC", "No/Zone", "America/New_York"};
    struct zones *zs = arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct zone *z;
        struct err err;
        // An unknown name reads the list of names: only now and then.
        const char *name = names[i % 5 == 3 && i % 500 != 3 ? 0 : i % 5];
        if (!zones_get(zs, str_of(name), &z, &err))
            continue;
        must(strcmp(zone_name(z), name) == 0 && zone_span_at(z, i, NULL).begin_s <= i);
        zone_unref(z);
        if (i % 100 == 0)
            (void)zones_reload(zs);
    }
    return NULL;
}

static void threads_share_the_cache(void **state)
{
    (void)state;
    struct zones *zs = zones_new(tzdir());
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start("zones", ask_for_zones, zs);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    struct zones_report report = zones_reload(zs);
    assert_int_equal(report.checked, 4);
    assert_int_equal(report.changed + report.failed, 0);
    zones_free(zs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_are_no_zones_are_refused_with_a_hint),
        cmocka_unit_test(utc_needs_no_files_and_is_the_default),
        cmocka_unit_test(a_reload_swaps_changed_zones_and_keeps_old_ones_valid),
        cmocka_unit_test(threads_share_the_cache),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
