// SPDX-License-Identifier: Apache-2.0
// Problem documents: members, codes, and what must not be told.
#include "api/problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { ARENA_BUDGET = 1 << 20, TEXT_MAX = 1 << 16 };

static struct str written(const struct problem *p, struct arena *a)
{
    struct sbuf out;
    sbuf_init(&out, a, TEXT_MAX);
    problem_write(p, STR("/x"), "t-1", &out);
    return sbuf_str(&out);
}

static void a_problem_tells_every_fault(void **state)
{
    (void)state;
    struct arena a;
    struct faults f;
    struct err err = {0};
    arena_init(&a, ARENA_BUDGET);
    faults_init(&f, &a);
    faults_add(&f, STR("/name"), "is \"bad\"");
    faults_add(&f, STR("?size"), "is large");
    (void)ERR(&err, ERR_INVALID, "two faults");
    struct problem p = problem_of(&err, &f);
    assert_true(str_eq(written(&p, &a),
        STR("{\"type\":\"/problems/invalid\",\"title\":\"Bad request\",\"status\":400,\"detail\":\"two faults\","
            "\"instance\":\"/x\",\"code\":\"INVALID\",\"traceId\":\"t-1\",\"errors\":[{\"pointer\":\"/name\","
            "\"detail\":\"is \\\"bad\\\"\"},{\"parameter\":\"size\",\"detail\":\"is large\"}]}")));
    arena_release(&a);
}

static void the_field_of_an_error_is_its_fault(void **state)
{
    (void)state;
    struct arena a;
    struct err err = {0};
    arena_init(&a, ARENA_BUDGET);
    (void)ERR(&err, ERR_INVALID, "too long");
    (void)err_at(&err, "/reason");
    struct problem p = problem_of(&err, NULL);
    assert_true(str_contains(written(&p, &a), STR("\"errors\":[{\"pointer\":\"/reason\",\"detail\":\"too long\"}]")));
    arena_release(&a);
}

static void every_code_has_a_status_and_ours_tell_nothing_of_the_inside(void **state)
{
    (void)state;
    for (int code = ERR_INVALID; code <= ERR_INTERNAL; code++) {
        struct err err = {0};
        (void)ERR(&err, (enum err_code)code, "open /var/lib/secret");
        struct problem p = problem_of(&err, NULL);
        assert_true(p.status >= 400 && p.status < 600);
        assert_non_null(p.code);
        if (p.status >= 500)
            assert_false(str_contains(p.detail, STR("secret")));
    }
}

static void a_status_of_the_server_itself_has_a_code(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, ARENA_BUDGET);
    struct problem p = {.status = 413, .detail = STR("large")};
    assert_true(str_contains(written(&p, &a), STR("\"code\":\"TOO_LARGE\"")));
    p.status = 418; // none of ours: still a complete document
    assert_true(str_contains(written(&p, &a), STR("\"status\":418")));
    arena_release(&a);
}

static void a_page_holds_no_markup_of_others(void **state)
{
    (void)state;
    struct arena a;
    struct httpd_request req = {.path = STR("/x")};
    struct httpd_response resp = {0};
    arena_init(&a, ARENA_BUDGET);
    sbuf_init(&resp.body, &a, TEXT_MAX);
    struct call c = {.req = &req, .resp = &resp, .a = &a, .trace_id = "t-1", .back = "login"};
    struct problem p = {.status = 502, .title = "Another service failed", .detail = STR("<b>\"a\" & b</b>")};
    problem_answer(&c, &p);
    struct str page = sbuf_str(&resp.body);
    assert_int_equal(resp.status, 502);
    assert_string_equal(resp.content_type, "text/html; charset=utf-8");
    assert_true(str_contains(page, STR("<p>&lt;b&gt;&quot;a&quot; &amp; b&lt;/b&gt;</p>")));
    assert_true(str_contains(page, STR("<a href=\"login\">")));
    assert_true(str_contains(page, STR("t-1")));
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_problem_tells_every_fault),
        cmocka_unit_test(the_field_of_an_error_is_its_fault),
        cmocka_unit_test(every_code_has_a_status_and_ours_tell_nothing_of_the_inside),
        cmocka_unit_test(a_status_of_the_server_itself_has_a_code),
        cmocka_unit_test(a_page_holds_no_markup_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
