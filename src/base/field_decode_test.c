// SPDX-License-Identifier: Apache-2.0
// Unit tests of base/field_decode.
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

struct retry {
    int64_t limit;
    struct str reason;
};
static const struct field retry_rows[] = {
    FIELD_I64(struct retry, limit, "limit", .flags = FIELD_REQUIRED, .min = 1, .max = 10),
    FIELD_STR(struct retry, reason, "a/b~c", .max = 5),
};
static const struct fields retry_fields = FIELDS("Retry", struct retry, retry_rows);

struct thing {
    struct str name, raw, secret, internal;
    bool enabled, plain_flag;
    int64_t count, score, below, version;
    double ratio;
    int level, other_level;
    struct instant at;
    struct ulid id;
    struct strs tags;
    struct str_map env, wishes;
    struct retry retry;
};
static const struct field thing_rows[] = {
    FIELD_STR(struct thing, name, "name", .flags = FIELD_REQUIRED, .min = 1, .max = 8),
    FIELD_JSON(struct thing, raw, "raw", .max = 20),
    FIELD_STR(struct thing, secret, "secret", .flags = FIELD_SECRET, .min = 3),
    FIELD_STR(struct thing, internal, "internal", .flags = FIELD_HIDDEN),
    FIELD_BOOL(struct thing, enabled, "enabled", FIELD_DEFAULT(true), FIELD_ALIASES("active", "is_enabled")),
    FIELD_BOOL(struct thing, plain_flag, "flag"),
    FIELD_I64(struct thing, count, "count", .min = 1, .max = 100, FIELD_DEFAULT(7)),
    FIELD_I64(struct thing, score, "score"),
    FIELD_I64(struct thing, below, "below", .min = 5),
    FIELD_I64(struct thing, version, "version", .flags = FIELD_READ_ONLY | FIELD_REQUIRED),
    FIELD_F64(struct thing, ratio, "ratio", .min = -1, .max = 1),
    FIELD_ENUM(struct thing, level, "level", levels, FIELD_DEFAULT(1)),
    FIELD_ENUM(struct thing, other_level, "otherLevel", levels),
    FIELD_INSTANT(struct thing, at, "at"),
    FIELD_ID(struct thing, id, "id"),
    FIELD_STRS(struct thing, tags, "tags", .max = 3),
    FIELD_MAP(struct thing, env, "env", .max = 4),
    FIELD_MAP(struct thing, wishes, "wishes", .flags = FIELD_NESTED),
    FIELD_OBJECT(struct thing, retry, "retry", struct retry, &retry_fields),
};
static const struct fields thing_fields = FIELDS("Thing", struct thing, thing_rows);

static struct arena arena;
static struct faults faults;
static struct thing thing;

static int fresh_arena(void **state)
{
    (void)state;
    arena_init(&arena, 4 << 20);
    return 0;
}

static int release_arena(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static bool decode(const char *text, unsigned flags)
{
    struct err err = {0};
    CLEANUP_JSON json_t *v = NULL;
    if (!json_parse(str_of(text), &v, &err))
        fail_msg("%s: %s", text, err.text);
    faults_init(&faults, &arena);
    return field_decode(&thing_fields, v, flags, STR("/p"), &thing, &arena, &faults);
}

static void assert_defaults(void)
{
    assert_true(!thing.name.p && !thing.raw.p && !thing.secret.p && !thing.internal.p);
    assert_true(thing.enabled && !thing.plain_flag);
    assert_true(thing.count == 7 && thing.score == FIELD_ABSENT && thing.below == FIELD_ABSENT);
    assert_true(isnan(thing.ratio) && thing.level == 1 && thing.other_level == -1);
    assert_true(instant_is_never(thing.at) && ulid_is_zero(thing.id));
    assert_true(!thing.tags.v && thing.tags.n == 0 && !thing.env.v && thing.env.n == 0);
    assert_true(thing.retry.limit == FIELD_ABSENT && !thing.retry.reason.p);
}

static void defaults_fill_every_member(void **state)
{
    (void)state;
    memset(&thing, 0x5A, sizeof thing);
    thing.enabled = thing.plain_flag = false;
    field_defaults(&thing_fields, &thing);
    assert_defaults();
}

static void every_kind_is_taken(void **state)
{
    (void)state;
    assert_true(decode("{\"name\":\"caf\xC3\xA9 \xE2\x82\xAC\",\"raw\":{\"b\": [1, null]},\"secret\":\"abc\","
                       "\"active\":false,\"flag\":true,\"count\":100,\"score\":-5.0,\"below\":5,\"ratio\":1,"
                       "\"level\":\"high\",\"otherLevel\":\"LOW\",\"at\":\"1970-01-01T00:00:01Z\","
                       "\"id\":\"01arz3ndektsv4rrffq69g5fav\","
                       "\"tags\":[\"x\",\"\"],\"env\":{\"A\":\"1\",\"B\":2,\"C\":true,\"D\":null},"
                       "\"retry\":{\"limit\":10,\"a/b~c\":\"why\"}}",
                       FIELD_DECODE_STRICT));
    assert_true(str_is(thing.name, "caf\xC3\xA9 \xE2\x82\xAC") && str_is(thing.raw, "{\"b\":[1,null]}"));
    assert_true(str_is(thing.secret, "abc") && !thing.enabled && thing.plain_flag);
    assert_true(thing.count == 100 && thing.score == -5 && thing.below == 5 && thing.ratio == 1);
    assert_true(thing.level == 2 && thing.other_level == 0 && thing.at.us == US_PER_S);
    assert_true(!ulid_is_zero(thing.id) && thing.tags.n == 2 && str_is(thing.tags.v[0], "x"));
    assert_true(thing.tags.v[1].p && thing.tags.v[1].n == 0);
    assert_true(thing.env.n == 3 && str_is(thing.env.v[0].key, "A") && str_is(thing.env.v[1].value, "2"));
    assert_true(str_is(thing.env.v[2].value, "true"));
    assert_true(thing.retry.limit == 10 && str_is(thing.retry.reason, "why"));
}

static void maps_take_lists_and_objects_where_the_row_says_so(void **state)
{
    (void)state;
    assert_true(decode("{\"name\":\"x\",\"wishes\":{\"a\":[\"b\", 1],\"c\":{\"d\":\"e\"},\"f\":2}}",
                       FIELD_DECODE_STRICT));
    assert_true(thing.wishes.n == 3 && str_is(thing.wishes.v[0].value, "[\"b\",1]"));
    assert_true(str_is(thing.wishes.v[1].value, "{\"d\":\"e\"}") && str_is(thing.wishes.v[2].value, "2"));
}

static void empty_lists_differ_from_absent_ones(void **state)
{
    (void)state;
    assert_true(decode("{\"name\":\"x\",\"tags\":[],\"env\":{}}", FIELD_DECODE_STRICT));
    assert_true(thing.tags.v && thing.tags.n == 0 && thing.env.v && thing.env.n == 0);
}

static void null_means_absent(void **state)
{
    (void)state;
    assert_true(decode("{\"name\":\"x\",\"raw\":null,\"enabled\":null,\"count\":null,\"level\":null,"
                       "\"at\":null,\"id\":null,\"tags\":null,\"env\":null,\"retry\":null,\"ratio\":null}",
                       FIELD_DECODE_STRICT));
    thing.name = STR_NONE;
    assert_defaults();
}

struct refusal {
    const char *member; // beside a good name
    const char *pointer, *detail;
};

static void each_fault_names_its_place_and_the_remedy(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        {"\"raw\":\"123456789012345678901\"", "/p/raw", "must have at most 20 bytes of JSON"},
        {"\"secret\":\"ab\"", "/p/secret", "must have at least 3 characters"},
        {"\"secret\":5", "/p/secret", "must be a string"},
        {"\"flag\":1", "/p/flag", "must be true or false"},
        {"\"flag\":\"true\"", "/p/flag", "must be true or false"},
        {"\"count\":0", "/p/count", "must be between 1 and 100"},
        {"\"count\":101", "/p/count", "must be between 1 and 100"},
        {"\"count\":1.5", "/p/count", "must be an integer"},
        {"\"count\":\"1\"", "/p/count", "must be an integer"},
        {"\"score\":1e300", "/p/score", "must be an integer"},
        {"\"score\":-9223372036854775808", "/p/score", "must be an integer"},
        {"\"below\":4", "/p/below", "must be at least 5"},
        {"\"ratio\":1.01", "/p/ratio", "must be between -1 and 1"},
        {"\"ratio\":\"1\"", "/p/ratio", "must be a number"},
        {"\"level\":\"urgent\"", "/p/level", "must be one of LOW, MEDIUM, HIGH"},
        {"\"level\":1", "/p/level", "must be one of LOW, MEDIUM, HIGH"},
        {"\"at\":5", "/p/at", "must be a string with a time such as \"2026-11-23T14:05:09Z\""},
        {"\"at\":\"2026-02-30T00:00:00Z\"", "/p/at",
         "\"2026-02-30T00:00:00Z\" is not a time such as \"2026-11-23T14:05:09Z\" (RFC 3339): "
         "that month has fewer days"},
        {"\"id\":\"x\"", "/p/id", "must be an identifier: a ULID of 26 characters"},
        {"\"tags\":\"x\"", "/p/tags", "must be a list of strings"},
        {"\"tags\":[\"a\",null]", "/p/tags/1", "must be a string"},
        {"\"tags\":[\"a\",\"b\",\"c\",\"d\"]", "/p/tags", "must have at most 3 entries"},
        {"\"env\":[]", "/p/env", "must be an object of strings"},
        {"\"env\":{\"A/B\":[]}", "/p/env/A~1B", "must be a string"},
        {"\"env\":{\"1\":1,\"2\":1,\"3\":1,\"4\":1,\"5\":1}", "/p/env", "must have at most 4 entries"},
        {"\"retry\":[]", "/p/retry", "must be an object"},
        {"\"retry\":{}", "/p/retry/limit", "is required"},
        {"\"retry\":{\"limit\":11}", "/p/retry/limit", "must be between 1 and 10"},
        {"\"retry\":{\"limit\":1,\"a/b~c\":\"123456\"}", "/p/retry/a~1b~0c",
         "must have at most 5 characters"},
        {"\"retry\":{\"limit\":1,\"limt\":1}", "/p/retry/limt",
         "is not a known field; did you mean \"limit\"?"},
        {"\"cuont\":1", "/p/cuont", "is not a known field; did you mean \"count\"?"},
        {"\"colour\":1", "/p/colour", "is not a known field"},
        {"\"x~/y\":1", "/p/x~0~1y", "is not a known field"},
        {"\"interna1\":1", "/p/interna1", "is not a known field"}, // hidden fields are not hinted at
        {"\"internal\":\"x\"", "/p/internal", "is not a known field"},
        {"\"version\":1", "/p/version", "is read-only; leave it out"},
        {"\"enabled\":true,\"active\":true", "/p/enabled", "is given under two names; keep only \"enabled\""},
        {"\"is_enabled\":true,\"active\":true", "/p/active",
         "is given under two names; keep only \"enabled\""},
        {"\"active\":3", "/p/active", "must be true or false"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[400];
        (void)snprintf(text, sizeof text, "{\"name\":\"x\",%s}", cases[i].member);
        if (decode(text, FIELD_DECODE_STRICT) || faults.n != 1)
            fail_msg("%s: %zu faults", text, faults.n);
        assert_true(str_is(thing.name, "x"));
        char got[ERR_TEXT_MAX], want[ERR_TEXT_MAX];
        const struct fault *f = &faults.v[0];
        (void)snprintf(got, sizeof got, "%.*s %.*s", STR_ARG(f->pointer), STR_ARG(f->detail));
        (void)snprintf(want, sizeof want, "%s %s", cases[i].pointer, cases[i].detail);
        assert_string_equal(got, want);
    }
}

static void names_are_required_not_blank_and_counted_in_characters(void **state)
{
    (void)state;
    static const struct { const char *text, *detail; } cases[] = {
        {"{}", "is required"},
        {"{\"name\":null}", "is required"},
        {"{\"name\":\"\"}", "must not be empty"},
        {"{\"name\":\" \\t\\n\"}", "must not be empty"},
        {"{\"name\":\"123456789\"}", "must have at most 8 characters"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_false(decode(cases[i].text, FIELD_DECODE_STRICT));
        assert_int_equal(faults.n, 1);
        assert_true(str_is(faults.v[0].pointer, "/p/name") && str_is(faults.v[0].detail, cases[i].detail));
        assert_null(thing.name.p);
    }
#define EURO "\xE2\x82\xAC"
    assert_true(decode("{\"name\":\"" EURO EURO EURO EURO EURO EURO EURO EURO "\"}", FIELD_DECODE_STRICT));
}

static void all_faults_of_one_input_are_told_at_once(void **state)
{
    (void)state;
    assert_false(decode("{\"count\":0,\"level\":\"x\",\"tags\":[1,2],\"retry\":{\"limit\":0},\"nope\":1}",
                        FIELD_DECODE_STRICT));
    assert_int_equal(faults.n, 7);
    assert_true(str_is(faults.v[0].pointer, "/p/name"));
    assert_true(thing.count == 7 && thing.level == 1 && !thing.tags.v); // faulty members keep defaults
    assert_false(decode("[]", FIELD_DECODE_STRICT));
    assert_true(faults.n == 1 && str_is(faults.v[0].pointer, "/p"));
    assert_defaults();
}

static void stored_text_may_hold_what_requests_may_not(void **state)
{
    (void)state;
    assert_true(decode("{\"name\":\"x\",\"version\":3,\"internal\":\"y\",\"from_the_future\":1}",
                       FIELD_DECODE_STORED));
    assert_true(thing.version == 3 && str_is(thing.internal, "y"));
    assert_false(decode("{\"name\":\"x\"}", FIELD_DECODE_STORED)); // version is required there
    assert_true(str_is(faults.v[0].pointer, "/p/version"));
}

static void unknown_keys_may_be_allowed(void **state)
{
    (void)state;
    assert_true(decode("{\"name\":\"x\",\"whatever\":1,\"internal\":5}", FIELD_DECODE_UNKNOWN_OK));
    assert_null(thing.internal.p);
    assert_false(decode("{\"name\":\"x\",\"version\":1}", FIELD_DECODE_UNKNOWN_OK));
}

static void running_out_of_memory_is_a_fault(void **state)
{
    (void)state;
    struct err err;
    CLEANUP_JSON json_t *v = NULL;
    assert_true(json_parse(STR("{\"name\":\"x\","
                               "\"tags\":[\"a\"],\"env\":{\"a\":\"b\"},\"raw\":[1]}"), &v, &err));
    for (size_t budget = 0; budget < 400; budget += 16) {
        struct arena small;
        arena_init(&small, budget);
        faults_init(&faults, &small);
        bool ok = field_decode(&thing_fields, v, FIELD_DECODE_STRICT, STR(""), &thing, &small, &faults);
        bool whole = thing.name.p && thing.tags.n == 1 && thing.env.n == 1 && thing.raw.p;
        assert_int_equal(ok, whole);
        assert_int_equal(ok, !faults_any(&faults));
        arena_release(&small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_fill_every_member),
        cmocka_unit_test(every_kind_is_taken),
        cmocka_unit_test(maps_take_lists_and_objects_where_the_row_says_so),
        cmocka_unit_test(empty_lists_differ_from_absent_ones),
        cmocka_unit_test(null_means_absent),
        cmocka_unit_test(each_fault_names_its_place_and_the_remedy),
        cmocka_unit_test(names_are_required_not_blank_and_counted_in_characters),
        cmocka_unit_test(all_faults_of_one_input_are_told_at_once),
        cmocka_unit_test(stored_text_may_hold_what_requests_may_not),
        cmocka_unit_test(unknown_keys_may_be_allowed),
        cmocka_unit_test(running_out_of_memory_is_a_fault),
    };
    return cmocka_run_group_tests(tests, fresh_arena, release_arena);
}
