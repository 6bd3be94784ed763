// SPDX-License-Identifier: Apache-2.0
// Unit tests of base/field.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/field.h"

#include <math.h>

static const char *const levels[] = {"LOW", "MEDIUM", "HIGH", NULL};

struct inner {
    int64_t limit;
    bool on;
};
static const struct field inner_rows[] = {
    FIELD_I64(struct inner, limit, "limit", FIELD_DEFAULT(3)),
    FIELD_BOOL(struct inner, on, "on", FIELD_DEFAULT(true)),
};
static const struct fields inner_fields = FIELDS("Inner", struct inner, inner_rows);

struct thing {
    struct str name, raw;
    bool flag;
    int64_t count, score;
    double ratio, share;
    int level, other;
    struct instant at;
    struct ulid id;
    struct strs tags;
    struct str_map env;
    struct inner inner;
    int not_in_the_table;
};
static const struct field thing_rows[] = {
    FIELD_STR(struct thing, name, "name"),
    FIELD_JSON(struct thing, raw, "raw"),
    FIELD_BOOL(struct thing, flag, "flag", FIELD_ALIASES("enabled", "is_enabled")),
    FIELD_I64(struct thing, count, "count", FIELD_DEFAULT(7)),
    FIELD_I64(struct thing, score, "score"),
    FIELD_F64(struct thing, ratio, "ratio", FIELD_DEFAULT(2)),
    FIELD_F64(struct thing, share, "share"),
    FIELD_ENUM(struct thing, level, "level", levels, FIELD_DEFAULT(1)),
    FIELD_ENUM(struct thing, other, "other", levels),
    FIELD_INSTANT(struct thing, at, "at"),
    FIELD_ID(struct thing, id, "id"),
    FIELD_STRS(struct thing, tags, "tags"),
    FIELD_MAP(struct thing, env, "env"),
    FIELD_OBJECT(struct thing, inner, "inner", struct inner, &inner_fields),
};
static const struct fields thing_fields = FIELDS("Thing", struct thing, thing_rows);

static void defaults_fill_every_member_of_the_table(void **state)
{
    (void)state;
    struct thing t = {.name = STR("old"), .flag = true, .not_in_the_table = 42};
    field_defaults(&thing_fields, &t);
    assert_true(!t.name.p && !t.raw.p && !t.flag && t.count == 7 && t.score == FIELD_ABSENT);
    assert_true(t.ratio == 2 && isnan(t.share) && t.level == 1 && t.other == -1);
    assert_true(instant_is_never(t.at) && ulid_is_zero(t.id) && !t.tags.v && !t.env.v);
    assert_true(t.inner.limit == 3 && t.inner.on);
    assert_int_equal(t.not_in_the_table, 42);
}

static void a_table_knows_its_struct(void **state)
{
    (void)state;
    assert_int_equal(thing_fields.size, sizeof(struct thing));
    assert_int_equal(thing_fields.n, 14);
    assert_int_equal(thing_rows[4].offset, offsetof(struct thing, score));
}

static void rows_are_found_by_any_of_their_names(void **state)
{
    (void)state;
    assert_ptr_equal(field_find(&thing_fields, STR("name")), &thing_rows[0]);
    assert_ptr_equal(field_find(&thing_fields, STR("enabled")), &thing_rows[2]);
    assert_ptr_equal(field_find(&thing_fields, STR("is_enabled")), &thing_rows[2]);
    assert_null(field_find(&thing_fields, STR("Name")));
    assert_null(field_find(&thing_fields, STR("")));
}

static void words_are_found_in_any_case(void **state)
{
    (void)state;
    assert_int_equal(field_enum_find(levels, STR("medium")), 1);
    assert_int_equal(field_enum_find(levels, STR("HIGH")), 2);
    assert_int_equal(field_enum_find(levels, STR("HIG")), -1);
    assert_int_equal(field_enum_find(levels, STR("")), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_fill_every_member_of_the_table),
        cmocka_unit_test(a_table_knows_its_struct),
        cmocka_unit_test(rows_are_found_by_any_of_their_names),
        cmocka_unit_test(words_are_found_in_any_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
