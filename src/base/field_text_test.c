// SPDX-License-Identifier: Apache-2.0
// The quick decoder beside the thorough one: what it takes it takes alike, and what is changed by a byte it
// takes alike or leaves.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/field.h"

#include "base/rng.h"

enum { BUDGET = 8 << 20, TEXT_MAX = 1 << 20, CHANGES = 20000 };

static const char *const levels[] = {"LOW", "MEDIUM", "HIGH", NULL};

struct inner {
    int64_t limit;
    struct str reason;
};
static const struct field inner_rows[] = {
    FIELD_I64(struct inner, limit, "limit", .flags = FIELD_REQUIRED, .min = 1, .max = 1000000),
    FIELD_STR(struct inner, reason, "reason", .max = 50),
};
static const struct fields inner_fields = FIELDS("Inner", struct inner, inner_rows);
struct thing {
    struct str name, raw, internal;
    bool on;
    int64_t count, score;
    int level;
    struct instant at;
    struct ulid id;
    struct strs tags;
    struct str_map env;
    struct inner inner;
};
static const struct field thing_rows[] = {
    FIELD_ID(struct thing, id, "id", .flags = FIELD_READ_ONLY),
    FIELD_STR(struct thing, name, "name", .flags = FIELD_REQUIRED, .min = 1, .max = 80),
    FIELD_JSON(struct thing, raw, "raw", .max = 200),
    FIELD_STR(struct thing, internal, "internal", .flags = FIELD_HIDDEN),
    FIELD_BOOL(struct thing, on, "on", FIELD_DEFAULT(true), FIELD_ALIASES("active")),
    FIELD_I64(struct thing, count, "count", .min = 1, .max = 100, FIELD_DEFAULT(7)),
    FIELD_I64(struct thing, score, "score"),
    FIELD_ENUM(struct thing, level, "level", levels, FIELD_DEFAULT(1)),
    FIELD_INSTANT(struct thing, at, "at"),
    FIELD_STRS(struct thing, tags, "tags", .max = 5),
    FIELD_MAP(struct thing, env, "env", .max = 4),
    FIELD_OBJECT(struct thing, inner, "inner", struct inner, &inner_fields),
};
static const struct fields thing_fields = FIELDS("Thing", struct thing, thing_rows);

static struct arena arena;
static struct faults faults;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, SIZE_MAX);
    return 0;
}
static int tear_down(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static struct str encoded(const struct thing *t)
{
    struct sbuf b;
    sbuf_init(&b, &arena, TEXT_MAX);
    field_encode(&thing_fields, t, FIELD_ENCODE_STORED, &b);
    return sbuf_str(&b);
}

static bool thorough(struct str text, struct thing *ret)
{
    json_t *json CLEANUP_JSON = NULL;
    struct err err;
    faults_init(&faults, &arena);
    return json_parse(text, &json, &err) &&
           field_decode(&thing_fields, json, FIELD_DECODE_STORED, STR(""), ret, &arena, &faults);
}

static struct thing sample(void)
{
    static struct str tags[] = {STR("a"), STR(""), STR("\xc3\xa4\"\\\n")};
    static struct str_pair env[] = {{STR("PATH"), STR("/bin")}, {STR("\xe2\x82\xac"), STR("x\ty")}};
    struct thing t = {.name = STR("night \"run\" \\ \xc3\xa9\n"),
                      .raw = STR("{\"a\":[1,{\"b\":\"}\"}],\"c\":null}"),
                      .internal = STR("/"),
                      .count = 9,
                      .score = -12345678901234,
                      .level = 2,
                      .at = instant_s(1000000000),
                      .tags = {tags, 3},
                      .env = {env, 2},
                      .inner = {.limit = 5, .reason = STR("why")}};
    assert_true(ulid_parse(STR("01ARZ3NDEKTSV4RRFFQ69G5FAV"), &t.id));
    return t;
}

static void what_was_stored_is_taken_alike(void **state)
{
    (void)state;
    struct thing t = sample(), quick, slow;
    for (int i = 0; i < 3; i++) {
        struct str text = encoded(&t);
        assert_true(field_decode_text(&thing_fields, text, &quick, &arena));
        assert_true(thorough(text, &slow));
        assert_true(str_eq(encoded(&quick), text) && str_eq(encoded(&slow), text));
        t.tags.n = t.env.n = 0; // empty lists are kept apart from absent ones
        t.raw = i == 0 ? STR("7") : STR_NONE;
        t.on = true;
        t.inner.reason = STR_NONE;
    }
}

static void another_spelling_is_left(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "{",
        "{}",
        "[]",
        "{\"name\":\"a\",\"inner\":{\"limit\":5}} ",
        "{ \"name\":\"a\",\"inner\":{\"limit\":5}}",
        "{\"inner\":{\"limit\":5},\"name\":\"a\"}",                 // not in the order of the rows
        "{\"name\":\"a\",\"name\":\"b\",\"inner\":{\"limit\":5}}",  // twice
        "{\"name\":\"a\",\"active\":true,\"inner\":{\"limit\":5}}", // another name
        "{\"name\":\"\",\"inner\":{\"limit\":5}}",
        "{\"name\":\" \",\"inner\":{\"limit\":5}}",
        "{\"name\":\"\\u0041\",\"inner\":{\"limit\":5}}",
        "{\"name\":\"a\",\"inner\":{}}",
        "{\"name\":\"a\",\"count\":101,\"inner\":{\"limit\":5}}",
        "{\"name\":\"a\",\"score\":1.0,\"inner\":{\"limit\":5}}",
        "{\"name\":\"a\",\"score\":9223372036854775808,\"inner\":{\"limit\":5}}",
        "{\"name\":\"a\",\"score\":01,\"inner\":{\"limit\":5}}",
        "{\"name\":\"\xff\",\"inner\":{\"limit\":5}}",
        "{\"name\":\"a\",\"other\":7,\"inner\":{\"limit\":5}}",
        "{\"name\":\"a\",\"inner\":{\"limit\":5}}x",
    };
    struct thing quick;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(field_decode_text(&thing_fields, str_of(texts[i]), &quick, &arena));
    assert_true(field_decode_text(
        &thing_fields, STR("{\"other\":\"x\",\"name\":\"a\",\"inner\":{\"limit\":5}}"), &quick, &arena));
}

static void a_changed_byte_never_makes_a_difference(void **state)
{
    (void)state;
    struct thing t = sample();
    t.raw = STR_NONE; // the only part that is not looked into
    struct str text = encoded(&t);
    struct rng rng;
    size_t taken = 0;
    rng_init(&rng, 1);
    for (int i = 0; i < CHANGES; i++) {
        struct thing quick, slow;
        char *changed = arena_alloc(&arena, text.n);
        assert_non_null(changed);
        memcpy(changed, text.p, text.n);
        static const char likely[] = "\"\\{}[],:0-9 aeu\x80\xc3";
        changed[rng_below(&rng, text.n)] =
            rng_below(&rng, 2) ? likely[rng_below(&rng, sizeof likely - 1)] : (char)rng_below(&rng, 256);
        struct str now = {changed, text.n};
        if (field_decode_text(&thing_fields, now, &quick, &arena)) {
            taken++;
            assert_true(thorough(now, &slow));
            assert_true(str_eq(encoded(&quick), encoded(&slow)));
        }
        if (i % 100 == 99) {
            arena_release(&arena);
            arena_init(&arena, SIZE_MAX);
            t = sample();
            t.raw = STR_NONE;
            text = encoded(&t);
        }
    }
    assert_true(taken > CHANGES / 10); // letters within texts
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_stored_is_taken_alike, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_spelling_is_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_changed_byte_never_makes_a_difference, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
