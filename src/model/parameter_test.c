// SPDX-License-Identifier: Apache-2.0
// Parameters: what may be declared, what may be given, what is filled in.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/job.h"
#include "model/parameter.h"

enum { ARENA_BUDGET = 1 << 20 };
static struct arena arena;
static struct faults faults;

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, ARENA_BUDGET);
    faults_init(&faults, &arena);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static struct parameters declared(const char *text)
{
    struct parameters p;
    if (!parameters_read(str_of(text), STR("/parameters"), &p, &faults))
        fail_msg("%.*s %.*s", STR_ARG(faults.v[0].pointer), STR_ARG(faults.v[0].detail));
    return p;
}

static const char three[] = "[{\"name\":\"day\",\"required\":true},{\"name\":\"n\",\"type\":\"NUMBER\",\"default\":3},"
                            "{\"name\":\"dry.run\",\"type\":\"BOOLEAN\",\"default\":false,\"description\":\"?\"}]";

static void declarations_are_read(void **state)
{
    (void)state;
    struct parameters p = declared(three);
    assert_int_equal(p.n, 3);
    assert_true(p.v[0].required && p.v[0].type == PARAMETER_STRING && !p.v[0].def.p);
    assert_true(str_is(p.v[1].def, "3"));
    assert_ptr_equal(parameters_find(&p, STR("dry.run")), &p.v[2]);
    assert_null(parameters_find(&p, STR("DAY")));
    assert_true(parameters_read(STR_NONE, STR(""), &p, &faults));
    assert_int_equal(p.n, 0);
}

static void bad_declarations_are_named(void **state)
{
    (void)state;
    static const struct { const char *text, *pointer; } rows[] = {
        {"{}", "/parameters"},
        {"7", "/parameters"},
        {"[{}]", "/parameters/0/name"},
        {"[{\"name\":\"a b\"}]", "/parameters/0/name"},
        {"[{\"name\":\"a\"},{\"name\":\"a\"}]", "/parameters/1/name"},
        {"[{\"name\":\"a\",\"type\":\"DATE\"}]", "/parameters/0/type"},
        {"[{\"name\":\"a\",\"default\":3}]", "/parameters/0/default"},
        {"[{\"name\":\"a\",\"type\":\"NUMBER\",\"default\":\"3\"}]", "/parameters/0/default"},
        {"[{\"name\":\"a\",\"type\":\"BOOLEAN\",\"default\":[]}]", "/parameters/0/default"},
        {"[{\"name\":\"a\",\"optional\":true}]", "/parameters/0/optional"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct parameters p;
        faults.n = 0;
        if (parameters_read(str_of(rows[i].text), STR("/parameters"), &p, &faults) || faults.n != 1 ||
            !str_is(faults.v[0].pointer, rows[i].pointer))
            fail_msg("%s", rows[i].text);
    }
}

static void given_values_are_taken_as_the_types_say(void **state)
{
    (void)state;
    struct parameters p = declared(three);
    struct str out =
        parameters_take(&p, STR("{\"day\":\"monday\",\"n\":\"2.5\",\"dry.run\":\"true\"}"), false, &faults);
    assert_int_equal(faults.n, 0);
    if (!str_is(out, "{\"day\":\"monday\",\"n\":2.5,\"dry.run\":true}"))
        fail_msg("%.*s", STR_ARG(out));
    out = parameters_take(&p, STR("{\"day\":\"x\",\"other\":1}"), true, &faults);
    assert_true(str_is(out, "{\"day\":\"x\"}"));
}

static void every_fault_of_given_values_is_named(void **state)
{
    (void)state;
    struct parameters p = declared(three);
    (void)parameters_take(&p, STR("{\"n\":\"x\",\"dry.run\":1,\"other\":1,\"a/b\":1}"), false, &faults);
    static const char *const pointers[] = {"/parameters/n", "/parameters/dry.run", "/parameters/other", "/parameters/",
                                           "/parameters/day"};
    assert_int_equal(faults.n, sizeof pointers / sizeof pointers[0]);
    for (size_t i = 0; i < faults.n; i++)
        assert_true(str_is(faults.v[i].pointer, pointers[i]));
    faults.n = 0;
    (void)parameters_take(&p, STR_NONE, false, &faults);
    assert_int_equal(faults.n, 1);
}

static void defaults_are_filled_in_at_the_start(void **state)
{
    (void)state;
    struct parameters p = declared(three);
    struct err err = {0};
    struct str out;
    assert_true(parameters_fill(&p, STR("{\"day\":\"x\",\"n\":4}"), &out, &arena, &err));
    assert_true(str_is(out, "{\"day\":\"x\",\"n\":4,\"dry.run\":false}"));
    assert_false(parameters_fill(&p, STR_NONE, &out, &arena, &err));
    assert_non_null(strstr(err.text, "\"day\""));
    p = declared("[{\"name\":\"a\"}]");
    assert_true(parameters_fill(&p, STR_NONE, &out, &arena, &err));
    assert_null(out.p);
}

static void a_schedule_gives_no_required_parameters(void **state)
{
    (void)state;
    struct job j = {.parameters = STR("[{\"name\":\"day\",\"required\":true}]"), .timeout_seconds = 1};
    field_defaults(&schedule_fields, &j.schedule);
    field_defaults(&retry_policy_fields, &j.retry_policy);
    j.schedule.kind = SCHEDULE_MANUAL;
    job_check(&j, &faults);
    assert_int_equal(faults.n, 0);
    j.schedule.kind = SCHEDULE_INTERVAL;
    j.schedule.interval_seconds = 60;
    job_check(&j, &faults);
    assert_int_equal(faults.n, 1);
    assert_true(str_is(faults.v[0].pointer, "/parameters/0/required"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(declarations_are_read),
        TEST(bad_declarations_are_named),
        TEST(given_values_are_taken_as_the_types_say),
        TEST(every_fault_of_given_values_is_named),
        TEST(defaults_are_filled_in_at_the_start),
        TEST(a_schedule_gives_no_required_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
