// SPDX-License-Identifier: Apache-2.0
// Unit tests of base/str.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/str.h"

#include <inttypes.h>

static void comparing_knows_case_order_and_ends(void **state)
{
    (void)state;
    assert_true(str_eq(STR("a"), str_of("a")));
    assert_true(str_eq(STR_NONE, STR("")));
    assert_false(str_eq(STR("a"), STR("b")));
    assert_true(str_eq_nocase(STR("HiGh"), STR("hIgH")));
    assert_false(str_eq_nocase(STR("@"), STR("`"))); // 0x20 apart, but no letters
    assert_true(str_cmp(STR("a"), STR("b")) < 0);
    assert_true(str_cmp(STR("ab"), STR("a")) > 0);
    assert_true(str_cmp(STR(""), STR_NONE) == 0);
    assert_true(str_cmp(STR("\xFF"), STR("a")) > 0);
    assert_true(str_starts(STR("job"), STR("jo")) && str_starts(STR("job"), STR("")));
    assert_false(str_starts(STR("jo"), STR("job")));
    assert_true(str_ends(STR("job"), STR("ob")) && str_ends(STR_NONE, STR("")));
    assert_false(str_ends(STR("b"), STR("ob")));
    assert_true(str_contains(STR("a job"), STR("job")) && str_contains(STR_NONE, STR("")));
    assert_false(str_contains(STR("jo"), STR("job")));
    assert_true(str_eq_secret(STR("key"), STR("key")) && str_eq_secret(STR_NONE, STR("")));
    assert_false(str_eq_secret(STR("key"), STR("kez")) || str_eq_secret(STR("key"), STR("keys")));
}

static void trimming_and_splitting_return_views(void **state)
{
    (void)state;
    assert_true(str_is(str_trim(STR(" \t\r\n a b \v\f")), "a b"));
    assert_int_equal(str_trim(STR(" \n ")).n, 0);
    struct str rest;
    assert_true(str_is(str_split(STR("a:b:c"), ':', &rest), "a") && str_is(rest, "b:c"));
    assert_true(str_is(str_split(STR("a:"), ':', &rest), "a") && rest.p && rest.n == 0);
    assert_true(str_is(str_split(STR("a"), ':', &rest), "a") && !rest.p);
    assert_int_equal(str_find(STR("abc"), 'c'), 2);
    assert_int_equal(str_find(STR("abc"), 'x'), 3);
    assert_int_equal(str_find(STR_NONE, 'x'), 0);
}

static void integers_are_read_exactly_or_not_at_all(void **state)
{
    (void)state;
    static const struct { const char *text; bool ok; int64_t v; } cases[] = {
        {"0", true, 0}, {"-0", true, 0}, {"+7", true, 7}, {"007", true, 7}, {"-12", true, -12},
        {"9223372036854775807", true, INT64_MAX}, {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0}, {"-9223372036854775809", false, 0},
        {"99999999999999999999", false, 0}, {"", false, 0}, {"-", false, 0}, {"+", false, 0},
        {" 1", false, 0}, {"1 ", false, 0}, {"1.0", false, 0}, {"0x1", false, 0}, {"--1", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t v = 42;
        assert_int_equal(str_to_i64(str_of(cases[i].text), &v), cases[i].ok);
        assert_true(v == (cases[i].ok ? cases[i].v : 42));
    }
    for (int64_t v = -70000; v <= 70000; v++) {
        char text[32];
        int64_t back = 0;
        (void)snprintf(text, sizeof text, "%" PRId64, v);
        assert_true(str_to_i64(str_of(text), &back) && back == v);
    }
}

static size_t encode(uint32_t cp, char out[4])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (cp & 0x3F));
        cp >>= 6;
    }
    out[0] = (char)((n == 2 ? 0xC0 : n == 3 ? 0xE0 : 0xF0) | cp);
    return n;
}

static void every_code_point_is_valid_except_surrogates(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp <= 0x1100FF; cp++) {
        char text[4];
        struct str s = {text, encode(cp, text)};
        bool valid = (cp < 0xD800 || cp > 0xDFFF) && cp <= 0x10FFFF;
        if (str_utf8_valid(s) != valid || str_utf8_step(s) != (valid ? s.n : 0))
            fail_msg("code point %x", cp);
        s.n--; // cut short
        if (str_utf8_valid(s) != (s.n == 0))
            fail_msg("cut code point %x", cp);
    }
}

// All three-byte texts against the definition: the well-formed ones are exactly the encodings.
static void no_other_byte_sequence_is_valid(void **state)
{
    (void)state;
    size_t valid = 0;
    for (uint32_t v = 0; v < 1u << 24; v++) {
        char text[3] = {(char)(v >> 16), (char)(v >> 8), (char)v};
        valid += str_utf8_valid((struct str){text, 3});
    }
    const size_t one = 0x80, two = 0x800 - 0x80, three = 0x10000 - 0x800 - 0x800;
    assert_int_equal(valid, one * one * one + 2 * one * two + three);
    assert_false(str_utf8_valid(STR("\xF0\x80\x80\x80")));
    assert_false(str_utf8_valid(STR("\xF4\x90\x80\x80")));
    assert_false(str_utf8_valid(STR("\xC0\x80")));
}

static void cutting_keeps_whole_characters(void **state)
{
    (void)state;
    struct str s = STR("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z"); // 1 + 2 + 3 + 4 + 1 bytes
    static const size_t want[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
    for (size_t max = 0; max < sizeof want / sizeof want[0]; max++)
        assert_int_equal(str_utf8_cut(s, max), want[max]);
    assert_int_equal(str_utf8_count(s), 5);
    assert_int_equal(str_utf8_count(STR_NONE), 0);
}

static void distance_counts_edits_of_characters(void **state)
{
    (void)state;
    assert_int_equal(str_distance(STR("kitten"), STR("sitting")), 3);
    assert_int_equal(str_distance(STR(""), STR("abc")), 3);
    assert_int_equal(str_distance(STR("name"), STR("name")), 0);
    assert_int_equal(str_distance(STR("nmae"), STR("name")), 2);
    assert_int_equal(str_distance(STR("caf\xC3\xA9"), STR("cafe")), 1);
    char many[64];
    memset(many, 'a', sizeof many);
    assert_int_equal(str_distance(str_of_n(many, 63), str_of_n(many, 62)), 1);
    assert_int_equal(str_distance(str_of_n(many, 64), str_of_n(many, 64)), 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing_knows_case_order_and_ends),
        cmocka_unit_test(trimming_and_splitting_return_views),
        cmocka_unit_test(integers_are_read_exactly_or_not_at_all),
        cmocka_unit_test(every_code_point_is_valid_except_surrogates),
        cmocka_unit_test(no_other_byte_sequence_is_valid),
        cmocka_unit_test(cutting_keeps_whole_characters),
        cmocka_unit_test(distance_counts_edits_of_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
