// SPDX-License-Identifier: Apache-2.0
// The HTTP call that waits, as the command line uses it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/sbuf.h"
#include "http_target.h"
#include "net/http.h"

enum { BUDGET = 8 << 20 };

static struct target *target;
static struct arena arena;
static struct egress no_loopback;

static struct str url_of(const struct target *t, const char *path)
{
    return arena_fmt(&arena, "http://127.0.0.1:%d%s", target_port(t), path);
}

static bool on_chunk(void *ctx, int status, struct str chunk)
{
    struct sbuf *b = ctx;
    sbuf_put(b, chunk);
    return status == 200 && b->n < 1000;
}

static void a_call_waits_for_its_answer(void **state)
{
    (void)state;
    struct http_response r;
    struct err err;
    struct http_request request = {.url = url_of(target, "/status/503"), .egress = NULL};
    assert_true(http_call(&request, &r, &arena, &err));
    assert_int_equal(r.status, 503);
    assert_true(str_is(r.body, "status 503\n"));
    assert_true(str_is(http_header(&r, "retry-after"), "7"));
    assert_true(str_is(r.reason, "Test"));
    request.egress = &no_loopback;
    assert_true(http_call(&request, &r, &arena, &err));
    assert_int_equal(r.error, HTTP_EGRESS_DENIED);
    assert_int_equal(r.status, 0);
}

static void a_call_hands_out_a_stream_as_it_comes(void **state)
{
    (void)state;
    struct http_response r;
    struct err err;
    struct sbuf got;
    sbuf_init(&got, NULL, BUDGET);
    struct http_request request = {.url = url_of(target, "/events"), .on_chunk = on_chunk, .ctx = &got};
    assert_true(http_call(&request, &r, &arena, &err));
    assert_int_equal(r.error, HTTP_DONE);
    assert_string_equal(got.p, "data: 1\ndata: 2\ndata: 3\n");
    assert_int_equal(r.body.n, 0);
    sbuf_clear(&got);
    request.url = url_of(target, "/bytes/1000000"); // the receiver has enough after 1,000
    assert_true(http_call(&request, &r, &arena, &err));
    assert_int_equal(r.error, HTTP_CANCELLED);
    assert_true(got.n < 1000000);
    sbuf_release(&got);
}

static int open_all(void **state)
{
    (void)state;
    struct err err;
    struct str denied[] = {STR("loopback")};
    arena_init(&arena, BUDGET);
    target = target_new();
    return egress_parse((struct strs){denied, 1}, (struct strs){0}, &no_loopback, &arena, &err) ? 0 : -1;
}

static int close_all(void **state)
{
    (void)state;
    target_free(target);
    arena_release(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_waits_for_its_answer),
        cmocka_unit_test(a_call_hands_out_a_stream_as_it_comes),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
