// SPDX-License-Identifier: Apache-2.0
// Payloads at save: which are accepted, in which form they are kept, and where a fault is shown.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "jobs/payload.h"

enum { BUDGET = 16 << 20 };

static struct arena arena;

static struct str check(const char *type, const char *payload, struct faults *faults)
{
    struct job j = {.type = str_of(type), .payload = str_of(payload)};
    faults_init(faults, &arena);
    return job_payload_check(&j, NULL, faults, &arena);
}

static void good_payloads_are_kept_in_one_form(void **state)
{
    (void)state;
    static const struct { const char *type, *in, *out; } cases[] = {
        {"DUMMY", NULL, "{\"type\":\"DUMMY\"}"},
        {"DUMMY", "{}", "{\"type\":\"DUMMY\"}"},
        {"DUMMY", "{\"type\":\"DUMMY\",\"metadata\":{\"simulatedDelaySeconds\":0.5,\"mine\":{\"a\":[1]}}}",
         "{\"type\":\"DUMMY\",\"metadata\":{\"simulatedDelaySeconds\":0.5,\"mine\":{\"a\":[1]}}}"},
        {"HTTP", "{\"url\":\"http://a/{{run.id}}\",\"method\":\"post\",\"expectedStatus\":204}",
         "{\"type\":\"HTTP\",\"httpUrl\":\"http://a/{{run.id}}\",\"httpMethod\":\"POST\","
         "\"expectedStatus\":[\"204\"]}"},
        {"HTTP", "{\"httpUrl\":\"{{param.url}}\",\"expectedStatus\":[200,\"3xx\",\"400-404\"]}",
         "{\"type\":\"HTTP\",\"httpUrl\":\"{{param.url}}\","
         "\"expectedStatus\":[\"200\",\"3xx\",\"400-404\"]}"},
        {"SCRIPT", "{\"script\":\"echo hi\",\"args\":\"one\"}",
         "{\"type\":\"SCRIPT\",\"script\":\"echo hi\",\"args\":[\"one\"]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct faults faults;
        struct str text = check(cases[i].type, cases[i].in, &faults);
        if (faults.n > 0)
            fail_msg("%s: %.*s %.*s", cases[i].in, STR_ARG(faults.v[0].pointer), STR_ARG(faults.v[0].detail));
        if (!str_starts(text, str_of(cases[i].out)))
            fail_msg("%.*s", STR_ARG(text));
        struct faults again; // what is kept is accepted and stays as it is
        assert_true(str_eq(check(cases[i].type, arena_cstr(&arena, text), &again), text));
    }
}

static void faults_are_shown_where_they_are(void **state)
{
    (void)state;
    static const struct { const char *type, *in, *pointer, *part; } cases[] = {
        {"NOPE", "{}", "/type", "write one of CACHE, DATABASE, "},
        {"HTTP", "[]", "/payload", "must be an object"},
        {"HTTP", "{\"type\":\"SCRIPT\",\"httpUrl\":\"http://a\"}", "/payload/type", "must be \"HTTP\""},
        {"HTTP", "{}", "/payload/httpUrl", ""},
        {"HTTP", "{\"httpUrl\":\"ftp://a\"}", "/payload/httpUrl", "http:// or https://"},
        {"HTTP", "{\"httpUrl\":\"http://u%0d@a/\"}", "/payload/httpUrl", "control character"},
        {"HTTP", "{\"httpUrl\":\"http://a\",\"auth\":{\"token\":\"t\"}}", "/payload/auth/type", "BEARER"},
        {"HTTP", "{\"httpUrl\":\"http://a\",\"httpMethod\":\"BREW\"}", "/payload/httpMethod", ""},
        {"HTTP", "{\"httpUrl\":\"http://a\",\"httpHeaders\":{\"X\":\"a\\r\\nB: c\"}}",
         "/payload/httpHeaders/X", "line break"},
        {"HTTP", "{\"httpUrl\":\"http://a\",\"httpHeaders\":{\"Content-Length\":3}}",
         "/payload/httpHeaders/Content-Length", "itself"},
        {"HTTP", "{\"httpUrl\":\"http://a\",\"expectedStatus\":[\"200\",\"6xx\"]}",
         "/payload/expectedStatus/1", "must be a status"},
        {"HTTP", "{\"httpUrl\":\"http://a\",\"expectedStatus\":\"404-200\"}", "/payload/expectedStatus/0",
         "must be a status"},
        {"HTTP", "{\"httpUrl\":\"http://a\",\"httpMethod\":\"HEAD\",\"httpBody\":\"x\"}",
         "/payload/httpBody", "HEAD"},
        {"HTTP", "{\"httpUrl\":\"http://a/{{x}}\"}", "/payload/httpUrl", "unknown name"},
        {"SCRIPT", "{\"script\":\"x\",\"args\":[\"{{secret.K}}\"]}", "/payload/args/0", "others could see it"},
        {"SCRIPT", "{}", "/payload/script", ""},
        {"SCRIPT", "{\"script\":\"echo {{param.x}}\"}", "/payload/script", "CHRONOS_PARAM_NAME"},
        {"SCRIPT", "{\"script\":\"x\",\"interpreter\":\" \"}", "/payload/interpreter", "blank"},
        {"SCRIPT", "{\"script\":\"x\",\"workingDirectory\":\"a\"}", "/payload/workingDirectory", "absolute"},
        {"SCRIPT", "{\"script\":\"x\",\"environment\":{\"A=B\":\"1\"}}", "/payload/environment/A=B",
         "variable's name"},
        {"SCRIPT", "{\"script\":\"x\",\"environment\":{\"CHRONOS_X\":\"1\"}}",
         "/payload/environment/CHRONOS_X", "Chronos itself"},
        {"SCRIPT", "{\"script\":\"x\",\"limits\":{\"memoryMb\":0}}", "/payload/limits/memoryMb", ""},
        {"DUMMY", "{\"metadata\":[]}", "/payload/metadata", "object"},
        {"DUMMY", "{\"metadata\":{\"simulatedDelaySeconds\":-1}}",
         "/payload/metadata/simulatedDelaySeconds", "seconds"},
        {"DUMMY", "{\"metadata\":{\"simulatedDelaySeconds\":\"x\"}}",
         "/payload/metadata/simulatedDelaySeconds", "seconds"},
        {"DUMMY", "{\"metadata\":{\"simulateFailure\":\"maybe\"}}", "/payload/metadata/simulateFailure",
         "true or false"},
        {"DUMMY", "{\"metadata\":{\"successProbability\":1.5}}", "/payload/metadata/successProbability",
         "0 to 1"},
        {"DUMMY", "{\"metadata\":{\"outputLines\":[1]}}", "/payload/metadata/outputLines", "texts"},
        {"DUMMY", "{\"metadata\":{\"failureMessage\":3}}", "/payload/metadata/failureMessage", "text"},
        {"DUMMY", "{\"delay\":1}", "/payload/delay", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct faults faults;
        struct str text = check(cases[i].type, cases[i].in, &faults);
        if (text.p || faults.n != 1)
            fail_msg("%s: %zu faults", cases[i].in, faults.n);
        if (!str_is(faults.v[0].pointer, cases[i].pointer) || !str_contains(faults.v[0].detail,
                                                                            str_of(cases[i].part)))
            fail_msg("%s: %.*s %.*s", cases[i].in, STR_ARG(faults.v[0].pointer), STR_ARG(faults.v[0].detail));
    }
}

static void all_faults_are_found_at_once(void **state)
{
    (void)state;
    struct faults faults;
    (void)check("HTTP", "{\"httpUrl\":\"http://a/{{x}}\",\"httpBody\":\"{{y}}\",\"expectedStatus\":\"z\"}",
                &faults);
    assert_int_equal(faults.n, 3);
}

static void types_are_listed_and_found(void **state)
{
    (void)state;
    assert_non_null(job_type_find(STR("DUMMY")));
    assert_non_null(job_type_find(STR("HTTP")));
    assert_non_null(job_type_find(STR("SCRIPT")));
    assert_null(job_type_find(STR("http")));
    for (const struct job_type *const *t = job_types; *t; t++) {
        assert_non_null((*t)->start);
        assert_true(strlen((*t)->doc) > 0);
        for (size_t i = 0; i < (*t)->payload->n; i++)
            assert_non_null((*t)->payload->v[i].doc);
    }
}

static int open_arena(void **state)
{
    (void)state;
    arena_init(&arena, BUDGET);
    return 0;
}

static int close_arena(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_payloads_are_kept_in_one_form),
        cmocka_unit_test(faults_are_shown_where_they_are),
        cmocka_unit_test(all_faults_are_found_at_once),
        cmocka_unit_test(types_are_listed_and_found),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
