// SPDX-License-Identifier: Apache-2.0
// Jobs: what a valid one looks like, every rule that refuses one, and decode∘encode = identity.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/job.h"

static bool decode(const char *text, struct job *j, struct arena *a, struct faults *f)
{
    json_t *doc CLEANUP_JSON = NULL;
    struct err err = {0};
    assert_true(json_parse(str_of(text), &doc, &err));
    faults_init(f, a);
    bool ok = field_decode(&job_fields, doc, FIELD_DECODE_STRICT, STR(""), j, a, f);
    if (ok)
        job_check(j, f);
    return !faults_any(f);
}

static const char full[] =
    "{\"name\":\"nightly-export\",\"type\":\"HTTP\",\"priority\":\"HIGH\",\"enabled\":true,\"tags\":["
    "\"billing\"],"
    "\"schedule\":{\"scheduleType\":\"CRON\",\"cronExpression\":\"0 30 2 * * "
    "?\",\"timezone\":\"Europe/Berlin\","
    "\"misfirePolicy\":\"FIRE_NOW\"},\"payload\":{\"type\":\"HTTP\",\"httpUrl\":\"https://api.example.com/"
    "\"},"
    "\"retryPolicy\":{\"maxAttempts\":3,\"backoffStrategy\":\"EXPONENTIAL\",\"backoffSeconds\":60,"
    "\"retryOn\":[\"HTTP_5XX\",\"TIMEOUT\"]},\"timeoutSeconds\":300,\"concurrencyPolicy\":\"FORBID\"}";

static void the_documented_job_is_taken_as_written(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    struct job j;
    struct faults f;
    assert_true(decode(full, &j, &a, &f));
    assert_true(str_is(j.name, "nightly-export"));
    assert_int_equal(j.priority, PRIORITY_HIGH);
    assert_int_equal(j.schedule.kind, SCHEDULE_CRON);
    assert_int_equal(j.retry_policy.max_attempts, 3);
    assert_int_equal(j.retry_policy.max_backoff_seconds, RETRY_BACKOFF_CAP_S);
    assert_int_equal(j.concurrency_policy, CONCURRENCY_FORBID);
    arena_release(&a);
}

static void the_stored_text_decodes_to_the_same_job(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    struct job j, back;
    struct faults f;
    assert_true(decode(full, &j, &a, &f));
    j.version = 7;
    j.created_at = instant_s(1000);
    struct sbuf once, twice;
    sbuf_init(&once, &a, 65536);
    sbuf_init(&twice, &a, 65536);
    field_encode(&job_fields, &j, FIELD_ENCODE_STORED, &once);
    json_t *doc CLEANUP_JSON = NULL;
    struct err err = {0};
    assert_true(json_parse(sbuf_str(&once), &doc, &err));
    assert_true(field_decode(&job_fields, doc, FIELD_DECODE_STORED, STR(""), &back, &a, &f));
    field_encode(&job_fields, &back, FIELD_ENCODE_STORED, &twice);
    assert_string_equal(once.p, twice.p);
    assert_int_equal(back.version, 7);
    arena_release(&a);
}

static void each_broken_rule_names_its_field(void **state)
{
    (void)state;
    static const struct {
        const char *json, *pointer;
    } rows[] = {
        {"{\"type\":\"DUMMY\",\"schedule\":{\"scheduleType\":\"MANUAL\"}}", "/name"},
        {"{\"name\":\"  \",\"type\":\"DUMMY\",\"schedule\":{\"scheduleType\":\"MANUAL\"}}", "/name"},
        {"{\"name\":\"a\",\"type\":\"DUMMY\"}", "/schedule"},
        {"{\"name\":\"a\",\"type\":\"DUMMY\",\"schedule\":{}}", "/schedule/scheduleType"},
        {"{\"name\":\"a\",\"type\":\"DUMMY\",\"schedule\":{\"scheduleType\":\"ONCE\"}}", "/schedule/runAt"},
        {"{\"name\":\"a\",\"type\":\"DUMMY\",\"schedule\":{\"scheduleType\":\"CRON\"}}",
         "/schedule/cronExpression"},
        {"{\"name\":\"a\",\"type\":\"DUMMY\",\"schedule\":{\"scheduleType\":\"INTERVAL\"}}",
         "/schedule/intervalSeconds"},
        {"{\"name\":\"a\",\"type\":\"DUMMY\",\"schedule\":{\"scheduleType\":\"INTERVAL\",\"intervalSeconds\":"
         "1,"
         "\"intervalMs\":1}}",
         "/schedule/intervalMs"},
        {"{\"name\":\"a\",\"type\":\"DUMMY\",\"schedule\":{\"scheduleType\":\"MANUAL\",\"runAt\":"
         "\"2030-01-01T00:00:00Z\"}}",
         "/schedule/runAt"},
        {"{\"name\":\"a\",\"type\":\"DUMMY\",\"schedule\":{\"scheduleType\":\"MANUAL\",\"startAt\":"
         "\"2030-01-02T00:00:00Z\",\"endAt\":\"2030-01-01T00:00:00Z\"}}",
         "/schedule/endAt"},
        {"{\"name\":\"a\",\"type\":\"DUMMY\",\"schedule\":{\"scheduleType\":\"MANUAL\",\"anchor\":\"END\"}}",
         "/schedule/anchor"},
        {"{\"name\":\"a\",\"type\":\"DUMMY\",\"schedule\":{\"scheduleType\":\"MANUAL\"},\"retryPolicy\":"
         "{\"maxAttempts\":101}}",
         "/retryPolicy/maxAttempts"},
        {"{\"name\":\"a\",\"type\":\"DUMMY\",\"schedule\":{\"scheduleType\":\"MANUAL\"},\"retryPolicy\":"
         "{\"backoffStrategy\":\"EXPONENTIAL\",\"backoffSeconds\":60,\"maxBackoffSeconds\":5}}",
         "/retryPolicy/maxBackoffSeconds"},
        {"{\"name\":\"a\",\"type\":\"DUMMY\",\"schedule\":{\"scheduleType\":\"MANUAL\"},\"tags\":[\"x\",\"\"]"
         "}",
         "/tags/1"},
        {"{\"name\":\"a\",\"type\":\"DUMMY\",\"schedule\":{\"scheduleType\":\"MANUAL\"},\"colour\":1}",
         "/colour"},
        {"{\"name\":\"a\",\"type\":\"DUMMY\",\"schedule\":{\"scheduleType\":\"MANUAL\"},\"ownerId\":"
         "\"01ARZ3NDEKTSV4RRFFQ69G5FAV\"}",
         "/ownerId"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena a;
        arena_init(&a, 1 << 20);
        struct job j;
        struct faults f;
        assert_false(decode(rows[i].json, &j, &a, &f));
        bool found = false;
        for (size_t k = 0; k < f.n; k++)
            found |= str_is(f.v[k].pointer, rows[i].pointer);
        if (!found)
            fail_msg("row %zu: no fault at %s, first is at %.*s", i, rows[i].pointer,
                     STR_ARG(f.v[0].pointer));
        arena_release(&a);
    }
}

static void retry_words_cover_classes_parents_and_codes(void **state)
{
    (void)state;
    static const struct {
        const char *word, *error_class, *code;
        bool covers;
    } rows[] = {
        {"TIMEOUT", "TIMEOUT", "", true},
        {"timeout", "TIMEOUT", "", true},
        {"NETWORK_ERROR", "TIMEOUT", "", true},
        {"NETWORK_ERROR", "CONNECTION_ERROR", "", true},
        {"NETWORK_ERROR", "HTTP_5XX", "503", false},
        {"5XX", "HTTP_5XX", "502", true},
        {"503", "HTTP_5XX", "503", true},
        {"503", "HTTP_5XX", "502", false},
        {"EXIT_75", "SCRIPT_ERROR", "EXIT_75", true},
        {"EXIT_75", "SCRIPT_ERROR", "EXIT_1", false},
        {"EXIT_7", "SCRIPT_ERROR", "EXIT_75", false},
        {"5XX", "HTTP_4XX", "404", false},
        {"4xx", "HTTP_4XX", "404", true},
        {"4XX", "HTTP_5XX", "503", false},
        {"HTTP_5XX", "HTTP_5XX", "500", true},
        {"50", "HTTP_5XX", "503", false},
        {"network_error", "connection_error", "", false}, // classes are ours: capitals
        {"NETWORK_ERROR", "LOST", "", false},
        {"CONNECTION_ERROR", "TIMEOUT", "", false},
        {"CONNECTION_ERROR", "NETWORK_ERROR", "", false}, // a child does not cover its parent
        {"TLS_ERROR", "CONNECTION_ERROR", "TLS_ERROR", true},
        {"40001", "DATABASE_ERROR", "40001", true},
        {"40P01", "DATABASE_ERROR", "40001", false},
        {"LOST", "LOST", "", true},
        {"HTTP_5XX", "CIRCUIT_OPEN", "", true}, // nothing was tried
        {"GREMLINS", "SCRIPT_ERROR", "GREMLINS", true}, // an exact code, known or not
        {"GREMLINS", "SCRIPT_ERROR", "", false},
        {"", "SCRIPT_ERROR", "", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct str word = str_of(rows[i].word);
        struct retry_policy p = {.retry_on = {&word, 1}};
        assert_int_equal(retry_policy_covers(&p, str_of(rows[i].error_class), str_of(rows[i].code)),
                         rows[i].covers);
    }
    struct retry_policy any = {0};
    assert_true(retry_policy_covers(&any, STR("LOST"), STR_NONE));
    assert_true(retry_word_known(STR("EXIT_75")));
    assert_true(retry_word_known(STR("503")));
    assert_false(retry_word_known(STR("EXIT_X")));
    assert_false(retry_word_known(STR("GREMLINS")));
    static const char *const known[] = {"timeout", "NETWORK_ERROR", "5xx", "4XX", "40001", "57P01", "EXIT_0", "0",
                                        "TLS_ERROR", "REPORT_ERROR", "SECRET_ERROR", "CIRCUIT_OPEN"};
    static const char *const unknown[] = {"", "-1", "5X", "EXIT_", "EXIT_-1", "HELLO", "40p01", "400011P", "TIMEOUTS"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        assert_true(retry_word_known(str_of(known[i])));
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        assert_false(retry_word_known(str_of(unknown[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_documented_job_is_taken_as_written),
        cmocka_unit_test(the_stored_text_decodes_to_the_same_job),
        cmocka_unit_test(each_broken_rule_names_its_field),
        cmocka_unit_test(retry_words_cover_classes_parents_and_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
