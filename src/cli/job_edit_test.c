// SPDX-License-Identifier: Apache-2.0
// Merge patches: applied to the old value they give the new one, and they hold nothing else.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/job_edit.h"

static const char *const values[] = {
    "{}", "{\"a\":1}", "{\"a\":1,\"b\":2}", "{\"b\":2}", "{\"a\":{\"x\":1,\"y\":[1,2]}}", "{\"a\":{\"x\":1,\"y\":[1]}}",
    "{\"a\":{\"y\":[1,2]},\"b\":\"t\"}", "{\"a\":[]}", "{\"a\":\"\"}", "{\"a\":{}}", "{\"a\":{\"z\":{\"q\":true}}}"};

static json_t *value(const char *text)
{
    json_t *v;
    struct err err;
    assert_true(json_parse(str_of(text), &v, &err));
    return v;
}

static void a_patch_turns_any_value_into_any_other(void **state)
{
    (void)state;
    size_t n = sizeof values / sizeof values[0];
    for (size_t i = 0; i < n * n; i++) {
        CLEANUP_JSON json_t *from = value(values[i / n]), *to = value(values[i % n]);
        CLEANUP_JSON json_t *patch = json_merge_diff(from, to);
        json_merge_patch(&from, patch);
        assert_true(json_equal(from, to));
        assert_true(i / n != i % n || json_object_size(patch) == 0);
    }
}

static void unchanged_members_are_not_sent(void **state)
{
    (void)state;
    CLEANUP_JSON json_t *from = value("{\"payload\":{\"secret\":\"***\",\"url\":\"a\"},\"name\":\"n\"}");
    CLEANUP_JSON json_t *to = value("{\"payload\":{\"secret\":\"***\",\"url\":\"b\"},\"name\":\"n\"}");
    CLEANUP_JSON json_t *patch = json_merge_diff(from, to), *wanted = value("{\"payload\":{\"url\":\"b\"}}");
    assert_true(json_equal(patch, wanted));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_patch_turns_any_value_into_any_other),
        cmocka_unit_test(unchanged_members_are_not_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
