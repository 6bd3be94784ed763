// SPDX-License-Identifier: Apache-2.0
// Maps of users: typed values, faults with pointers, names that mean nothing, templates that are not expanded
// yet.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "jobs/user_map.h"

enum { BUDGET = 1 << 16 };

struct options {
    struct str host;
    int64_t port;
    bool tls;
    int kind;
};
static const char *const kinds[] = {"A", "B", NULL};
#define T struct options
static const struct field rows[] = {
    FIELD_STR(T, host, "host", FIELD_ALIASES("server"), .max = 10),
    FIELD_I64(T, port, "port", .min = 1, .max = 100, FIELD_DEFAULT(7)),
    FIELD_BOOL(T, tls, "tls", FIELD_DEFAULT(false)),
    FIELD_ENUM(T, kind, "kind", kinds, FIELD_DEFAULT(0)),
};
#undef T
static const struct fields fields = FIELDS("Options", struct options, rows);

static struct arena arena;
static struct faults faults;

static bool reads(struct str_pair *v, size_t n, bool templates, struct options *ret, struct str *ret_ignored)
{
    struct str_map m = {v, n};
    arena_reset(&arena);
    faults_init(&faults, &arena);
    return user_map_read(&fields, &m, STR("/c"), templates, ret, ret_ignored, &arena, &faults);
}

static void texts_become_what_the_table_wants(void **state)
{
    (void)state;
    struct options o;
    struct str ignored;
    struct str_pair v[] = {{STR("server"), STR("h")}, {STR("port"), STR("42")},  {STR("tls"), STR("true")},
                           {STR("kind"), STR("b")},   {STR("colour"), STR("x")}, {STR("size"), STR("1")}};
    assert_true(reads(v, sizeof v / sizeof v[0], false, &o, &ignored));
    assert_true(str_is(o.host, "h") && o.port == 42 && o.tls && o.kind == 1);
    assert_true(str_is(ignored, "colour, size"));
    assert_true(reads(NULL, 0, false, &o, &ignored));
    assert_true(!o.host.p && o.port == 7 && !o.tls && o.kind == 0 && !ignored.p);
}

static void every_fault_is_told(void **state)
{
    (void)state;
    struct options o;
    struct str ignored;
    struct str_pair v[] = {{STR("host"), STR("much too long")},
                           {STR("port"), STR("x")},
                           {STR("tls"), STR("yes")},
                           {STR("kind"), STR("C")},
                           {STR("server"), STR("both")}};
    assert_false(reads(v, sizeof v / sizeof v[0], false, &o, &ignored));
    assert_int_equal(faults.n, 4);
    assert_true(str_is(faults.v[1].pointer, "/c/port"));
}

static void templates_wait_for_their_values(void **state)
{
    (void)state;
    struct options o;
    struct str ignored;
    struct str_pair v[] = {
        {STR("host"), STR("{{a.b}}")}, {STR("port"), STR("{{param.p}}")}, {STR("kind"), STR("{{k}}")}};
    assert_true(reads(v, sizeof v / sizeof v[0], true, &o, &ignored));
    assert_true(str_is(o.host, "{{a.b}}") && o.port == 7 && o.kind == 0);
    assert_false(reads(v, sizeof v / sizeof v[0], false, &o, &ignored));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_become_what_the_table_wants),
        cmocka_unit_test(every_fault_is_told),
        cmocka_unit_test(templates_wait_for_their_values),
    };
    arena_init(&arena, BUDGET);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_release(&arena);
    return failed;
}
