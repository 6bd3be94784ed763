// SPDX-License-Identifier: Apache-2.0
// What handlers see of a request and put into a response, without a server.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "httpd/httpd.h"

enum { BUDGET = 1 << 16 };

static void query_parameters_are_found_and_decoded(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, BUDGET);
    struct httpd_request r = {.a = &a, .query = STR("a=1&b=x+y%2B&c&d=&%65=5&a=2&f=%3D%26")};
    assert_true(str_is(httpd_query(&r, "a"), "1"));
    assert_true(str_is(httpd_query(&r, "b"), "x y+"));
    assert_true(httpd_query(&r, "c").p && httpd_query(&r, "c").n == 0);
    assert_true(httpd_query(&r, "d").p && httpd_query(&r, "d").n == 0);
    assert_true(str_is(httpd_query(&r, "e"), "5"));
    assert_true(str_is(httpd_query(&r, "f"), "=&"));
    assert_null(httpd_query(&r, "g").p);
    r.query = STR_NONE;
    assert_null(httpd_query(&r, "a").p);
    arena_release(&a);
}

static void headers_are_found_by_lower_case_name(void **state)
{
    (void)state;
    struct str_pair v[] = {{STR("host"), STR("h")}, {STR("x-a"), STR("1")}, {STR("x-a"), STR("2")}};
    struct str_map headers = {v, 3};
    struct httpd_request r = {.headers = &headers};
    assert_true(str_is(httpd_header(&r, "x-a"), "1"));
    assert_true(str_is(httpd_header(&r, "host"), "h"));
    assert_null(httpd_header(&r, "x-b").p);
}

static void response_headers_are_copied_and_never_split_the_answer(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, BUDGET);
    struct httpd_response r = {.status = 200};
    enum { MANY = 40 };
    char name[16], value[16];
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof name, "x-%d", i);
        (void)snprintf(value, sizeof value, "%d", i);
        httpd_response_header(&r, &a, name, str_of(value));
    }
    httpd_response_header(&r, &a, "x-split", STR("a\r\nSet-Cookie: b"));
    httpd_response_header(&r, &a, "x-split", STR("a\nb"));
    assert_int_equal(r.headers.n, MANY);
    assert_true(str_is(r.headers.v[17].key, "x-17") && str_is(r.headers.v[17].value, "17"));
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(query_parameters_are_found_and_decoded),
        cmocka_unit_test(headers_are_found_by_lower_case_name),
        cmocka_unit_test(response_headers_are_copied_and_never_split_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
