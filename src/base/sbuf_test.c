// SPDX-License-Identifier: Apache-2.0
// Unit tests of base/sbuf.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/sbuf.h"

#include <math.h>

#include "base/rng.h"

static void the_same_text_is_built_in_an_arena_and_on_the_heap(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    struct sbuf b[2];
    sbuf_init(&b[0], &a, 1 << 16);
    sbuf_init(&b[1], NULL, SIZE_MAX);
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < 1000; i++) {
            sbuf_put(&b[k], STR("ab"));
            sbuf_putc(&b[k], ',');
            sbuf_i64(&b[k], i);
            sbuf_fmt(&b[k], "%s;", "");
        }
        assert_true(sbuf_ok(&b[k]));
        assert_int_equal(strlen(b[k].p), b[k].n);
    }
    assert_true(str_eq(sbuf_str(&b[0]), sbuf_str(&b[1])));
    assert_int_equal(b[0].n, 10 * 5 + 90 * 6 + 900 * 7);
    sbuf_release(&b[1]);
    arena_release(&a);
}

static void past_the_limit_nothing_more_is_put(void **state)
{
    (void)state;
    struct sbuf b;
    sbuf_init(&b, NULL, 5);
    assert_string_equal(sbuf_str(&b).p, "");
    sbuf_puts(&b, "abc");
    sbuf_puts(&b, "de");
    assert_true(sbuf_ok(&b) && str_is(sbuf_str(&b), "abcde"));
    sbuf_putc(&b, 'f');
    assert_false(sbuf_ok(&b));
    assert_true(str_is(sbuf_str(&b), "abcde"));
    sbuf_clear(&b);
    assert_true(sbuf_ok(&b) && b.n == 0);
    sbuf_fmt(&b, "%d", 123456);
    assert_false(sbuf_ok(&b));
    sbuf_clear(&b);
    sbuf_puts(&b, "123456");
    sbuf_putc(&b, '1'); // would fit, but the text has a hole
    assert_int_equal(b.n, 0);
    sbuf_release(&b);
    struct arena a;
    arena_init(&a, 64);
    sbuf_init(&b, &a, 1000);
    sbuf_puts(&b, "x");
    assert_false(sbuf_ok(&b));
    arena_release(&a);
}

static void integers_and_doubles_read_back_the_same(void **state)
{
    (void)state;
    struct sbuf b;
    sbuf_init(&b, NULL, 1000);
    sbuf_i64(&b, INT64_MIN);
    sbuf_putc(&b, ' ');
    sbuf_i64(&b, INT64_MAX);
    sbuf_putc(&b, ' ');
    sbuf_i64(&b, 0);
    assert_string_equal(b.p, "-9223372036854775808 9223372036854775807 0");
    static const struct { double v; const char *text; } cases[] = {
        {0.1, "0.1"}, {5, "5.0"}, {-2.5, "-2.5"}, {1e300, "1e+300"}, {1.0 / 3, "0.3333333333333333"},
        {NAN, "null"}, {INFINITY, "null"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sbuf_clear(&b);
        sbuf_f64(&b, cases[i].v);
        assert_string_equal(b.p, cases[i].text);
    }
    struct rng rng;
    rng_init(&rng, 1);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = rng_u64(&rng);
        double v;
        memcpy(&v, &bits, sizeof v);
        sbuf_clear(&b);
        sbuf_f64(&b, v);
        assert_true(isfinite(v) ? strtod(b.p, NULL) == v : str_is(sbuf_str(&b), "null"));
    }
    sbuf_release(&b);
}

static void json_strings_escape_what_readers_trip_over(void **state)
{
    (void)state;
    static const struct { struct str in; const char *out; } cases[] = {
        {STR_INIT(""), "\"\""},
        {STR_INIT("plain"), "\"plain\""},
        {STR_INIT("\"\\/"), "\"\\\"\\\\/\""},
        {STR_INIT("\b\t\n\f\r"), "\"\\b\\t\\n\\f\\r\""},
        {STR_INIT("\0\v\x1F\x7F"), "\"\\u0000\\u000b\\u001f\\u007f\""},
        {STR_INIT("caf\xC3\xA9 \xF0\x9F\x98\x80"), "\"caf\xC3\xA9 \xF0\x9F\x98\x80\""},
        {STR_INIT("\xE2\x80\xA8\xE2\x80\xA9\xE2\x80\xAA"), "\"\\u2028\\u2029\xE2\x80\xAA\""},
        {STR_INIT("\xC2\x9B\xC2\xA0"), "\"\\u009b\xC2\xA0\""},
        {STR_INIT("\xEF\xBB\xBF\xEF\xBF\xBE"), "\"\\ufeff\\ufffe\""},
        {STR_INIT("a\xFF\xC3"), "\"a\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {STR_INIT("\xED\xA0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
    };
    struct sbuf b;
    sbuf_init(&b, NULL, 1000);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sbuf_clear(&b);
        sbuf_json(&b, cases[i].in);
        assert_string_equal(b.p, cases[i].out);
    }
    sbuf_release(&b);
}

static void urls_keep_only_unreserved_characters(void **state)
{
    (void)state;
    struct sbuf b;
    sbuf_init(&b, NULL, 1000);
    sbuf_url(&b, STR("aZ09-._~ /?&=%+\xC3\xA9"));
    assert_string_equal(b.p, "aZ09-._~%20%2F%3F%26%3D%25%2B%C3%A9");
    sbuf_release(&b);
}

static void durations_are_told_in_two_units(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *want;
    } cases[] = {{0, "0 ms"}, {850, "850 ms"}, {1000, "1.0 s"}, {12345, "12.3 s"}, {60000, "1 min 0 s"},
                 {7384000, "2 h 3 min"}, {273600000, "3 d 4 h"}, {-1500, "-1.5 s"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sbuf b;
        sbuf_init(&b, NULL, 64);
        sbuf_duration(&b, cases[i].ms);
        assert_string_equal(b.p, cases[i].want);
        sbuf_release(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_text_is_built_in_an_arena_and_on_the_heap),
        cmocka_unit_test(past_the_limit_nothing_more_is_put),
        cmocka_unit_test(integers_and_doubles_read_back_the_same),
        cmocka_unit_test(json_strings_escape_what_readers_trip_over),
        cmocka_unit_test(urls_keep_only_unreserved_characters),
        cmocka_unit_test(durations_are_told_in_two_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
