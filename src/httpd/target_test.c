// SPDX-License-Identifier: Apache-2.0
// Targets: what is taken is decoded exactly once; what a proxy might read in another way is refused and
// leaves the results alone.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "httpd/target.h"

enum { BUDGET = 1 << 16 };

static void good_targets_are_decoded_once(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *path, *query; // query NULL: absent
    } rows[] = {
        {"/", "/", NULL},
        {"/api/v1/jobs", "/api/v1/jobs", NULL},
        {"/jobs?", "/jobs", ""},
        {"/jobs?a=1&b=%20", "/jobs", "a=1&b=%20"},
        {"/a%20b/%C3%BC", "/a b/\xC3\xBC", NULL},
        {"/a%2525", "/a%25", NULL},
        {"/jobs:batch", "/jobs:batch", NULL},
        {"/a/", "/a/", NULL},
        {"/a..b/.c", "/a..b/.c", NULL},
        {"http://example.org/x?y", "/x", "y"},
        {"http://example.org", "/", NULL},
        {"/?q=/../", "/", "q=/../"},
    };
    struct arena a;
    arena_init(&a, BUDGET);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct str path, query;
        assert_null(target_parse(str_of(rows[i].raw), false, &path, &query, &a));
        assert_true(str_is(path, rows[i].path));
        assert_int_equal(query.p != NULL, rows[i].query != NULL);
        assert_true(str_eq(query, str_of(rows[i].query)));
    }
    arena_release(&a);
}

static void doubtful_targets_are_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",         "*",        "jobs",      "?a",       "//",       "//a",        "/a//b",     "/a/../b",
        "/..",      "/.",       "/a/.",      "/%2e%2e/", "/%2E",     "/a%2fb",     "/a%2Fb",    "/a%5cb",
        "/a\\b",    "/a%00",    "/a%0d%0a",  "/a%7f",    "/a%",      "/a%4",       "/a%zz",     "/a%ff",
        "/\xff",    "/a#b",     "/a b",      "/a\tb",    "/?a=%ff",  "/?a=%",      "/?a=%g0",   "ftp://x/",
        "http:///a/../b",       "javascript:alert(1)",   "/a%c0%af", "/%ed%a0%80", "/?\xc3\x28",
    };
    struct arena a;
    arena_init(&a, BUDGET);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct str path = STR("unchanged"), query = STR_NONE;
        assert_non_null(target_parse(str_of(rows[i]), false, &path, &query, &a));
        assert_true(str_is(path, "unchanged"));
    }
    struct str path, query;
    assert_null(target_parse(STR("*"), true, &path, &query, &a));
    assert_true(str_is(path, "*"));
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_targets_are_decoded_once),
        cmocka_unit_test(doubtful_targets_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
