// SPDX-License-Identifier: Apache-2.0
// Headers that every answer carries, and those an answer says itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "httpd/safe.h"

enum { BUDGET = 1 << 16 };

static const char *value(const struct httpd_response *r, const char *name)
{
    const char *found = NULL;
    for (size_t i = 0; i < r->headers.n; i++)
        if (str_is(r->headers.v[i].key, name)) {
            assert_null(found); // each at most once
            found = r->headers.v[i].value.p;
        }
    return found;
}

static void every_answer_is_safe_in_a_browser(void **state)
{
    (void)state;
    struct arena a;
    struct httpd_response r = {.status = 200};
    arena_init(&a, BUDGET);
    safe_headers(&r, &a, false);
    assert_string_equal(value(&r, "X-Content-Type-Options"), "nosniff");
    assert_string_equal(value(&r, "Cache-Control"), "no-store");
    assert_non_null(strstr(value(&r, "Content-Security-Policy"), "frame-ancestors 'none'"));
    assert_non_null(value(&r, "Referrer-Policy"));
    assert_non_null(value(&r, "Permissions-Policy"));
    assert_null(value(&r, "Strict-Transport-Security"));
    arena_release(&a);
}

static void what_an_answer_says_itself_stands(void **state)
{
    (void)state;
    struct arena a;
    struct httpd_response r = {.status = 200};
    arena_init(&a, BUDGET);
    httpd_response_header(&r, &a, "cache-control", STR("max-age=60"));
    httpd_response_header(&r, &a, "ETag", STR("\"1\""));
    safe_headers(&r, &a, true);
    assert_string_equal(value(&r, "cache-control"), "max-age=60");
    assert_null(value(&r, "Cache-Control"));
    assert_string_equal(value(&r, "ETag"), "\"1\"");
    assert_non_null(value(&r, "Strict-Transport-Security"));
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_is_safe_in_a_browser),
        cmocka_unit_test(what_an_answer_says_itself_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
