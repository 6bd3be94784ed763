// SPDX-License-Identifier: Apache-2.0
// Unit tests of otel/span: the JSON that collectors read.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "otel/span.h"

static struct span span_make(void)
{
    struct span s = {.own = {.trace = {0x0a, 0xf7}, .span = {0xb7}, .sampled = true},
                     .attempt = 2,
                     .exit_code = 503,
                     .status = RUN_FAILED,
                     .trigger = TRIGGER_RETRY,
                     .scheduled = instant_s(1800000000),
                     .start = instant_s(1800000001),
                     .end = instant_s(1800000002),
                     .type = "HTTP",
                     .name = "night \"ly\"",
                     .error_class = "HTTP_5XX",
                     .error_message = "the target answered 503"};
    return s;
}

static json_t *written(const struct span *v, size_t n)
{
    struct span_resource r = {STR("1.2.3"), STR("node-1"), STR("sqlite")};
    struct sbuf out;
    json_t *doc = NULL;
    struct err err;
    sbuf_init(&out, NULL, 1 << 20);
    spans_write(&r, v, n, &out);
    assert_true(json_parse(sbuf_str(&out), &doc, &err));
    sbuf_release(&out);
    return doc;
}

static const json_t *first_of(const json_t *v, const char *name)
{
    return json_array_get(json_object_get(v, name), 0);
}

static const json_t *attribute(const json_t *of, const char *key)
{
    size_t i;
    json_t *v;
    json_array_foreach(
        json_object_get(of, "attributes"), i,
        v) if (str_is(json_str(json_object_get(v, "key")), key)) return json_object_get(v, "value");
    return NULL;
}

static void a_failed_attempt_is_an_error(void **state)
{
    (void)state;
    struct span s = span_make();
    json_t *doc = written(&s, 1);
    const json_t *resource = first_of(doc, "resourceSpans"), *scope = first_of(resource, "scopeSpans"),
                 *span = first_of(scope, "spans");
    const json_t *service = attribute(json_object_get(resource, "resource"), "service.instance.id");
    assert_true(str_is(json_str(json_object_get(service, "stringValue")), "node-1"));
    assert_true(str_is(json_str(json_object_get(span, "traceId")), "0af70000000000000000000000000000"));
    assert_true(str_is(json_str(json_object_get(span, "spanId")), "b700000000000000"));
    assert_null(json_object_get(span, "parentSpanId"));
    assert_true(str_is(json_str(json_object_get(span, "name")), "run night \"ly\""));
    assert_true(str_is(json_str(json_object_get(span, "startTimeUnixNano")), "1800000001000000000"));
    assert_int_equal(json_integer_value(json_object_get(json_object_get(span, "status"), "code")), 2);
    assert_true(str_is(json_str(json_object_get(attribute(span, "chronos.run.attempt"), "intValue")), "2"));
    assert_true(str_is(json_str(json_object_get(attribute(span, "error.type"), "stringValue")), "HTTP_5XX"));
    json_decref(doc);
}

static void parents_and_successes_are_told(void **state)
{
    (void)state;
    struct span two[2] = {span_make(), span_make()};
    two[1].has_parent = true;
    two[1].parent[0] = 0xcc;
    two[1].status = RUN_SUCCEEDED;
    two[1].exit_code = FIELD_ABSENT;
    (void)snprintf(two[1].state, sizeof two[1].state, "a=b");
    json_t *doc = written(two, 2);
    const json_t *spans = json_object_get(first_of(first_of(doc, "resourceSpans"), "scopeSpans"), "spans");
    assert_int_equal(json_array_size(spans), 2);
    const json_t *span = json_array_get(spans, 1);
    assert_true(str_is(json_str(json_object_get(span, "parentSpanId")), "cc00000000000000"));
    assert_true(str_is(json_str(json_object_get(span, "traceState")), "a=b"));
    assert_int_equal(json_integer_value(json_object_get(json_object_get(span, "status"), "code")), 1);
    assert_null(attribute(span, "chronos.run.exit_code"));
    json_decref(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_attempt_is_an_error),
        cmocka_unit_test(parents_and_successes_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
