// SPDX-License-Identifier: Apache-2.0
// Whole attempts through the runner: DUMMY, HTTP against the test server, and how everything ends.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "net/spawner.h"
#include "trial.h"

// ---- the runner ----

static void what_cannot_be_loaded_or_read_fails_with_a_sentence(void **state)
{
    (void)state;
    static const struct { const char *definition, *error_class, *message; } cases[] = {
        {NULL, "LOAD_ERROR", "the job cannot be loaded: store: not now"},
        {"{", "DEFINITION_ERROR", "the job's definition"},
        {"{\"name\":\"x\",\"type\":\"FAX\",\"schedule\":{\"scheduleType\":\"MANUAL\"},\"payload\":{}}",
         "DEFINITION_ERROR",
         "job type \"FAX\" is not part of this server"},
        {"{\"name\":\"x\",\"type\":\"HTTP\",\"schedule\":{\"scheduleType\":\"MANUAL\"},\"payload\":{\"httpUrl\":7}}",
         "DEFINITION_ERROR", "/payload/httpUrl"},
        {"{\"name\":\"x\",\"type\":\"HTTP\",\"schedule\":{\"scheduleType\":\"MANUAL\"},"
         "\"payload\":{\"httpUrl\":\"{{param.u}}\"}}", "DEFINITION_ERROR",
         "parameter \"u\" was not given to this run"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trial t;
        trial_init(&t, "DUMMY", "{}");
        t.definition = str_of(cases[i].definition);
        trial_start(&t);
        trial_await(&t);
        trial_expect(&t, RUN_FAILED, cases[i].error_class, "", cases[i].message);
        trial_release(&t);
    }
}

static void thousands_of_attempts_each_end_once(void **state)
{
    (void)state;
    enum { MANY = 20000, BATCH = 500 };
    struct trial *t = mem_array(MANY, sizeof *t);
    struct attempt *v[BATCH];
    struct executor *x = runner_executor(trial_env.runner);
    for (size_t i = 0; i < MANY; i += BATCH) {
        for (size_t k = 0; k < BATCH; k++) {
            trial_init(&t[i + k], "DUMMY", k % 50 ? "{}" : "{\"metadata\":{\"simulatedDelaySeconds\":0.01}}");
            v[k] = &t[i + k].attempt;
        }
        x->start(x, v, BATCH);
    }
    for (size_t i = 0; i < MANY; i++) {
        trial_await(&t[i]);
        trial_expect(&t[i], RUN_SUCCEEDED, "", "", "");
        assert_int_equal(t[i].attempt.job_version, 7);
        trial_release(&t[i]);
    }
    assert_int_equal(runner_active(trial_env.runner), 0);
    mem_free(t);
}

static void cancels_that_race_with_ends_end_each_attempt_once(void **state)
{
    (void)state;
    enum { MANY = 2000 };
    struct trial *t = mem_array(MANY, sizeof *t);
    for (size_t i = 0; i < MANY; i++) {
        trial_init(&t[i], "DUMMY", i % 2 ? "{\"metadata\":{\"simulatedDelaySeconds\":0.002}}" : "{}");
        trial_start(&t[i]);
        trial_cancel(&t[i], CANCEL_BY_USER);
        trial_cancel(&t[i / 2], CANCEL_BY_USER);
    }
    for (size_t i = 0; i < MANY; i++) {
        trial_await(&t[i]);
        int status = t[i].attempt.result.status;
        assert_true(status == RUN_SUCCEEDED || status == RUN_CANCELLED);
        trial_release(&t[i]);
    }
    mem_free(t);
}

// ---- DUMMY ----

static void dummy_does_what_its_metadata_says(void **state)
{
    (void)state;
    struct trial t;
    trial_run(&t, "DUMMY",
              "{\"metadata\":{\"simulateFailure\":\"true\",\"failureMessage\":\"too tired\",\"color\":1}}");
    trial_expect(&t, RUN_FAILED, "DUMMY_ERROR", "", "too tired");
    trial_expect_log(&t, "ignored: color");
    trial_release(&t);
    trial_run(&t, "DUMMY", "{\"metadata\":{\"successProbability\":0,\"outputLines\":3}}");
    trial_expect(&t, RUN_FAILED, "DUMMY_ERROR", "", "as asked");
    assert_string_equal(t.log.p, "stdout line 1 \nstdout line 2 \nstdout line 3 \n");
    trial_release(&t);
    trial_run(&t, "DUMMY",
              "{\"metadata\":{\"outputLines\":[\"a\",\"b\"],\"simulatedDelaySeconds\":\"0.01\"}}");
    trial_expect(&t, RUN_SUCCEEDED, "", "", "");
    assert_string_equal(t.log.p, "stdout a \nstdout b \n");
    trial_release(&t);
}

static void probability_is_the_share_that_succeeds(void **state)
{
    (void)state;
    enum { TRIALS = 400 };
    int good = 0;
    for (int i = 0; i < TRIALS; i++) {
        struct trial t;
        trial_run(&t, "DUMMY", "{\"metadata\":{\"successProbability\":0.5}}");
        good += t.attempt.result.status == RUN_SUCCEEDED;
        trial_release(&t);
    }
    assert_true(good > TRIALS * 35 / 100 && good < TRIALS * 65 / 100);
}

static void a_waiting_dummy_is_cancelled_by_each_reason(void **state)
{
    (void)state;
    static const struct { enum cancel_why why; int status; const char *error_class, *message; } cases[] = {
        {CANCEL_BY_USER, RUN_CANCELLED, "CANCELLED", "by a user"},
        {CANCEL_BY_TIMEOUT, RUN_TIMED_OUT, "TIMEOUT", "took longer than 5 s"},
        {CANCEL_BY_REPLACE, RUN_CANCELLED, "CANCELLED", "newer run"},
        {CANCEL_BY_SHUTDOWN, RUN_CANCELLED, "CANCELLED", "stopping"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trial t;
        trial_init(&t, "DUMMY", "{\"metadata\":{\"simulatedDelaySeconds\":1000,\"outputLines\":1}}");
        trial_start(&t);
        assert_true(waker_wait(&t.logged, duration_s(PATIENCE_S)));
        trial_cancel(&t, cases[i].why);
        trial_cancel(&t, CANCEL_BY_USER); // the first reason stays
        trial_await(&t);
        trial_expect(&t, cases[i].status, cases[i].error_class, "", cases[i].message);
        trial_release(&t);
    }
}

// ---- HTTP ----

static void the_status_decides_the_outcome(void **state)
{
    (void)state;
    static const struct { const char *path, *more; int status; const char *error_class, *code,
                         *message; } cases[] = {
        {"/status/200", "", RUN_SUCCEEDED, "", "", ""},
        {"/status/204", "", RUN_SUCCEEDED, "", "", ""},
        {"/status/404", "", RUN_FAILED, "HTTP_4XX", "404", "\"127.0.0.1\" answered 404 Test"},
        {"/status/503", "", RUN_FAILED, "HTTP_5XX", "503", "answered 503"},
        {"/to?/status/200", "", RUN_FAILED, "HTTP_3XX", "302", "followRedirects"},
        {"/to?/status/200", "\"followRedirects\":true", RUN_SUCCEEDED, "", "", ""},
        {"/status/404", "\"expectedStatus\":[\"404\"]", RUN_SUCCEEDED, "", "", ""},
        {"/status/200", "\"expectedStatus\":[\"4xx\",\"500-599\"]", RUN_FAILED, "HTTP_2XX", "200",
         "answered 200"},
        {"/status/502", "\"expectedStatus\":[\"4xx\",\"500-599\"]", RUN_SUCCEEDED, "", "", ""},
        {"/close", "", RUN_FAILED, "CONNECTION_ERROR", "CONNECTION_ERROR", "failed"},
        {"/header/40000", "", RUN_FAILED, "CONNECTION_ERROR", "TOO_LARGE", "headers"},
        {"/loop", "\"followRedirects\":true", RUN_FAILED, "CONNECTION_ERROR", "REDIRECT_ERROR", "redirects"},
        {"/hold", "\"timeoutSeconds\":1", RUN_TIMED_OUT, "TIMEOUT", "", "in time"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trial t;
        trial_run(&t, "HTTP", trial_http_payload(cases[i].path, cases[i].more));
        trial_expect(&t, cases[i].status, cases[i].error_class, cases[i].code, cases[i].message);
        if (strstr(cases[i].path, "/status/5"))
            assert_int_equal(t.attempt.result.retry_after.us,
                             cases[i].status == RUN_FAILED ? 7 * US_PER_S : 0);
        trial_release(&t);
    }
}

static void the_target_learns_who_calls(void **state)
{
    (void)state;
    struct trial t;
    trial_run(&t, "HTTP", trial_http_payload("/echo",
                                       "\"method\":\"POST\",\"body\":\"{\\\"run\\\":\\\"{{run.attempt}}\\\"}\","
                                       "\"headers\":{\"X-Job\":\"{{job.name}}\",\"Idempotency-Key\":\"mine\"}"));
    trial_expect(&t, RUN_SUCCEEDED, "", "", "");
    assert_int_equal(t.attempt.result.exit_code, 200);
    trial_expect_log(&t, "system HTTP 200 Test in ");
    trial_expect_log(&t, "\"method\":\"POST\",\"url\":\"http://127.0.0.1:");
    static const char *const sent[] = {
        "Chronos-Run-Key: 01BRZ3NDEKTSV4RRFFQ69G5FAV\\r\\n",
        "Chronos-Job-Id: 01CRZ3NDEKTSV4RRFFQ69G5FAV\\r\\n",
        "Chronos-Scheduled-Time: 2001-09-09T01:46:40.000Z\\r\\n", "Chronos-Attempt: 2\\r\\n",
        "Chronos-Run-Id: ",
        "traceparent: 00-", "X-Job: trial\\r\\n", "Idempotency-Key: mine\\r\\n",
        "User-Agent: chronos/test\\r\\n",
        "Content-Type: application/json\\r\\n", "{\\\"run\\\":\\\"2\\\"}",
    };
    for (size_t i = 0; i < sizeof sent / sizeof sent[0]; i++)
        trial_expect_log(&t, sent[i]);
    assert_null(strstr(t.log.p, "Idempotency-Key: 01"));
    trial_release(&t);
}

static void long_and_binary_bodies_are_logged_in_bounds(void **state)
{
    (void)state;
    struct trial t;
    trial_run(&t, "HTTP", trial_http_payload("/bytes/200000", ""));
    trial_expect(&t, RUN_SUCCEEDED, "", "", "");
    trial_expect_log(&t, "\"bodyBytes\":200000,\"truncated\":true,\"body\":\"xxx");
    assert_int_equal(t.lines, 1 + 65536 / LOG_LINE_MAX);
    trial_release(&t);
    trial_run(&t, "HTTP", trial_http_payload("/binary", ""));
    trial_expect_log(&t, "\"bodyBase64\":\"/wD+gA==\"");
    assert_int_equal(t.lines, 1);
    trial_release(&t);
}

static void what_templates_make_of_a_request_is_checked_again(void **state)
{
    (void)state;
    static const struct { const char *payload, *inputs, *error_class, *message; } cases[] = {
        {"{\"httpUrl\":\"{{param.u}}\"}", "{\"u\":\"file:///etc/passwd\"}", "DEFINITION_ERROR",
         "http:// or https://"},
        {"{\"httpUrl\":\"http://127.0.0.1:1/\",\"headers\":{\"A\":\"{{param.u}}\"}}",
         "{\"u\":\"x\\r\\nB: y\"}",
         "DEFINITION_ERROR", "line break"},
        {"{\"httpUrl\":\"http://{{param.u}}/\"}", "{\"u\":\"169.254.169.254\"}", "EGRESS_DENIED",
         "address 169.254.169.254 is not allowed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trial t;
        trial_init(&t, "HTTP", cases[i].payload);
        t.attempt.inputs = str_of(cases[i].inputs);
        trial_start(&t);
        trial_await(&t);
        trial_expect(&t, RUN_FAILED, cases[i].error_class, "", cases[i].message);
        trial_release(&t);
    }
}

static void a_request_under_way_is_cancelled(void **state)
{
    (void)state;
    struct trial t;
    trial_init(&t, "HTTP", trial_http_payload("/hold", ""));
    trial_start(&t);
    assert_true(target_await_held(trial_target, 1));
    trial_cancel(&t, CANCEL_BY_TIMEOUT);
    trial_await(&t);
    trial_expect(&t, RUN_TIMED_OUT, "TIMEOUT", "", "took longer than 5 s");
    assert_true(target_await_held(trial_target, 0));
    trial_release(&t);
}

// ---- the end ----

static void stopping_ends_every_attempt(void **state)
{
    (void)state;
    struct trial v[30];
    for (size_t i = 0; i < 30; i++) {
        static const char *const types[] = {"DUMMY", "HTTP", "SCRIPT"};
        const char *payloads[] = {"{\"metadata\":{\"simulatedDelaySeconds\":1000}}", trial_http_payload("/hold",
                                                                                                  ""),
                                  "{\"script\":\"trap '' TERM; sleep 1000\"}"};
        trial_init(&v[i], types[i % 3], payloads[i % 3]);
        trial_start(&v[i]);
    }
    runner_free(trial_env.runner);
    for (size_t i = 0; i < 30; i++) {
        trial_await(&v[i]);
        trial_expect(&v[i], RUN_CANCELLED, "CANCELLED", "", "the server is stopping");
        trial_release(&v[i]);
    }
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--spawner") == 0)
        return spawner_main(SPAWNER_FD);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_loaded_or_read_fails_with_a_sentence),
        cmocka_unit_test(thousands_of_attempts_each_end_once),
        cmocka_unit_test(cancels_that_race_with_ends_end_each_attempt_once),
        cmocka_unit_test(dummy_does_what_its_metadata_says),
        cmocka_unit_test(probability_is_the_share_that_succeeds),
        cmocka_unit_test(a_waiting_dummy_is_cancelled_by_each_reason),
        cmocka_unit_test(the_status_decides_the_outcome),
        cmocka_unit_test(the_target_learns_who_calls),
        cmocka_unit_test(long_and_binary_bodies_are_logged_in_bounds),
        cmocka_unit_test(what_templates_make_of_a_request_is_checked_again),
        cmocka_unit_test(a_request_under_way_is_cancelled),
        cmocka_unit_test(stopping_ends_every_attempt),
    };
    return cmocka_run_group_tests(tests, trial_world_open, trial_world_close);
}
