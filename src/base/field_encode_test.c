// SPDX-License-Identifier: Apache-2.0
// Unit tests of base/field_encode.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/field.h"

#include <math.h>

static const char *const levels[] = {"LOW", "HIGH", NULL};

struct inner {
    struct str note;
};
static const struct field inner_rows[] = {
    FIELD_STR(struct inner, note, "note"),
};
static const struct fields inner_fields = FIELDS("Inner", struct inner, inner_rows);

struct thing {
    struct str name, raw, secret, internal;
    bool flag;
    int64_t count;
    double ratio;
    int level;
    struct instant at, ended;
    struct ulid id;
    struct strs tags;
    struct str_map env;
    struct inner inner, needed;
};
static const struct field thing_rows[] = {
    FIELD_ID(struct thing, id, "id"),
    FIELD_STR(struct thing, name, "name"),
    FIELD_JSON(struct thing, raw, "raw"),
    FIELD_STR(struct thing, secret, "secret", .flags = FIELD_SECRET),
    FIELD_STR(struct thing, internal, "internal", .flags = FIELD_HIDDEN),
    FIELD_BOOL(struct thing, flag, "flag"),
    FIELD_I64(struct thing, count, "count"),
    FIELD_F64(struct thing, ratio, "ratio"),
    FIELD_ENUM(struct thing, level, "level", levels),
    FIELD_INSTANT(struct thing, at, "at"),
    FIELD_INSTANT(struct thing, ended, "ended", .flags = FIELD_NULLABLE),
    FIELD_STRS(struct thing, tags, "tags"),
    FIELD_MAP(struct thing, env, "env"),
    FIELD_OBJECT(struct thing, inner, "inner", struct inner, &inner_fields),
    FIELD_OBJECT(struct thing, needed, "needed", struct inner, &inner_fields, .flags = FIELD_REQUIRED),
};
static const struct fields thing_fields = FIELDS("Thing", struct thing, thing_rows);

static void assert_encoded(const struct thing *t, unsigned flags, const char *want)
{
    struct sbuf b;
    sbuf_init(&b, NULL, 1 << 16);
    field_encode(&thing_fields, t, flags, &b);
    assert_true(sbuf_ok(&b));
    assert_string_equal(b.p, want);
    sbuf_release(&b);
}

static struct thing full(void)
{
    static struct str tags[] = {STR_INIT("a\""), STR_INIT("")};
    static struct str_pair env[] = {{STR_INIT("K"), STR_INIT("v\n")}, {STR_INIT("L"), STR_INIT("")}};
    struct thing t;
    field_defaults(&thing_fields, &t);
    assert_true(ulid_parse(STR("01ARZ3NDEKTSV4RRFFQ69G5FAV"), &t.id));
    t.name = STR("x\\");
    t.raw = STR("{\"k\":[1]}");
    t.secret = STR("hunter2");
    t.internal = STR("i");
    t.flag = true;
    t.count = -1;
    t.ratio = 0.5;
    t.level = 1;
    t.at = instant_s(1);
    t.ended = instant_s(2);
    t.tags = (struct strs){tags, 2};
    t.env = (struct str_map){env, 2};
    t.inner.note = STR("n");
    return t;
}

static void present_values_are_written_in_table_order(void **state)
{
    (void)state;
    struct thing t = full();
    assert_encoded(&t, FIELD_ENCODE_API,
                   "{\"id\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"name\":\"x\\\\\",\"raw\":{\"k\":[1]},"
                   "\"secret\":\"***\",\"flag\":true,\"count\":-1,\"ratio\":0.5,\"level\":\"HIGH\","
                   "\"at\":\"1970-01-01T00:00:01.000Z\",\"ended\":\"1970-01-01T00:00:02.000Z\","
                   "\"tags\":[\"a\\\"\",\"\"],\"env\":{\"K\":\"v\\n\",\"L\":\"\"},\"inner\":{\"note\":\"n\"},"
                   "\"needed\":{}}");
}

static void absent_values_are_left_out_or_null(void **state)
{
    (void)state;
    struct thing t;
    field_defaults(&thing_fields, &t);
    assert_encoded(&t, FIELD_ENCODE_API, "{\"flag\":false,\"ended\":null,\"needed\":{}}");
    assert_encoded(&t, FIELD_ENCODE_STORED, "{\"flag\":false,\"needed\":{}}");
    t.tags.v = (struct str[]){STR_NONE};
    t.env.v = (struct str_pair[]){{STR_NONE, STR_NONE}};
    assert_encoded(&t, FIELD_ENCODE_API,
                   "{\"flag\":false,\"ended\":null,\"tags\":[],\"env\":{},\"needed\":{}}");
}

static void stored_text_holds_everything_and_reads_back(void **state)
{
    (void)state;
    struct thing t = full(), back;
    struct sbuf first, second;
    struct arena a;
    struct faults faults;
    struct err err;
    CLEANUP_JSON json_t *v = NULL;
    arena_init(&a, 1 << 20);
    faults_init(&faults, &a);
    sbuf_init(&first, &a, 1 << 16);
    sbuf_init(&second, &a, 1 << 16);
    field_encode(&thing_fields, &t, FIELD_ENCODE_STORED, &first);
    assert_non_null(strstr(first.p, "\"secret\":\"hunter2\",\"internal\":\"i\""));
    assert_true(json_parse(sbuf_str(&first), &v, &err));
    assert_true(field_decode(&thing_fields, v, FIELD_DECODE_STORED, STR(""), &back, &a, &faults));
    field_encode(&thing_fields, &back, FIELD_ENCODE_STORED, &second);
    assert_string_equal(first.p, second.p);
    arena_release(&a);
}

static void members_alone_tell_whether_there_are_any(void **state)
{
    (void)state;
    struct inner none = {STR_NONE}, some = {STR("a")};
    struct sbuf b;
    sbuf_init(&b, NULL, 1000);
    assert_false(field_encode_members(&inner_fields, &none, FIELD_ENCODE_API, &b));
    assert_int_equal(b.n, 0);
    assert_true(field_encode_members(&inner_fields, &some, FIELD_ENCODE_API, &b));
    assert_string_equal(b.p, "\"note\":\"a\"");
    sbuf_release(&b);
}

static void a_full_buffer_is_marked(void **state)
{
    (void)state;
    struct thing t = full();
    struct sbuf b;
    sbuf_init(&b, NULL, 1 << 16);
    field_encode(&thing_fields, &t, FIELD_ENCODE_API, &b);
    size_t whole = b.n;
    sbuf_release(&b);
    for (size_t max = 0; max <= whole; max++) {
        sbuf_init(&b, NULL, max);
        field_encode(&thing_fields, &t, FIELD_ENCODE_API, &b);
        assert_int_equal(sbuf_ok(&b), max == whole);
        assert_true(b.n <= max);
        sbuf_release(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(present_values_are_written_in_table_order),
        cmocka_unit_test(absent_values_are_left_out_or_null),
        cmocka_unit_test(stored_text_holds_everything_and_reads_back),
        cmocka_unit_test(members_alone_tell_whether_there_are_any),
        cmocka_unit_test(a_full_buffer_is_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
