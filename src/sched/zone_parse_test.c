// SPDX-License-Identifier: Apache-2.0
// Zone files: small ones made here, and a real one cut and bent in every way.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/rng.h"
#include "base/time.h"
#include "sched/zones.h"

enum { FILE_BYTES_MAX = 64 * 1024, PATH_LEN_MAX = 512 };

static const char *tzdir(void)
{
    const char *dir = getenv("TZDIR");
    return dir ? dir : ZONES_DIR_DEFAULT;
}

static int64_t at(int32_t year, int32_t month, int32_t day, int32_t hour, int32_t minute)
{
    return civil_to_s((struct civil){year, month, day, hour, minute, 0});
}

static void put_be(char *p, uint64_t v, int n)
{
    for (int i = 0; i < n; i++)
        p[i] = (char)(v >> (8 * (n - 1 - i)));
}

// A file of version 2 with one type, no transitions and the footer given.
static size_t tiny_file(const char *footer, char *file)
{
    memset(file, 0, 44 * 2);
    for (int i = 0; i < 2; i++) {
        memcpy(file + i * 44, "TZif2", 5);
        if (i == 1)
            put_be(file + 44 + 36, 1, 4), put_be(file + 44 + 40, 4, 4);
    }
    size_t n = 88;
    put_be(file + n, 3600, 4);
    file[n + 4] = file[n + 5] = 0;
    memcpy(file + n + 6, "AAA", 4);
    n += 10;
    return n + (size_t)snprintf(file + n, 200, "\n%s\n", footer);
}

static void a_rule_without_a_table_holds_for_all_times(void **state)
{
    (void)state;
    char file[400];
    struct zone *z;
    struct err err;
    size_t n = tiny_file("CET-1CEST,M3.5.0,M10.5.0/3", file);
    if (!zone_parse(str_of_n(file, n), STR("Test/A"), &z, &err))
        fail_msg("%s", err.text);
    assert_string_equal(zone_span_at(z, at(2500, 7, 1, 0, 0), NULL).abbr, "CEST");
    assert_string_equal(zone_span_at(z, at(1950, 7, 1, 0, 0), NULL).abbr, "CEST");
    zone_unref(z);
    n = tiny_file("AAA0BBB-1,0/0,J365/25", file); // summer time all year long (RFC 9636 3.3.2)
    assert_true(zone_parse(str_of_n(file, n), STR("Test/B"), &z, &err));
    for (int64_t t = at(1990, 1, 1, 0, 0); t < at(1993, 1, 1, 0, 0); t += 1800)
        assert_int_equal(zone_span_at(z, t, NULL).offset_s, 3600);
    zone_unref(z);
    n = tiny_file("", file);
    assert_true(zone_parse(str_of_n(file, n), STR("Test/C"), &z, &err));
    assert_int_equal(zone_span_at(z, 0, NULL).offset_s, 3600);
    zone_unref(z);
}

static struct str berlin_bytes(struct arena *a)
{
    char path[PATH_LEN_MAX];
    struct str bytes;
    struct err err;
    snprintf(path, sizeof path, "%s/Europe/Berlin", tzdir());
    if (!file_read(path, FILE_BYTES_MAX, &bytes, a, &err))
        fail_msg("%s", err.text);
    return bytes;
}

static void damaged_files_are_refused_not_trusted(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1024 * 1024);
    struct str good = berlin_bytes(&a);
    char *copy = arena_alloc(&a, good.n);
    struct zone *z;
    struct err err;
    for (size_t n = 0; n < good.n; n++) {  // every cut
        char *cut = (char *)malloc(n + 1); // exact size, so that a sanitizer sees a step too far
        assert_non_null(cut);
        memcpy(cut, good.p, n);
        assert_false(zone_parse(str_of_n(cut, n), STR("Test/Cut"), &z, &err));
        assert_int_equal(err.code, ERR_CORRUPT);
        free(cut);
    }
    struct rng rng;
    rng_init(&rng, 20261123);
    size_t accepted = 0;
    for (int i = 0; i < 20000; i++) { // random damage: an answer or an error, never a crash
        memcpy(copy, good.p, good.n);
        for (uint64_t k = 1 + rng_below(&rng, 4); k > 0; k--)
            copy[rng_below(&rng, good.n)] = (char)rng_u64(&rng);
        if (!zone_parse(str_of_n(copy, good.n), STR("Test/Bent"), &z, &err))
            continue;
        accepted++;
        for (int k = 0; k < 4; k++) {
            int64_t t = (int64_t)rng_below(&rng, UINT64_C(200000000000)) - INT64_C(100000000000);
            struct zone_span s = zone_span_at(z, t, NULL);
            assert_true(s.begin_s <= t && t < s.end_s);
            (void)zone_wall(z, t);
        }
        zone_unref(z);
    }
    assert_true(accepted > 0 && accepted < 20000);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_without_a_table_holds_for_all_times),
        cmocka_unit_test(damaged_files_are_refused_not_trusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
