// SPDX-License-Identifier: Apache-2.0
// Whole attempts of SCRIPT jobs, through the spawner, with real processes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>

#include "net/process.h"
#include "net/spawner.h"
#include "trial.h"

static void scripts_end_as_their_exit_code_says(void **state)
{
    (void)state;
    static const struct { const char *payload; int status; const char *error_class, *code,
                         *message; } cases[] = {
        {"{\"script\":\"exit 0\"}", RUN_SUCCEEDED, "", "", ""},
        {"{\"script\":\"exit 3\"}", RUN_FAILED, "SCRIPT_ERROR", "EXIT_3", "script ended with exit code 3"},
        {"{\"script\":\"kill -9 $$\"}", RUN_FAILED, "SCRIPT_ERROR", "SIGNAL_9",
         "script was killed by signal 9 (KILL)"},
        {"{\"script\":\"#!/no/such\\n\"}", RUN_FAILED, "SCRIPT_ERROR", "",
         "cannot execute \"/no/such\": No such file"},
        {"{\"script\":\"x\",\"workingDirectory\":\"/no/such\"}", RUN_FAILED, "SCRIPT_ERROR", "",
         "cannot change to the folder"},
        {"{\"script\":\"sleep 1000\",\"timeoutSeconds\":1}", RUN_TIMED_OUT, "TIMEOUT", "", "longer than 1 s"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trial t;
        trial_run(&t, "SCRIPT", cases[i].payload);
        trial_expect(&t, cases[i].status, cases[i].error_class, cases[i].code, cases[i].message);
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
    trial_expect(&t, RUN_SUCCEEDED, "", "", "");
    assert_int_equal(t.attempt.result.exit_code, 0);
    static const char *const lines[] = {
        "stdout ['$(id)', 'eu; rm -rf /'] \n", "stdout A=2 \n", "stdout CHRONOS_ATTEMPT=2 \n",
        "stdout CHRONOS_JOB_ID=01CRZ3NDEKTSV4RRFFQ69G5FAV \n", "stdout CHRONOS_JOB_NAME=trial \n",
        "stdout CHRONOS_PARAM_N=5 \n", "stdout CHRONOS_PARAM_REGION=eu; rm -rf / \n",
        "stdout CHRONOS_RUN_KEY=01BRZ3NDEKTSV4RRFFQ69G5FAV \n",
        "stdout CHRONOS_SCHEDULED_TIME=2001-09-09T01:46:40.000Z \n",
        "stdout LANG=C.UTF-8 \n", "stdout PATH=/usr/local/bin:/usr/bin:/bin \n", "stderr oops \n",
        "system script ended with exit code 0 {\"exitCode\":0,\"signal\":0,",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        trial_expect_log(&t, lines[i]);
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
        trial_expect(&t, RUN_SUCCEEDED, "", "", "");
        trial_expect_log(&t, cases[i].line);
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
    trial_expect(&t, RUN_CANCELLED, "CANCELLED", "", "by a user");
    trial_expect_log(&t, "stdout started \n");
    trial_release(&t);
}

static void much_output_arrives_line_by_line(void **state)
{
    (void)state;
    struct trial t;
    trial_run(&t, "SCRIPT", "{\"script\":\"seq 1 100000\"}");
    trial_expect(&t, RUN_SUCCEEDED, "", "", "");
    assert_int_equal(t.lines, 100001);
    trial_expect_log(&t, "stdout 1 \nstdout 2 \n");
    trial_expect_log(&t, "stdout 99999 \nstdout 100000 \nsystem ");
    trial_release(&t);
}

static void a_dead_spawner_fails_its_scripts_as_lost(void **state)
{
    (void)state;
    struct trial t;
    trial_init(&t, "SCRIPT", "{\"script\":\"echo started; sleep 1000\"}");
    trial_start(&t);
    assert_true(waker_wait(&t.logged, duration_s(PATIENCE_S)));
    assert_int_equal(kill(processes_spawner(trial_env.processes), SIGKILL), 0);
    trial_await(&t);
    trial_expect(&t, RUN_FAILED, "LOST", "", "ended unexpectedly");
    trial_release(&t);
    trial_run(&t, "SCRIPT", "{\"script\":\"exit 0\"}");
    trial_expect(&t, RUN_SUCCEEDED, "", "", "");
    trial_release(&t);
}

static void switched_off_scripts_say_so(void **state)
{
    (void)state;
    struct trial t;
    trial_env.scripts_enabled = false;
    trial_run(&t, "SCRIPT", "{\"script\":\"exit 0\"}");
    trial_env.scripts_enabled = true;
    trial_expect(&t, RUN_FAILED, "SCRIPT_ERROR", "", "scripts are switched off on this server");
    trial_release(&t);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--spawner") == 0)
        return spawner_main(SPAWNER_FD);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scripts_end_as_their_exit_code_says),
        cmocka_unit_test(a_script_gets_its_arguments_and_environment),
        cmocka_unit_test(interpreters_are_chosen_in_order),
        cmocka_unit_test(output_comes_while_the_script_runs),
        cmocka_unit_test(much_output_arrives_line_by_line),
        cmocka_unit_test(a_dead_spawner_fails_its_scripts_as_lost),
        cmocka_unit_test(switched_off_scripts_say_so),
    };
    return cmocka_run_group_tests(tests, trial_world_open, trial_world_close);
}
