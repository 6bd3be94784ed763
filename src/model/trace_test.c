// SPDX-License-Identifier: Apache-2.0
// Unit tests of model/trace.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/sync.h"
#include "model/trace.h"

#define GOOD "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void headers_of_the_standard_are_read(void **state)
{
    (void)state;
    struct trace t;
    char text[TRACE_TEXT_MAX];
    assert_true(trace_parse(STR(GOOD), &t) && t.sampled);
    trace_format(&t, text);
    assert_string_equal(text, GOOD);
    assert_true(trace_parse(STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"), &t) &&
                !t.sampled);
    assert_true(trace_parse(STR("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes"), &t));
    assert_true(trace_parse(STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff"), &t) && t.sampled);
}

static void anything_else_is_no_context(void **state)
{
    (void)state;
    struct trace t;
    static const char *const bad[] = {"",
                                      "00",
                                      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
                                      "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
                                      "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                                      "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
                                      "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                      GOOD "-more",
                                      GOOD " ",
                                      "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.what",
                                      "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333g-01",
                                      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (trace_parse(str_of(bad[i]), &t))
            fail_msg("\"%s\" was taken", bad[i]);
    assert_false(trace_parse(STR_NONE, &t));
}

static void states_are_bounded(void **state)
{
    (void)state;
    assert_true(trace_state_ok(STR("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE")));
    assert_true(trace_state_ok(STR("tenant@vendor=1, a=2")));
    static const char *const bad[] = {"", ",", "=", "a=", "=a", "A=1", "a=1=2", "a=\x01", "a", "_a=1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (trace_state_ok(str_of(bad[i])))
            fail_msg("\"%s\" was taken", bad[i]);
    char many[TRACE_STATE_MAX + 2];
    memset(many, 'a', sizeof many - 1);
    many[1] = '=';
    many[sizeof many - 1] = '\0';
    assert_false(trace_state_ok(str_of(many)));
}

static void a_run_without_a_parent_is_its_own_trace(void **state)
{
    (void)state;
    struct arena a CLEANUP(arena_release);
    struct ulid key = {{1, 2, 3}}, first = {{4}}, second = {{5}};
    struct run_trace t, u;
    arena_init(&a, 1 << 16);
    trace_of_run(STR("{\"x\":1}"), key, first, &t, &a);
    trace_of_run(STR_NONE, key, second, &u, &a);
    assert_false(t.has_parent);
    assert_memory_equal(t.own.trace, key.b, TRACE_BYTES);
    assert_memory_equal(t.own.trace, u.own.trace, TRACE_BYTES);
    assert_memory_not_equal(t.own.span, u.own.span, SPAN_BYTES);
}

static void a_request_is_the_parent_of_its_run(void **state)
{
    (void)state;
    struct arena a CLEANUP(arena_release);
    struct ulid key = {{1}}, id = {{2}};
    struct run_trace t;
    char hex[2 * SPAN_BYTES + 1];
    arena_init(&a, 1 << 16);
    struct str inputs = trace_inputs(STR("{\"x\":1}"), STR(GOOD), STR("a=b"), &a);
    assert_true(str_is(inputs, "{\"x\":1,\"traceparent\":\"" GOOD "\",\"tracestate\":\"a=b\"}"));
    trace_of_run(inputs, key, id, &t, &a);
    assert_true(t.has_parent && str_is(t.state, "a=b"));
    trace_hex(t.parent, SPAN_BYTES, hex);
    assert_string_equal(hex, "b7ad6b7169203331");
    assert_true(t.own.trace[0] == 0x0a && t.own.sampled);
    assert_true(str_is(trace_inputs(inputs, STR_NONE, STR_NONE, &a), "{\"x\":1}"));
    assert_false(trace_inputs(trace_inputs(STR_NONE, STR(GOOD), STR_NONE, &a), STR_NONE, STR_NONE, &a).p);
}

static void the_run_that_caused_it_is_a_parent_too(void **state)
{
    (void)state;
    struct arena a CLEANUP(arena_release);
    struct run_trace t;
    arena_init(&a, 1 << 16);
    trace_of_run(STR("{\"cause\":{\"runId\":\"x\",\"traceparent\":\"" GOOD "\"}}"), (struct ulid){{1}},
                 (struct ulid){{2}}, &t, &a);
    assert_true(t.has_parent && t.own.trace[0] == 0x0a);
    trace_of_run(STR("{\"traceparent\":7}"), (struct ulid){{1}}, (struct ulid){{2}}, &t, &a);
    assert_true(!t.has_parent && t.own.trace[0] == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_of_the_standard_are_read),
        cmocka_unit_test(anything_else_is_no_context),
        cmocka_unit_test(states_are_bounded),
        cmocka_unit_test(a_run_without_a_parent_is_its_own_trace),
        cmocka_unit_test(a_request_is_the_parent_of_its_run),
        cmocka_unit_test(the_run_that_caused_it_is_a_parent_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
