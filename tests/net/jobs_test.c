// SPDX-License-Identifier: Apache-2.0
// Whole attempts through the runner: DUMMY, HTTP against the test server, SCRIPT through the spawner.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <signal.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sbuf.h"
#include "base/sync.h"
#include "http_target.h"
#include "jobs/runner.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/process.h"
#include "net/spawner.h"

enum { PATIENCE_S = 60, BUDGET = 64 << 20, LOOPS = 2, LOG_BYTES_MAX = 64 << 20 };

static struct target *target;
static struct loop *loops[LOOPS];
static struct job_env env;
static struct egress rules;
static struct arena arena;
static char folder[64];
static uint64_t next_run;

// One attempt with its own sink: what the engine is in the server.
struct trial {
    struct attempt_sink sink;
    struct attempt attempt;
    struct str definition; // absent: loading fails
    struct mutex lock;
    struct sbuf log;       // "stream message context\n", under lock
    int64_t lines;
    int ends;
    struct waker ended, logged;
};

static bool trial_load(struct attempt_sink *s, struct attempt *a, struct str *ret_definition, int64_t *ret_version,
                       struct err *err)
{
    struct trial *t = (struct trial *)s;
    (void)a;
    if (!t->definition.p)
        return ERR(err, ERR_UNAVAILABLE, "store: not now");
    *ret_definition = t->definition;
    *ret_version = 7;
    return true;
}

static void trial_log(struct attempt_sink *s, struct attempt *a, int level, int stream, struct str message,
                      struct str context)
{
    struct trial *t = (struct trial *)s;
    (void)a;
    (void)level;
    {
        WITH_LOCK(&t->lock);
        sbuf_fmt(&t->log, "%s %.*s %.*s\n", log_stream_names[stream], STR_ARG(message), STR_ARG(context));
        t->lines++;
    }
    waker_wake(&t->logged);
}

static void trial_done(struct attempt_sink *s, struct attempt *a)
{
    struct trial *t = (struct trial *)s;
    (void)a;
    t->ends++;
    waker_wake(&t->ended);
}

static void trial_init(struct trial *t, const char *type, const char *payload)
{
    *t = (struct trial){.sink = {trial_load, trial_log, trial_done}};
    struct attempt *a = &t->attempt;
    mutex_init(&t->lock, LOCK_METRICS);
    waker_init(&t->ended, LOCK_TEST);
    waker_init(&t->logged, LOCK_TEST);
    sbuf_init(&t->log, NULL, LOG_BYTES_MAX);
    arena_init(&a->arena, ATTEMPT_ARENA_BUDGET);
    next_run++;
    memcpy(a->run_id.b, &next_run, sizeof next_run);
    a->run_id.b[14] = a->run_id.b[15] = (uint8_t)(next_run * 7);
    assert_true(ulid_parse(STR("01BRZ3NDEKTSV4RRFFQ69G5FAV"), &a->run_key));
    assert_true(ulid_parse(STR("01CRZ3NDEKTSV4RRFFQ69G5FAV"), &a->job_id));
    a->number = 2;
    a->scheduled = instant_s(1000000000);
    a->timeout = duration_s(5);
    a->clock = clock_real();
    a->sink = &t->sink;
    t->definition = arena_fmt(&arena, "{\"name\":\"trial\",\"type\":\"%s\",\"schedule\":{\"scheduleType\":\"MANUAL\"},"
                              "\"payload\":%s}", type, payload);
}

static void trial_start(struct trial *t)
{
    struct executor *x = runner_executor(env.runner);
    struct attempt *v[] = {&t->attempt};
    x->start(x, v, 1);
}

static void trial_await(struct trial *t)
{
    assert_true(waker_wait(&t->ended, duration_s(PATIENCE_S)));
    assert_int_equal(t->ends, 1);
}

static void trial_run(struct trial *t, const char *type, const char *payload)
{
    trial_init(t, type, payload);
    trial_start(t);
    trial_await(t);
}

static void trial_cancel(struct trial *t, enum cancel_why why)
{
    struct executor *x = runner_executor(env.runner);
    x->cancel(x, t->attempt.run_id, why);
}

static void trial_release(struct trial *t)
{
    arena_release(&t->attempt.arena);
    sbuf_release(&t->log);
    waker_release(&t->ended);
    waker_release(&t->logged);
    mutex_release(&t->lock);
}

static void expect(const struct trial *t, int status, const char *error_class, const char *code, const char *message)
{
    const struct attempt_result *r = &t->attempt.result;
    if (r->status != status || !str_is(r->error_class, error_class) || !str_is(r->error_code, code) ||
        !str_contains(r->error_message, str_of(message)))
        fail_msg("%s %.*s %.*s \"%.*s\"\n%s", run_status_names[r->status], STR_ARG(r->error_class),
                 STR_ARG(r->error_code), STR_ARG(r->error_message), t->log.p ? t->log.p : "");
}

static void expect_log(struct trial *t, const char *part)
{
    if (!t->log.p || !strstr(t->log.p, part))
        fail_msg("not in the log: %s\n%s", part, t->log.p ? t->log.p : "");
}

static const char *http_payload(const char *path, const char *more)
{
    return arena_fmt(&arena, "{\"httpUrl\":\"http://127.0.0.1:%d%s\"%s%s}", target_port(target), path, more[0] ? "," : "",
                     more).p;
}

// ---- the runner ----

static void what_cannot_be_loaded_or_read_fails_with_a_sentence(void **state)
{
    (void)state;
    static const struct { const char *definition, *error_class, *message; } cases[] = {
        {NULL, "LOAD_ERROR", "the job cannot be loaded: store: not now"},
        {"{", "DEFINITION_ERROR", "the job's definition"},
        {"{\"name\":\"x\",\"type\":\"FAX\",\"schedule\":{\"scheduleType\":\"MANUAL\"},\"payload\":{}}", "DEFINITION_ERROR",
         "job type \"FAX\" is not part of this server"},
        {"{\"name\":\"x\",\"type\":\"HTTP\",\"schedule\":{\"scheduleType\":\"MANUAL\"},\"payload\":{\"httpUrl\":7}}",
         "DEFINITION_ERROR", "/payload/httpUrl"},
        {"{\"name\":\"x\",\"type\":\"HTTP\",\"schedule\":{\"scheduleType\":\"MANUAL\"},"
         "\"payload\":{\"httpUrl\":\"{{param.u}}\"}}", "DEFINITION_ERROR", "parameter \"u\" was not given to this run"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trial t;
        trial_init(&t, "DUMMY", "{}");
        t.definition = str_of(cases[i].definition);
        trial_start(&t);
        trial_await(&t);
        expect(&t, RUN_FAILED, cases[i].error_class, "", cases[i].message);
        trial_release(&t);
    }
}

static void thousands_of_attempts_each_end_once(void **state)
{
    (void)state;
    enum { MANY = 20000, BATCH = 500 };
    struct trial *t = mem_array(MANY, sizeof *t);
    struct attempt *v[BATCH];
    struct executor *x = runner_executor(env.runner);
    for (size_t i = 0; i < MANY; i += BATCH) {
        for (size_t k = 0; k < BATCH; k++) {
            trial_init(&t[i + k], "DUMMY", k % 50 ? "{}" : "{\"metadata\":{\"simulatedDelaySeconds\":0.01}}");
            v[k] = &t[i + k].attempt;
        }
        x->start(x, v, BATCH);
    }
    for (size_t i = 0; i < MANY; i++) {
        trial_await(&t[i]);
        expect(&t[i], RUN_SUCCEEDED, "", "", "");
        assert_int_equal(t[i].attempt.job_version, 7);
        trial_release(&t[i]);
    }
    assert_int_equal(runner_active(env.runner), 0);
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
    trial_run(&t, "DUMMY", "{\"metadata\":{\"simulateFailure\":\"true\",\"failureMessage\":\"too tired\",\"color\":1}}");
    expect(&t, RUN_FAILED, "DUMMY_ERROR", "", "too tired");
    expect_log(&t, "ignored: color");
    trial_release(&t);
    trial_run(&t, "DUMMY", "{\"metadata\":{\"successProbability\":0,\"outputLines\":3}}");
    expect(&t, RUN_FAILED, "DUMMY_ERROR", "", "as asked");
    assert_string_equal(t.log.p, "stdout line 1 \nstdout line 2 \nstdout line 3 \n");
    trial_release(&t);
    trial_run(&t, "DUMMY", "{\"metadata\":{\"outputLines\":[\"a\",\"b\"],\"simulatedDelaySeconds\":\"0.01\"}}");
    expect(&t, RUN_SUCCEEDED, "", "", "");
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
        expect(&t, cases[i].status, cases[i].error_class, "", cases[i].message);
        trial_release(&t);
    }
}

// ---- HTTP ----

static void the_status_decides_the_outcome(void **state)
{
    (void)state;
    static const struct { const char *path, *more; int status; const char *error_class, *code, *message; } cases[] = {
        {"/status/200", "", RUN_SUCCEEDED, "", "", ""},
        {"/status/204", "", RUN_SUCCEEDED, "", "", ""},
        {"/status/404", "", RUN_FAILED, "HTTP_4XX", "404", "\"127.0.0.1\" answered 404 Test"},
        {"/status/503", "", RUN_FAILED, "HTTP_5XX", "503", "answered 503"},
        {"/to?/status/200", "", RUN_FAILED, "HTTP_3XX", "302", "followRedirects"},
        {"/to?/status/200", "\"followRedirects\":true", RUN_SUCCEEDED, "", "", ""},
        {"/status/404", "\"expectedStatus\":[\"404\"]", RUN_SUCCEEDED, "", "", ""},
        {"/status/200", "\"expectedStatus\":[\"4xx\",\"500-599\"]", RUN_FAILED, "HTTP_2XX", "200", "answered 200"},
        {"/status/502", "\"expectedStatus\":[\"4xx\",\"500-599\"]", RUN_SUCCEEDED, "", "", ""},
        {"/close", "", RUN_FAILED, "CONNECTION_ERROR", "CONNECTION_ERROR", "failed"},
        {"/header/40000", "", RUN_FAILED, "CONNECTION_ERROR", "TOO_LARGE", "headers"},
        {"/loop", "\"followRedirects\":true", RUN_FAILED, "CONNECTION_ERROR", "REDIRECT_ERROR", "redirects"},
        {"/hold", "\"timeoutSeconds\":1", RUN_TIMED_OUT, "TIMEOUT", "", "in time"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trial t;
        trial_run(&t, "HTTP", http_payload(cases[i].path, cases[i].more));
        expect(&t, cases[i].status, cases[i].error_class, cases[i].code, cases[i].message);
        if (strstr(cases[i].path, "/status/5"))
            assert_int_equal(t.attempt.result.retry_after.us, cases[i].status == RUN_FAILED ? 7 * US_PER_S : 0);
        trial_release(&t);
    }
}

static void the_target_learns_who_calls(void **state)
{
    (void)state;
    struct trial t;
    trial_run(&t, "HTTP", http_payload("/echo", "\"method\":\"POST\",\"body\":\"{\\\"run\\\":\\\"{{run.attempt}}\\\"}\","
                                       "\"headers\":{\"X-Job\":\"{{job.name}}\",\"Idempotency-Key\":\"mine\"}"));
    expect(&t, RUN_SUCCEEDED, "", "", "");
    assert_int_equal(t.attempt.result.exit_code, 200);
    expect_log(&t, "system HTTP 200 Test in ");
    expect_log(&t, "\"method\":\"POST\",\"url\":\"http://127.0.0.1:");
    static const char *const sent[] = {
        "Chronos-Run-Key: 01BRZ3NDEKTSV4RRFFQ69G5FAV\\r\\n", "Chronos-Job-Id: 01CRZ3NDEKTSV4RRFFQ69G5FAV\\r\\n",
        "Chronos-Scheduled-Time: 2001-09-09T01:46:40.000Z\\r\\n", "Chronos-Attempt: 2\\r\\n", "Chronos-Run-Id: ",
        "traceparent: 00-", "X-Job: trial\\r\\n", "Idempotency-Key: mine\\r\\n", "User-Agent: chronos/test\\r\\n",
        "Content-Type: application/json\\r\\n", "{\\\"run\\\":\\\"2\\\"}",
    };
    for (size_t i = 0; i < sizeof sent / sizeof sent[0]; i++)
        expect_log(&t, sent[i]);
    assert_null(strstr(t.log.p, "Idempotency-Key: 01"));
    trial_release(&t);
}

static void long_and_binary_bodies_are_logged_in_bounds(void **state)
{
    (void)state;
    struct trial t;
    trial_run(&t, "HTTP", http_payload("/bytes/200000", ""));
    expect(&t, RUN_SUCCEEDED, "", "", "");
    expect_log(&t, "\"bodyBytes\":200000,\"truncated\":true,\"body\":\"xxx");
    assert_int_equal(t.lines, 1 + 65536 / LOG_LINE_MAX);
    trial_release(&t);
    trial_run(&t, "HTTP", http_payload("/binary", ""));
    expect_log(&t, "\"bodyBase64\":\"/wD+gA==\"");
    assert_int_equal(t.lines, 1);
    trial_release(&t);
}

static void what_templates_make_of_a_request_is_checked_again(void **state)
{
    (void)state;
    static const struct { const char *payload, *inputs, *error_class, *message; } cases[] = {
        {"{\"httpUrl\":\"{{param.u}}\"}", "{\"u\":\"file:///etc/passwd\"}", "DEFINITION_ERROR", "http:// or https://"},
        {"{\"httpUrl\":\"http://127.0.0.1:1/\",\"headers\":{\"A\":\"{{param.u}}\"}}", "{\"u\":\"x\\r\\nB: y\"}",
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
        expect(&t, RUN_FAILED, cases[i].error_class, "", cases[i].message);
        trial_release(&t);
    }
}

static void a_request_under_way_is_cancelled(void **state)
{
    (void)state;
    struct trial t;
    trial_init(&t, "HTTP", http_payload("/hold", ""));
    trial_start(&t);
    assert_true(target_await_held(target, 1));
    trial_cancel(&t, CANCEL_BY_TIMEOUT);
    trial_await(&t);
    expect(&t, RUN_TIMED_OUT, "TIMEOUT", "", "took longer than 5 s");
    assert_true(target_await_held(target, 0));
    trial_release(&t);
}

// ---- SCRIPT ----

static void scripts_end_as_their_exit_code_says(void **state)
{
    (void)state;
    static const struct { const char *payload; int status; const char *error_class, *code, *message; } cases[] = {
        {"{\"script\":\"exit 0\"}", RUN_SUCCEEDED, "", "", ""},
        {"{\"script\":\"exit 3\"}", RUN_FAILED, "SCRIPT_ERROR", "EXIT_3", "script ended with exit code 3"},
        {"{\"script\":\"kill -9 $$\"}", RUN_FAILED, "SCRIPT_ERROR", "SIGNAL_9", "script was killed by signal 9 (KILL)"},
        {"{\"script\":\"#!/no/such\\n\"}", RUN_FAILED, "SCRIPT_ERROR", "", "cannot execute \"/no/such\": No such file"},
        {"{\"script\":\"x\",\"workingDirectory\":\"/no/such\"}", RUN_FAILED, "SCRIPT_ERROR", "", "cannot change to the folder"},
        {"{\"script\":\"sleep 1000\",\"timeoutSeconds\":1}", RUN_TIMED_OUT, "TIMEOUT", "", "longer than 1 s"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trial t;
        trial_run(&t, "SCRIPT", cases[i].payload);
        expect(&t, cases[i].status, cases[i].error_class, cases[i].code, cases[i].message);
        trial_release(&t);
    }
}

static void a_script_gets_its_arguments_and_environment(void **state)
{
    (void)state;
    struct trial t;
    trial_init(&t, "SCRIPT", "{\"script\":\"#!/usr/bin/env python3\\nimport os,sys\\nprint(sys.argv[1:])\\n"
               "for k in sorted(os.environ):\\n  if k.startswith('CHRONOS') or k in ('A','LANG','PATH'):\\n"
               "    print(k+'='+os.environ[k])\\nprint('oops', file=sys.stderr)\\n\","
               "\"args\":[\"$(id)\",\"{{param.region}}\"],\"environment\":{\"A\":\"{{run.attempt}}\"}}");
    t.attempt.inputs = STR("{\"region\":\"eu; rm -rf /\",\"n\":5}");
    trial_start(&t);
    trial_await(&t);
    expect(&t, RUN_SUCCEEDED, "", "", "");
    assert_int_equal(t.attempt.result.exit_code, 0);
    static const char *const lines[] = {
        "stdout ['$(id)', 'eu; rm -rf /'] \n", "stdout A=2 \n", "stdout CHRONOS_ATTEMPT=2 \n",
        "stdout CHRONOS_JOB_ID=01CRZ3NDEKTSV4RRFFQ69G5FAV \n", "stdout CHRONOS_JOB_NAME=trial \n",
        "stdout CHRONOS_PARAM_N=5 \n", "stdout CHRONOS_PARAM_REGION=eu; rm -rf / \n",
        "stdout CHRONOS_RUN_KEY=01BRZ3NDEKTSV4RRFFQ69G5FAV \n", "stdout CHRONOS_SCHEDULED_TIME=2001-09-09T01:46:40.000Z \n",
        "stdout LANG=C.UTF-8 \n", "stdout PATH=/usr/local/bin:/usr/bin:/bin \n", "stderr oops \n",
        "system script ended with exit code 0 {\"exitCode\":0,\"signal\":0,",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        expect_log(&t, lines[i]);
    trial_release(&t);
}

static void interpreters_are_chosen_in_order(void **state)
{
    (void)state;
    static const struct { const char *payload, *line; } cases[] = {
        {"{\"script\":\"#!/bin/bash\\necho $BASH\",\"interpreter\":\"/bin/sh -e\"}", "stdout  \n"},
        {"{\"script\":\"#!/bin/bash -u\\necho $BASH $-\"}", "stdout /bin/bash huB \n"},
        {"{\"script\":\"echo sh $0 | sed 's,/.*/,,'\"}", "stdout sh .script \n"},
        {"{\"script\":\"print(1+1)\",\"interpreter\":\"python3\"}", "stdout 2 \n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trial t;
        trial_run(&t, "SCRIPT", cases[i].payload);
        expect(&t, RUN_SUCCEEDED, "", "", "");
        expect_log(&t, cases[i].line);
        trial_release(&t);
    }
}

static void output_comes_while_the_script_runs(void **state)
{
    (void)state;
    struct trial t;
    trial_init(&t, "SCRIPT", "{\"script\":\"echo started; sleep 1000\"}");
    trial_start(&t);
    assert_true(waker_wait(&t.logged, duration_s(PATIENCE_S)));
    trial_cancel(&t, CANCEL_BY_USER);
    trial_await(&t);
    expect(&t, RUN_CANCELLED, "CANCELLED", "", "by a user");
    expect_log(&t, "stdout started \n");
    trial_release(&t);
}

static void much_output_arrives_line_by_line(void **state)
{
    (void)state;
    struct trial t;
    trial_run(&t, "SCRIPT", "{\"script\":\"seq 1 100000\"}");
    expect(&t, RUN_SUCCEEDED, "", "", "");
    assert_int_equal(t.lines, 100001);
    expect_log(&t, "stdout 1 \nstdout 2 \n");
    expect_log(&t, "stdout 99999 \nstdout 100000 \nsystem ");
    trial_release(&t);
}

static void a_dead_spawner_fails_its_scripts_as_lost(void **state)
{
    (void)state;
    struct trial t;
    trial_init(&t, "SCRIPT", "{\"script\":\"echo started; sleep 1000\"}");
    trial_start(&t);
    assert_true(waker_wait(&t.logged, duration_s(PATIENCE_S)));
    assert_int_equal(kill(processes_spawner(env.processes), SIGKILL), 0);
    trial_await(&t);
    expect(&t, RUN_FAILED, "LOST", "", "ended unexpectedly");
    trial_release(&t);
    trial_run(&t, "SCRIPT", "{\"script\":\"exit 0\"}");
    expect(&t, RUN_SUCCEEDED, "", "", "");
    trial_release(&t);
}

static void switched_off_scripts_say_so(void **state)
{
    (void)state;
    struct trial t;
    env.scripts_enabled = false;
    trial_run(&t, "SCRIPT", "{\"script\":\"exit 0\"}");
    env.scripts_enabled = true;
    expect(&t, RUN_FAILED, "SCRIPT_ERROR", "", "scripts are switched off on this server");
    trial_release(&t);
}

// ---- the end ----

static void stopping_ends_every_attempt(void **state)
{
    (void)state;
    struct trial v[30];
    for (size_t i = 0; i < 30; i++) {
        static const char *const types[] = {"DUMMY", "HTTP", "SCRIPT"};
        const char *payloads[] = {"{\"metadata\":{\"simulatedDelaySeconds\":1000}}", http_payload("/hold", ""),
                                  "{\"script\":\"trap '' TERM; sleep 1000\"}"};
        trial_init(&v[i], types[i % 3], payloads[i % 3]);
        trial_start(&v[i]);
    }
    runner_free(env.runner);
    for (size_t i = 0; i < 30; i++) {
        trial_await(&v[i]);
        expect(&v[i], RUN_CANCELLED, "CANCELLED", "", "the server is stopping");
        trial_release(&v[i]);
    }
}

static int open_all(void **state)
{
    (void)state;
    enum { GRACE_MS = 200 };
    struct err err;
    arena_init(&arena, BUDGET);
    target = target_new();
    (void)snprintf(folder, sizeof folder, "/tmp/jobs-test-XXXXXX");
    for (size_t i = 0; i < LOOPS; i++)
        if (!(loops[i] = loop_new("test", clock_real(), &err)))
            return -1;
    if (!mkdtemp(folder) || !egress_parse((struct strs){0}, (struct strs){0}, &rules, &arena, &err))
        return -1;
    struct http_options http = {.clock = clock_real(), .user_agent = STR("chronos/test"), .egress = &rules};
    struct process_options processes = {.loop = loops[0], .clock = clock_real(), .dir = str_of(folder),
                                        .grace = duration_ms(GRACE_MS)};
    env = (struct job_env){.loops = loops, .loop_count = LOOPS, .scripts_enabled = true,
                           .http = http_client_new(&http, loops, LOOPS, &err),
                           .processes = processes_new(&processes, &err)};
    return env.http && env.processes && runner_new(&env, 2) ? 0 : -1;
}

static int close_all(void **state)
{
    (void)state;
    runner_free(env.runner);
    http_client_free(env.http);
    processes_free(env.processes);
    for (size_t i = 0; i < LOOPS; i++)
        loop_free(loops[i]);
    target_free(target);
    arena_release(&arena);
    folder_remove(folder);
    return 0;
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
        cmocka_unit_test(scripts_end_as_their_exit_code_says),
        cmocka_unit_test(a_script_gets_its_arguments_and_environment),
        cmocka_unit_test(interpreters_are_chosen_in_order),
        cmocka_unit_test(output_comes_while_the_script_runs),
        cmocka_unit_test(much_output_arrives_line_by_line),
        cmocka_unit_test(a_dead_spawner_fails_its_scripts_as_lost),
        cmocka_unit_test(switched_off_scripts_say_so),
        cmocka_unit_test(stopping_ends_every_attempt),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
