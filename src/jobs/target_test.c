// SPDX-License-Identifier: Apache-2.0
// Names of targets, and what each class of failure says about one.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "jobs/target.h"

enum { ARENA_BUDGET = 4096 };

static void names_hold_no_user_and_no_capitals(void **state)
{
    (void)state;
    static const struct {
        const char *given, *clean;
    } cases[] = {{"http://Host:80", "http://host:80"},
                 {"postgresql://ada:p@ss@db:5432", "postgresql://db:5432"},
                 {"kafka://a:9092,b:9092", "kafka://a:9092,b:9092"},
                 {"smtp", "smtp"},
                 {"ada:secret@host", "host"},
                 {"http://", "http://"},
                 {"", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena a;
        arena_init(&a, ARENA_BUDGET);
        struct str clean = target_clean(str_of(cases[i].given), &a);
        assert_true(str_is(clean, cases[i].clean));
        arena_release(&a);
    }
}

static void results_say(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *error_class;
        enum breaker_verdict verdict;
    } cases[] = {
        {RUN_SUCCEEDED, "", VERDICT_ANSWER},
        {RUN_CANCELLED, "CANCELLED", VERDICT_NONE},
        {RUN_TIMED_OUT, "TIMEOUT", VERDICT_FAULT},
        {RUN_FAILED, "CONNECTION_ERROR", VERDICT_DOWN},
        {RUN_FAILED, "HTTP_5XX", VERDICT_FAULT},
        {RUN_FAILED, "HTTP_4XX", VERDICT_ANSWER},
        {RUN_FAILED, "DATABASE_ERROR", VERDICT_ANSWER},
        {RUN_FAILED, "EMAIL_ERROR", VERDICT_ANSWER},
        {RUN_FAILED, "EGRESS_DENIED", VERDICT_NONE},
        {RUN_FAILED, "DEFINITION_ERROR", VERDICT_NONE},
        {RUN_FAILED, "SCRIPT_ERROR", VERDICT_NONE},
        {RUN_FAILED, "CIRCUIT_OPEN", VERDICT_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct attempt_result r = {.status = cases[i].status, .error_class = str_of(cases[i].error_class)};
        assert_int_equal(target_verdict(&r, false), cases[i].verdict);
    }
    struct attempt_result r = {.status = RUN_FAILED, .error_class = STR("KAFKA_ERROR")};
    assert_int_equal(target_verdict(&r, true), VERDICT_DOWN);
    r.status = RUN_TIMED_OUT;
    assert_int_equal(target_verdict(&r, true), VERDICT_DOWN);
    r.status = RUN_CANCELLED;
    assert_int_equal(target_verdict(&r, true), VERDICT_NONE);
}

static void every_class_of_a_type_is_a_word_of_retry_on(void **state)
{
    (void)state;
    for (size_t i = 0; job_types[i]; i++)
        for (const char *const *c = job_types[i]->failure_classes; c && *c; c++)
            if (!retry_word_known(str_of(*c)))
                fail_msg("%s of %s", *c, job_types[i]->name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_hold_no_user_and_no_capitals),
        cmocka_unit_test(results_say),
        cmocka_unit_test(every_class_of_a_type_is_a_word_of_retry_on),
    };
    return cmocka_run_group_tests_name("jobs/target", tests, NULL, NULL);
}
