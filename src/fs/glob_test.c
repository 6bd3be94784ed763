// SPDX-License-Identifier: Apache-2.0
// Unit tests of fs/glob.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "fs/glob.h"

static void patterns_match_names_and_paths(void **state)
{
    static const struct {
        const char *pattern, *path;
        bool matches;
    } rows[] = {
        {"*.csv", "a.csv", true},
        {"*.csv", "deep/er/a.csv", true},
        {"*.csv", "a.csvx", false},
        {"in/*.csv", "in/a.csv", true},
        {"in/*.csv", "in/b/a.csv", false},
        {"in/*.csv", "x/in/a.csv", false},
        {"**/*.csv", "a.csv", true},
        {"**/*.csv", "x/y/a.csv", true},
        {"x/**/a", "x/a", true},
        {"x/**/a", "x/1/2/a", true},
        {"x/**/a", "y/a", false},
        {"x/**", "x/1/2", true},
        {"**", "a/b", true},
        {"?.txt", "a.txt", true},
        {"?.txt", "ab.txt", false},
        {"?/b", "a/b", true},
        {"a?b", "a/b", false},
        {"[a-c]1", "b1", true},
        {"[!a-c]1", "b1", false},
        {"[!a-c]1", "d1", true},
        {"[[]x", "[x", true},
        {"*.{csv,txt}", "a.txt", true},
        {"*.{csv,txt}", "a.doc", false},
        {"{a,b{c,d}}e", "bde", true},
        {"{a,b{c,d}}e", "be", false},
        {"a*b*c", "aXbYc", true},
        {"a*b*c", "aXbY", false},
        {"*", "", true},
        {"**x", "abx", true},
        {"a", "a", true},
        {"A", "a", false},
        {"{x,}y", "y", true},
        {"\xc3\xa4*", "\xc3\xa4rger", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (glob_match(str_of(rows[i].pattern), str_of(rows[i].path)) != rows[i].matches)
            fail_msg("\"%s\" and \"%s\"", rows[i].pattern, rows[i].path);
}

static void unfinished_and_monstrous_patterns_are_refused(void **state)
{
    struct err err;
    char many[2 * GLOB_STARS_MAX + 2];
    (void)state;
    assert_false(glob_check(STR("[a"), &err));
    assert_false(glob_check(STR("[]"), &err));
    assert_false(glob_check(STR("{a,b"), &err));
    assert_false(glob_check(STR(""), &err));
    assert_false(glob_check(STR("{{{{{{{{{a}}}}}}}}}"), &err));
    memset(many, '*', sizeof many);
    assert_false(glob_check((struct str){many, sizeof many}, &err));
    assert_true(glob_check(STR("a}b"), &err));
    assert_true(glob_check(STR("*.{csv,txt}"), &err));
}

static void a_hostile_pattern_takes_no_time(void **state)
{
    static const char name[] =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    (void)state;
    assert_false(
        glob_match(STR("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b"), str_of(name))); // or the test runs out of time
}

static void lists_match_when_any_does(void **state)
{
    struct str v[] = {STR("*.a"), STR("*.b")};
    const struct strs list = {v, 2}, none = {0};
    (void)state;
    assert_true(glob_any(&list, STR("x.b")));
    assert_false(glob_any(&list, STR("x.c")));
    assert_true(glob_any(&none, STR("x.c")));
    assert_true(glob_is(STR("a[b")) && glob_is(STR("?")) && !glob_is(STR("a.b-c")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_names_and_paths),
        cmocka_unit_test(unfinished_and_monstrous_patterns_are_refused),
        cmocka_unit_test(a_hostile_pattern_takes_no_time),
        cmocka_unit_test(lists_match_when_any_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
