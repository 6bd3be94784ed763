// SPDX-License-Identifier: Apache-2.0
// Every state of a run and every change of a job has a type name of its own.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/outbox.h"
#include "model/run.h"

static void every_state_of_a_run_has_a_type(void **state)
{
    (void)state;
    for (int i = RUN_QUEUED; i <= RUN_MISSED; i++) {
        struct outbox_event e = {.of = OUTBOX_RUN, .what = i};
        const char *type = outbox_event_type(&e);
        assert_int_equal(strncmp(type, "io.chronos.run.", 15), 0);
        assert_string_equal(type + strlen(type) - 3, ".v1");
    }
}

static void every_change_of_a_job_has_a_type(void **state)
{
    (void)state;
    for (int i = OUTBOX_JOB_CREATED; i <= OUTBOX_JOB_DELETED; i++) {
        struct outbox_event e = {.of = OUTBOX_JOB, .what = i};
        assert_int_equal(strncmp(outbox_event_type(&e), "io.chronos.job.", 15), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_of_a_run_has_a_type),
        cmocka_unit_test(every_change_of_a_job_has_a_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
