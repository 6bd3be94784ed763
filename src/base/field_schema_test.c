// SPDX-License-Identifier: Apache-2.0
// Unit tests of base/field_schema.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/field.h"

static const char *const levels[] = {"LOW", "HIGH", NULL};

struct inner {
    int64_t limit;
};
static const struct field inner_rows[] = {
    FIELD_I64(struct inner, limit, "limit", .flags = FIELD_REQUIRED, .min = 1, .max = 10, .doc = "Most."),
};
static const struct fields inner_fields = FIELDS("Inner", struct inner, inner_rows);

struct thing {
    struct str name, raw, secret, internal;
    bool flag;
    int64_t count, version;
    double ratio;
    int level;
    struct instant at;
    struct ulid id;
    struct strs tags;
    struct str_map env;
    struct inner inner;
};
static const struct field thing_rows[] = {
    FIELD_STR(struct thing, name, "name", .flags = FIELD_REQUIRED, .min = 1, .max = 200,
              .doc = "Its \"name\"."),
    FIELD_JSON(struct thing, raw, "raw"),
    FIELD_STR(struct thing, secret, "secret", .flags = FIELD_SECRET),
    FIELD_STR(struct thing, internal, "internal", .flags = FIELD_HIDDEN | FIELD_REQUIRED),
    FIELD_BOOL(struct thing, flag, "flag", FIELD_DEFAULT(true)),
    FIELD_I64(struct thing, count, "count", .min = 5),
    FIELD_I64(struct thing, version, "version", .flags = FIELD_READ_ONLY | FIELD_REQUIRED),
    FIELD_F64(struct thing, ratio, "ratio", .min = -1),
    FIELD_ENUM(struct thing, level, "level", levels, FIELD_DEFAULT(1), .flags = FIELD_NULLABLE),
    FIELD_INSTANT(struct thing, at, "at", .flags = FIELD_NULLABLE),
    FIELD_ID(struct thing, id, "id"),
    FIELD_STRS(struct thing, tags, "tags", .max = 3),
    FIELD_MAP(struct thing, env, "env", .max = 4),
    FIELD_OBJECT(struct thing, inner, "inner", struct inner, &inner_fields),
};
static const struct fields thing_fields = FIELDS("Thing", struct thing, thing_rows, .doc = "A thing.");

static json_t *schema(bool request)
{
    struct sbuf b;
    struct err err = {0};
    json_t *v = NULL;
    sbuf_init(&b, NULL, 1 << 16);
    field_schema(&thing_fields, request, &b);
    if (!json_parse(sbuf_str(&b), &v, &err))
        fail_msg("%s: %s", err.text, b.p);
    sbuf_release(&b);
    return v;
}

static void assert_property(const json_t *s, const char *name, const char *want)
{
    struct sbuf b;
    sbuf_init(&b, NULL, 1 << 16);
    json_write(json_object_get(json_object_get(s, "properties"), name), &b);
    assert_string_equal(b.p, want);
    sbuf_release(&b);
}

static void each_kind_has_its_schema(void **state)
{
    (void)state;
    CLEANUP_JSON json_t *s = schema(false);
    assert_string_equal(json_string_value(json_object_get(s, "type")), "object");
    assert_string_equal(json_string_value(json_object_get(s, "description")), "A thing.");
    assert_true(json_is_false(json_object_get(s, "additionalProperties")));
    static const char *const want[][2] = {
        {"name", "{\"type\":\"string\",\"minLength\":1,\"maxLength\":200,"
                 "\"description\":\"Its \\\"name\\\".\"}"},
        {"raw", "{\"description\":\"\"}"},
        {"secret", "{\"type\":\"string\",\"format\":\"password\",\"description\":\"\"}"},
        {"internal", "null"},
        {"flag", "{\"type\":\"boolean\",\"default\":true,\"description\":\"\"}"},
        {"count", "{\"type\":\"integer\",\"minimum\":5,\"description\":\"\"}"},
        {"version", "{\"type\":\"integer\",\"readOnly\":true,\"description\":\"\"}"},
        {"ratio", "{\"type\":\"number\",\"minimum\":-1,\"maximum\":0,\"description\":\"\"}"},
        {"level", "{\"type\":[\"string\",\"null\"],\"enum\":[\"LOW\",\"HIGH\",null],\"default\":\"HIGH\","
                  "\"description\":\"\"}"},
        {"at", "{\"type\":[\"string\",\"null\"],\"format\":\"date-time\",\"description\":\"\"}"},
        {"id", "{\"type\":\"string\",\"pattern\":\"^[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}$\","
               "\"description\":\"\"}"},
        {"tags", "{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"maxItems\":3,\"description\":\"\"}"},
        {"env", "{\"type\":\"object\",\"additionalProperties\":{\"type\":[\"string\",\"number\",\"boolean\","
                "\"null\"]},\"maxProperties\":4,\"description\":\"\"}"},
        {"inner", "{\"type\":\"object\",\"properties\":{\"limit\":{\"type\":\"integer\",\"minimum\":1,"
                  "\"maximum\":10,\"description\":\"Most.\"}},\"required\":[\"limit\"],"
                  "\"additionalProperties\":false,\"description\":\"\"}"},
    };
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        assert_property(s, want[i][0], want[i][1]);
}

static void requests_neither_show_nor_require_read_only_fields(void **state)
{
    (void)state;
    CLEANUP_JSON json_t *request = schema(true);
    CLEANUP_JSON json_t *answer = schema(false);
    assert_property(request, "version", "null");
    assert_int_equal(json_array_size(json_object_get(request, "required")), 1);
    assert_int_equal(json_array_size(json_object_get(answer, "required")), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_has_its_schema),
        cmocka_unit_test(requests_neither_show_nor_require_read_only_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
