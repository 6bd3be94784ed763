// SPDX-License-Identifier: Apache-2.0
// Unit tests of base/yaml.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/yaml.h"

static void assert_read(const char *yaml, const char *want)
{
    struct err err = {0};
    struct sbuf b;
    CLEANUP_JSON json_t *v = NULL;
    if (!yaml_parse(str_of(yaml), &v, &err))
        fail_msg("%s: %s", yaml, err.text);
    sbuf_init(&b, NULL, 1 << 16);
    json_write(v, &b);
    assert_string_equal(b.p, want);
    sbuf_release(&b);
}

static void scalars_follow_the_core_schema(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"~", "null"}, {"null", "null"}, {"--- ", "null"}, {"true", "true"}, {"FALSE", "false"},
        {"yes", "\"yes\""}, {"on", "\"on\""}, {"tRue", "\"tRue\""}, {"0", "0"}, {"-12", "-12"}, {"+7", "7"},
        {"007", "7"}, {"0o17", "15"}, {"0x1F", "31"}, {"0x", "\"0x\""}, {"0o8", "\"0o8\""},
        {"0x7fffffffffffffff", "9223372036854775807"}, {"1.5", "1.5"}, {"1.", "1.0"}, {".5", "0.5"},
        {"-1e3", "-1000.0"}, {"1e", "\"1e\""}, {".", "\".\""}, {"12:30", "\"12:30\""}, {"1_000", "\"1_000\""},
        {"2026-11-23", "\"2026-11-23\""}, {"'5'", "\"5\""}, {"\"true\"", "\"true\""}, {"'it''s'", "\"it's\""},
        {"\"a\\nb\\u00e9\"", "\"a\\nb\xC3\xA9\""}, {"|\n  a\n  b\n", "\"a\\nb\\n\""},
        {">-\n  a\n  b\n", "\"a b\""},
        {"|\n  5\n", "\"5\\n\""}, {"-9223372036854775808", "-9223372036854775808"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_read(cases[i][0], cases[i][1]);
}

static void collections_become_objects_and_lists(void **state)
{
    (void)state;
    assert_read("name: backup\nschedule:\n  cron: \"*/5 * * * *\"\n  zone: Europe/Paris\ntags: [a, 'b', 3]\n"
                "empty:\nlist:\n- x: 1\n  y: {}\n- - deep\n# comment\n1: one\n",
                "{\"name\":\"backup\",\"schedule\":{\"cron\":\"*/5 * * * *\",\"zone\":\"Europe/Paris\"},"
                "\"tags\":[\"a\",\"b\",3],"
                "\"empty\":null,\"list\":[{\"x\":1,\"y\":{}},[\"deep\"]],\"1\":\"one\"}");
    assert_read("%YAML 1.2\n---\na: 1\n...\n", "{\"a\":1}");
}

static void what_json_cannot_say_is_refused_with_its_place(void **state)
{
    (void)state;
    static const struct { struct str text; const char *why; } cases[] = {
        {STR_INIT(""), "empty"},
        {STR_INIT("# only a comment\n"), "empty"},
        {STR_INIT("a: &x 1\n"), "line 1, column 4: anchors"},
        {STR_INIT("a: 1\nb: *x\n"), "line 2, column 4: aliases"},
        {STR_INIT("cron: */5 * * * *\n"), "must be in quotes"},
        {STR_INIT("cron: * * * * *\n"), "must be in quotes"},
        {STR_INIT("a: !!str 5\n"), "tags"},
        {STR_INIT("a: !x {}\n"), "tags"},
        {STR_INIT("!x\n- 1\n"), "tags"},
        {STR_INIT("&x k: 1\n"), "anchors"},
        {STR_INIT("a: 1\nb: 2\na: 3\n"), "line 3, column 1: key \"a\" stands twice"},
        {STR_INIT("{a: {b: 1, b: 2}}"), "twice"},
        {STR_INIT("[a]: 1\n"), "keys must be"},
        {STR_INIT("{a: 1}: 1\n"), "keys must be"},
        {STR_INIT("a: .inf\n"), "infinity"},
        {STR_INIT("a: .NaN\n"), "NaN"},
        {STR_INIT("a: 9223372036854775808\n"), "64 bits"},
        {STR_INIT("a: 0x8000000000000000\n"), "64 bits"},
        {STR_INIT("a: 1e999\n"), "too large"},
        {STR_INIT("a: \"\\0\"\n"), "NUL"},
        {STR_INIT("\"\\0\": 1\n"), "NUL"},
        {STR_INIT("a: b: c\n"), "line 1"},
        {STR_INIT("a: [1, 2\n"), "line"},
        {STR_INIT("a:\n\t- 1\n"), "line 2"},
        {STR_INIT("a: \"open\n"), "line"},
        {STR_INIT("a: \xFF\n"), "UTF-8"},
        {STR_INIT("a: \x01\n"), "control character"},
        {STR_INIT("\xFF\xFE""a\0"), "UTF-8"},
        {STR_INIT("a: 1\n---\nb: 2\n"), "2 documents"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = {0};
        json_t *v = NULL;
        if (yaml_parse(cases[i].text, &v, &err) || v)
            fail_msg("accepted case %zu: %s", i, cases[i].text.p);
        if (err.code != ERR_INVALID || !strstr(err.text, cases[i].why))
            fail_msg("case %zu: %s", i, err.text);
    }
}

static void depth_is_bounded(void **state)
{
    (void)state;
    char text[2 * (JSON_DEPTH_MAX + 1)];
    for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        struct err err = {0};
        CLEANUP_JSON json_t *v = NULL;
        assert_int_equal(yaml_parse(str_of_n(text, 2 * depth), &v, &err), depth == JSON_DEPTH_MAX);
        if (depth > JSON_DEPTH_MAX)
            assert_non_null(strstr(err.text, "nested too deeply"));
    }
}

static void streams_hold_several_documents(void **state)
{
    (void)state;
    struct err err = {0};
    CLEANUP_JSON json_t *v = NULL;
    assert_true(yaml_parse_all(STR("a: 1\n---\n- 2\n---\n"), &v, &err));
    assert_int_equal(json_array_size(v), 3);
    assert_true(json_is_null(json_array_get(v, 2)));
    CLEANUP_JSON json_t *none = NULL;
    assert_true(yaml_parse_all(STR(""), &none, &err));
    assert_int_equal(json_array_size(none), 0);
    json_t *bad = NULL;
    assert_false(yaml_parse_all(STR("a: 1\n---\n[\n"), &bad, &err));
    assert_null(bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_follow_the_core_schema),
        cmocka_unit_test(collections_become_objects_and_lists),
        cmocka_unit_test(what_json_cannot_say_is_refused_with_its_place),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(streams_hold_several_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
