// SPDX-License-Identifier: Apache-2.0
// Lists of links: what is refused, and what a started run is told.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/sync.h"
#include "model/chain.h"

enum { ARENA_BUDGET = 4 * 1024 * 1024 };
#define ONE "01KA3V5J8M2C00000000000001"
#define TWO "01KA3V5J8M2C00000000000002"

static struct ulid id_of(const char *text)
{
    struct ulid id;
    assert_true(ulid_parse(str_of(text), &id));
    return id;
}

static void faults_name_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *pointer; // NULL: no fault
    } cases[] = {
        {"", NULL},
        {"null", NULL},
        {"[]", NULL},
        {"[{\"job\":\"" TWO "\"}]", NULL},
        {"[{\"jobId\":\"" TWO "\",\"parameters\":{\"a\":\"{{run.output}} and \\\\{{x}}\",\"n\":7}}]", NULL},
        {"[{\"job\":\"" TWO "\",\"parameters\":{\"a\":\"{{param.day}}\"}}]", NULL},
        {"{}", "/onSuccess"},
        {"7", "/onSuccess"},
        {"[7]", "/onSuccess/0"},
        {"[{}]", "/onSuccess/0/job"},
        {"[{\"job\":\"nonsense\"}]", "/onSuccess/0/job"},
        {"[{\"job\":\"" TWO "\",\"other\":1}]", "/onSuccess/0/other"},
        {"[{\"job\":\"" ONE "\"}]", "/onSuccess/0/job"},
        {"[{\"job\":\"" TWO "\"},{\"job\":\"" TWO "\"}]", "/onSuccess/1/job"},
        {"[{\"job\":\"" TWO "\",\"parameters\":{\"cause\":\"x\"}}]", "/onSuccess/0/parameters/cause"},
        {"[{\"job\":\"" TWO "\",\"parameters\":{\"a\":\"{{run.nonsense}}\"}}]", "/onSuccess/0/parameters/a"},
        {"[{\"job\":\"" TWO "\",\"parameters\":{\"a\":\"{{secret.X}}\"}}]", "/onSuccess/0/parameters/a"},
        {"[{\"job\":\"" TWO "\",\"parameters\":{\"a\":\"{{run.id\"}}]", "/onSuccess/0/parameters/a"},
        {"[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]", "/onSuccess"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CLEANUP(arena_release) struct arena a;
        struct faults f;
        arena_init(&a, ARENA_BUDGET);
        faults_init(&f, &a);
        chain_check(str_of(cases[i].text), STR("/onSuccess"), id_of(ONE), &f);
        if ((f.n > 0) != (cases[i].pointer != NULL))
            fail_msg("%s: %zu faults", cases[i].text, f.n);
        if (f.n > 0)
            assert_true(str_is(f.v[0].pointer, cases[i].pointer));
    }
}

static struct run ended(void)
{
    return (struct run){.id = id_of(TWO),
                        .job_id = id_of(ONE),
                        .run_key = id_of(TWO),
                        .status = RUN_FAILED,
                        .scheduled = instant_s(1798761600),
                        .attempt = 3,
                        .exit_code = 75,
                        .error_class = STR("SCRIPT_ERROR"),
                        .error_message = STR("it said \"no\"")};
}

static struct str inputs_of(const char *value, const struct chain_cause *c, struct arena *a)
{
    struct str_pair pair = {STR("v"), str_of(value)};
    struct chain_link l = {.job = id_of(ONE), .parameters = {&pair, 1}};
    struct str text = chain_inputs(&l, c, a);
    assert_non_null(text.p);
    return text;
}

static void value_is(const char *value, const struct chain_cause *c, const char *expected)
{
    CLEANUP(arena_release) struct arena a;
    json_t *doc;
    struct err err;
    arena_init(&a, ARENA_BUDGET);
    assert_true(json_parse(inputs_of(value, c, &a), &doc, &err));
    assert_string_equal(json_string_value(json_object_get(doc, "v")), expected);
    json_decref(doc);
}

static void names_are_filled_in(void **state)
{
    (void)state;
    struct run r = ended();
    struct chain_cause c = {.run = &r,
                            .job_name = STR("night"),
                            .output = STR("42\n"),
                            .inputs = STR("{\"day\":\"monday\",\"n\":7,\"list\":[1,2]}"),
                            .depth = 1};
    value_is("plain", &c, "plain");
    value_is("", &c, "");
    value_is("{{run.id}}", &c, TWO);
    value_is("{{ job.id }}:{{job.name}}", &c, ONE ":night");
    value_is("{{run.status}} {{run.outcome}} {{run.exitCode}} {{run.attempt}}", &c, "FAILED FAILURE 75 3");
    value_is("{{run.errorClass}}: {{run.errorMessage}}", &c, "SCRIPT_ERROR: it said \"no\"");
    value_is("{{run.scheduledTime}}", &c, "2027-01-01T00:00:00.000Z");
    value_is("<{{run.output}}>", &c, "<42\n>");
    value_is("{{param.day}} {{param.n}} {{param.list}} {{param.none}}.", &c, "monday 7 [1,2] .");
    value_is("\\{{run.id}} {{", &c, "{{run.id}} ");
    r.status = RUN_SUCCEEDED;
    r.exit_code = FIELD_ABSENT;
    r.error_class = r.error_message = STR_NONE;
    c.output = STR_NONE;
    value_is("{{run.outcome}}[{{run.exitCode}}{{run.errorClass}}{{run.output}}]", &c, "SUCCESS[]");
}

static void the_cause_is_told(void **state)
{
    (void)state;
    CLEANUP(arena_release) struct arena a;
    struct run r = ended();
    struct chain_cause c = {.run = &r, .depth = 4};
    arena_init(&a, ARENA_BUDGET);
    struct str text = inputs_of("x", &c, &a);
    assert_true(str_starts(text, STR("{\"v\":\"x\",\"cause\":{\"runId\":\"" TWO "\",\"jobId\":\"" ONE
                             "\",\"status\":\"FAILED\",\"errorClass\":\"SCRIPT_ERROR\","
                             "\"scheduledTime\":\"2027-01-01T00:00:00.000Z\",\"traceparent\":\"00-")));
    assert_true(str_ends(text, STR("-01\",\"depth\":4}}")));
    assert_int_equal(chain_depth(text), 4);
    assert_int_equal(chain_depth(STR("{\"day\":1}")), 0);
    assert_int_equal(chain_depth(STR("{\"cause\":7}")), 0);
    assert_int_equal(chain_depth(STR_NONE), 0);
}

static void inputs_stay_within_their_bound(void **state)
{
    (void)state;
    CLEANUP(arena_release) struct arena a;
    static char huge[256 * 1024];
    memset(huge, 1, sizeof huge); // each byte takes six as JSON
    struct run r = ended();
    struct chain_cause c = {.run = &r, .output = {huge, sizeof huge}};
    struct str_pair pairs[CHAIN_PARAMETERS_MAX];
    char names[CHAIN_PARAMETERS_MAX][4];
    arena_init(&a, 64 * 1024 * 1024);
    for (int i = 0; i < CHAIN_PARAMETERS_MAX; i++) {
        names[i][0] = 'a';
        names[i][1] = (char)('0' + i / 10);
        names[i][2] = (char)('0' + i % 10);
        names[i][3] = 0;
        pairs[i] = (struct str_pair){str_of(names[i]), STR("{{run.output}}")};
    }
    struct chain_link l = {.job = id_of(ONE), .parameters = {pairs, CHAIN_PARAMETERS_MAX}};
    struct str text = chain_inputs(&l, &c, &a);
    assert_true(text.p && text.n <= CHAIN_INPUTS_MAX);
    json_t *doc;
    struct err err;
    assert_true(json_parse(text, &doc, &err));
    assert_true(json_string_length(json_object_get(doc, "a31")) > 0);
    json_decref(doc);
}

static void keys_follow_from_job_and_cause(void **state)
{
    (void)state;
    struct run r = ended(), other = ended();
    assert_true(ulid_eq(chain_run_key(id_of(ONE), &r), chain_run_key(id_of(ONE), &r)));
    assert_false(ulid_eq(chain_run_key(id_of(ONE), &r), chain_run_key(id_of(TWO), &r)));
    other.id = id_of(ONE);
    assert_false(ulid_eq(chain_run_key(id_of(ONE), &r), chain_run_key(id_of(ONE), &other)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_name_their_place),
        cmocka_unit_test(names_are_filled_in),
        cmocka_unit_test(the_cause_is_told),
        cmocka_unit_test(inputs_stay_within_their_bound),
        cmocka_unit_test(keys_follow_from_job_and_cause),
    };
    return cmocka_run_group_tests_name("model/chain", tests, NULL, NULL);
}
