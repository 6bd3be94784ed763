// SPDX-License-Identifier: Apache-2.0
// Every kind of event is a CloudEvent with all that the standard requires, and has an id that stays.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "model/run.h"
#include "stream/cloud_event.h"

#define JOB "01JD00000000000000000000J1"
#define RUN "01JD00000000000000000000R1"

static struct ulid id(const char *text)
{
    struct ulid v;
    assert_true(ulid_parse(str_of(text), &v));
    return v;
}

static struct outbox_event event(int of, int what)
{
    return (struct outbox_event){.seq = 7,
                                 .of = of,
                                 .what = what,
                                 .at = instant_s(1800000000),
                                 .job_id = id(JOB),
                                 .run_id = of == OUTBOX_RUN ? id(RUN) : ULID_ZERO,
                                 .job_version = 3,
                                 .attempt = 2,
                                 .scheduled = INSTANT_NEVER,
                                 .start = INSTANT_NEVER,
                                 .end = INSTANT_NEVER,
                                 .exit_code = FIELD_ABSENT};
}

// The document of an event, checked for what CloudEvents 1.0 requires of every one.
static json_t *document(const struct outbox_event *e)
{
    static const char *const required[] = {"specversion", "id", "source", "type"};
    struct sbuf out;
    struct err err = {0};
    json_t *v = NULL;
    sbuf_init(&out, NULL, CLOUD_EVENT_MAX);
    cloud_event_write(e, STR("/chronos/a \"name\""), &out);
    assert_true(sbuf_ok(&out));
    if (!json_parse(sbuf_str(&out), &v, &err))
        fail_msg("%s in %s", err.text, out.p);
    for (size_t i = 0; i < sizeof required / sizeof required[0]; i++)
        assert_true(json_str(json_object_get(v, required[i])).n > 0);
    struct instant t;
    assert_true(instant_parse(json_str(json_object_get(v, "time")), &t, &err));
    assert_int_equal(t.us, e->at.us);
    assert_string_equal(json_string_value(json_object_get(v, "specversion")), "1.0");
    assert_string_equal(json_string_value(json_object_get(v, "source")), "/chronos/a \"name\"");
    assert_string_equal(json_string_value(json_object_get(v, "datacontenttype")), "application/json");
    assert_string_equal(json_string_value(json_object_get(json_object_get(v, "data"), "jobId")), JOB);
    sbuf_release(&out);
    return v;
}

static const char *text(const json_t *v, const char *name) { return json_string_value(json_object_get(v, name)); }

static void every_state_of_a_run_is_an_event(void **state)
{
    (void)state;
    for (int what = RUN_QUEUED; what <= RUN_MISSED; what++) {
        struct outbox_event e = event(OUTBOX_RUN, what);
        CLEANUP_JSON json_t *v = document(&e);
        char expected[64];
        snprintf(expected, sizeof expected, RUN ".%s", run_status_names[what]);
        assert_string_equal(text(v, "id"), expected);
        assert_string_equal(text(v, "subject"), "job/" JOB "/run/" RUN);
        assert_string_equal(text(json_object_get(v, "data"), "status"), run_status_names[what]);
        assert_null(json_object_get(json_object_get(v, "data"), "startTime"));
    }
}

static void every_change_of_a_job_is_an_event(void **state)
{
    static const char *const ids[] = {JOB ".3.created", JOB ".3.updated", JOB ".3.stateChanged", JOB ".3.deleted"};
    (void)state;
    for (int what = OUTBOX_JOB_CREATED; what <= OUTBOX_JOB_DELETED; what++) {
        struct outbox_event e = event(OUTBOX_JOB, what);
        CLEANUP_JSON json_t *v = document(&e);
        assert_string_equal(text(v, "id"), ids[what]);
        assert_string_equal(text(v, "subject"), "job/" JOB);
        assert_int_equal(json_integer_value(json_object_get(json_object_get(v, "data"), "version")), 3);
        assert_null(json_object_get(json_object_get(v, "data"), "runId"));
    }
}

static void an_ended_run_tells_how(void **state)
{
    (void)state;
    struct outbox_event e = event(OUTBOX_RUN, RUN_FAILED);
    e.run_key = id(RUN);
    e.scheduled = instant_s(1800000000);
    e.start = instant_s(1800000001);
    e.end = instant_s(1800000003);
    e.exit_code = 503;
    e.worker = STR("n1");
    e.error_class = STR("HTTP_5XX");
    e.error_message = STR("it said \"no\"\n");
    CLEANUP_JSON json_t *v = document(&e);
    const json_t *data = json_object_get(v, "data");
    assert_string_equal(text(v, "type"), "io.chronos.run.failed.v1");
    assert_string_equal(text(data, "outcome"), "FAILURE");
    assert_string_equal(text(data, "errorMessage"), "it said \"no\"\n");
    assert_string_equal(text(data, "errorClass"), "HTTP_5XX");
    assert_string_equal(text(data, "workerId"), "n1");
    assert_string_equal(text(data, "runKey"), RUN);
    assert_int_equal(json_integer_value(json_object_get(data, "exitCode")), 503);
    assert_int_equal(json_integer_value(json_object_get(data, "durationMs")), 2000);
    assert_int_equal(json_integer_value(json_object_get(data, "attempt")), 2);
}

static void the_same_change_has_the_same_id_under_another_number(void **state)
{
    (void)state;
    struct outbox_event e = event(OUTBOX_RUN, RUN_SUCCEEDED), again = e;
    again.seq = 8;
    again.at = instant_s(1800000009);
    CLEANUP_JSON json_t *v = document(&e), *w = document(&again);
    assert_string_equal(text(v, "id"), text(w, "id"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_of_a_run_is_an_event),
        cmocka_unit_test(every_change_of_a_job_is_an_event),
        cmocka_unit_test(an_ended_run_tells_how),
        cmocka_unit_test(the_same_change_has_the_same_id_under_another_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
