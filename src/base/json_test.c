// SPDX-License-Identifier: Apache-2.0
// Unit tests of base/json.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/json.h"

static json_t *parse(const char *text)
{
    struct err err = {0};
    json_t *v = NULL;
    if (!json_parse(str_of(text), &v, &err))
        fail_msg("%s: %s", text, err.text);
    return v;
}

static void assert_text(const json_t *v, const char *want)
{
    struct sbuf b;
    sbuf_init(&b, NULL, 1 << 20);
    json_write(v, &b);
    assert_string_equal(b.p, want);
    sbuf_release(&b);
}

static void documents_are_written_as_they_were_read(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "null", "true", "false", "0", "-9223372036854775808", "9223372036854775807", "0.1", "1e+300", "5.0",
        "\"\"", "\"a\\n\\\"\\\\ \xC3\xA9\"", "[]", "{}", "[1,[2,[]],{}]",
        "{\"z\":1,\"a\":{\"b\":[true,null,\"x\"]},\"m\":-1.5}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        CLEANUP_JSON json_t *v = parse(texts[i]);
        assert_text(v, texts[i]);
    }
    CLEANUP_JSON json_t *escapes = parse(" { \"\\u0061\" : \"\\ud83d\\ude00\\/\" } ");
    assert_text(escapes, "{\"a\":\"\xF0\x9F\x98\x80/\"}");
    assert_text(NULL, "null");
}

static void bad_documents_are_refused_with_place_and_reason(void **state)
{
    (void)state;
    static const struct { struct str text; const char *why; } cases[] = {
        {STR_INIT(""), "empty"},
        {STR_INIT(" \n "), "empty"},
        {STR_INIT("{"), "line 1, column 1"},
        {STR_INIT("[1,\n 2,\n x]"), "line 3, column 2"},
        {STR_INIT("{\"a\":1,\"a\":2}"), "twice"},
        {STR_INIT("{\"a\":{\"b\":1,\"b\":2}}"), "twice"},
        {STR_INIT("1 2"), "follows"},
        {STR_INIT("{} x"), "follows"},
        {STR_INIT("[1,]"), "line 1"},
        {STR_INIT("{'a':1}"), "line 1"},
        {STR_INIT("{\"a\":1,}"), "line 1"},
        {STR_INIT("[01]"), "line 1"},
        {STR_INIT("NaN"), "line 1"},
        {STR_INIT("// x\n1"), "line 1"},
        {STR_INIT("\"\xFF\""), "UTF-8"},
        {STR_INIT("\"\xED\xA0\x80\""), "UTF-8"},
        {STR_INIT("\"\\ud800\""), "line 1"},
        {STR_INIT("\"a\\u0000b\""), "NUL"},
        {STR_INIT("{\"a\\u0000\":1}"), "NUL"},
        {STR_INIT("\"a\0b\""), "line 1"},
        {STR_INIT("\"a\nb\""), "line 1"},
        {STR_INIT("9223372036854775808"), "too large"},
        {STR_INIT("1e999"), "too large"},
        {STR_INIT("\"open"), "line 1"},
        {STR_INIT("\xEF\xBB\xBF{}"), "line 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = {0};
        json_t *v = NULL;
        if (json_parse(cases[i].text, &v, &err) || v)
            fail_msg("accepted case %zu", i);
        if (err.code != ERR_INVALID || !strstr(err.text, cases[i].why))
            fail_msg("case %zu: %s", i, err.text);
    }
}

static void errors_do_not_quote_the_input(void **state)
{
    (void)state;
    struct err err = {0};
    json_t *v = NULL;
    assert_false(json_parse(STR("{\"password\": hunter2}"), &v, &err));
    assert_null(strstr(err.text, "hunter2"));
    assert_false(json_parse(STR("{\"password\": \"hunter2\" \"hunter2\"}"), &v, &err));
    assert_null(strstr(err.text, "hunter2"));
}

static void depth_is_bounded_before_anything_recurses(void **state)
{
    (void)state;
    char text[2 * (JSON_DEPTH_MAX + 1) + 1] = "";
    for (int depth = 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        struct err err = {0};
        CLEANUP_JSON json_t *v = NULL;
        assert_int_equal(json_parse(str_of_n(text, 2 * (size_t)depth), &v, &err), depth <= JSON_DEPTH_MAX);
        if (depth > JSON_DEPTH_MAX)
            assert_non_null(strstr(err.text, "deeper than 64 levels at line 1, column 65"));
    }
    static char many[1 << 20];
    memset(many, '[', sizeof many);
    struct err err = {0};
    json_t *none = NULL;
    assert_false(json_parse(str_of_n(many, sizeof many), &none, &err));
    memset(many, '[', sizeof many); // brackets inside a string do not count, not even after \" and \\.
    memcpy(many, "\"\\\"[\\\\", 6);
    many[sizeof many - 1] = '"';
    CLEANUP_JSON json_t *string = NULL;
    assert_true(json_parse(str_of_n(many, sizeof many), &string, &err));
}

// The examples of RFC 7396, appendix A.
static void merge_patch_follows_its_rfc(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
        {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
        {"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
        {"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
        {"{\"a\":\"foo\"}", "null", "null"},
        {"{\"a\":\"foo\"}", "\"bar\"", "\"bar\""},
        {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
        {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
        {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CLEANUP_JSON json_t *target = parse(cases[i][0]);
        CLEANUP_JSON json_t *patch = parse(cases[i][1]);
        json_merge_patch(&target, patch);
        assert_text(target, cases[i][2]);
        assert_text(patch, cases[i][1]);
    }
}

static void only_strings_have_a_string_view(void **state)
{
    (void)state;
    CLEANUP_JSON json_t *v = parse("[\"abc\", 1, null]");
    assert_true(str_is(json_str(json_array_get(v, 0)), "abc"));
    assert_null(json_str(json_array_get(v, 1)).p);
    assert_null(json_str(NULL).p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_written_as_they_were_read),
        cmocka_unit_test(bad_documents_are_refused_with_place_and_reason),
        cmocka_unit_test(errors_do_not_quote_the_input),
        cmocka_unit_test(depth_is_bounded_before_anything_recurses),
        cmocka_unit_test(merge_patch_follows_its_rfc),
        cmocka_unit_test(only_strings_have_a_string_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
