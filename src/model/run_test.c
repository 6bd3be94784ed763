// SPDX-License-Identifier: Apache-2.0
// Runs: identity, legal moves, and the status of a job that follows from its newest run.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/plan.h"
#include "model/run.h"

static void an_occurrence_has_one_key_and_each_attempt_its_own_id(void **state)
{
    (void)state;
    struct ulid job = {{1}}, other = {{2}};
    struct instant t = instant_s(1700000000), later = instant_s(1700000001);
    assert_true(ulid_eq(run_key_of(job, t), run_key_of(job, t)));
    assert_false(ulid_eq(run_key_of(job, t), run_key_of(other, t)));
    assert_false(ulid_eq(run_key_of(job, t), run_key_of(job, later)));
    struct ulid key = run_key_of(job, t);
    assert_true(ulid_eq(run_id_of(job, t, key, 1), run_id_of(job, t, key, 1)));
    assert_false(ulid_eq(run_id_of(job, t, key, 1), run_id_of(job, t, key, 2)));
    assert_int_equal(ulid_time(run_id_of(job, t, key, 2)).us, t.us);
}

static void runs_of_one_instant_stand_as_their_jobs_do(void **state)
{
    (void)state;
    struct instant t = instant_s(1700000000), created = instant_s(1690000000);
    struct rng rng;
    rng_init(&rng, 1);
    enum { STEP_MS = 64, JOBS = 1000 };
    struct ulid before = ULID_ZERO;
    for (int i = 0; i < JOBS; i++) {
        struct ulid job = ulid_new(instant_add(created, duration_ms(i * STEP_MS)), &rng);
        struct ulid id = run_id_of(job, t, run_key_of(job, t), 1);
        assert_true(ulid_cmp(before, id) < 0);
        before = id;
    }
}

static void the_identity_of_a_run_never_changes_between_versions(void **state)
{
    (void)state;
    char text[ULID_TEXT_MAX];
    struct ulid job;
    assert_true(ulid_parse(STR("01ARZ3NDEKTSV4RRFFQ69G5FAV"), &job));
    struct instant t = instant_s(1700000000);
    assert_string_equal(ulid_format(run_id_of(job, t, run_key_of(job, t), 1), text), "01HF7YAT00XBBKBWPCFZ2PXM9X");
}

static void final_states_have_no_way_out(void **state)
{
    (void)state;
    for (int from = RUN_QUEUED; from <= RUN_MISSED; from++) {
        int ways = 0;
        for (int to = RUN_QUEUED; to <= RUN_MISSED; to++) {
            ways += run_may_move(from, to);
            assert_false(run_may_move(from, from));
        }
        assert_int_equal(ways > 0, !run_status_final(from));
    }
    assert_true(run_may_move(RUN_QUEUED, RUN_RUNNING));
    assert_false(run_may_move(RUN_QUEUED, RUN_SUCCEEDED));
    assert_true(run_may_move(RUN_RUNNING, RUN_LOST));
    assert_false(run_may_move(RUN_RUNNING, RUN_QUEUED));
}

static void derived_times_are_never_negative(void **state)
{
    (void)state;
    struct run r = {.status = RUN_SUCCEEDED, .due = instant_s(10), .start = instant_s(9), .end = instant_s(8)};
    run_derive(&r);
    assert_int_equal(r.duration_ms, 0);
    assert_int_equal(r.start_delay_ms, 0);
    assert_int_equal(r.outcome, OUTCOME_SUCCESS);
    r = (struct run){.status = RUN_RUNNING, .due = instant_s(10), .start = instant_s(11), .end = INSTANT_NEVER};
    run_derive(&r);
    assert_int_equal(r.start_delay_ms, 1000);
    assert_true(r.duration_ms == FIELD_ABSENT);
    assert_int_equal(r.outcome, -1);
}

static void a_jobs_status_follows_from_plan_and_newest_run(void **state)
{
    (void)state;
    const struct instant soon = instant_s(5), never = INSTANT_NEVER;
    static const int none = -1;
    const struct { int state; bool enabled; struct instant next; int last, status; } rows[] = {
        {JOB_STATE_ACTIVE, true, soon, none, JOB_SCHEDULED},
        {JOB_STATE_ACTIVE, true, never, none, JOB_PENDING},
        {JOB_STATE_ACTIVE, true, soon, RUN_FAILED, JOB_SCHEDULED},
        {JOB_STATE_ACTIVE, true, never, RUN_FAILED, JOB_FAILED},
        {JOB_STATE_ACTIVE, true, never, RUN_SUCCEEDED, JOB_SUCCEEDED},
        {JOB_STATE_ACTIVE, true, never, RUN_CANCELLED, JOB_CANCELLED},
        {JOB_STATE_ACTIVE, true, never, RUN_QUEUED, JOB_SCHEDULED},
        {JOB_STATE_PAUSED, true, soon, RUN_RUNNING, JOB_RUNNING},
        {JOB_STATE_PAUSED, true, soon, RUN_SUCCEEDED, JOB_PAUSED},
        {JOB_STATE_ACTIVE, false, soon, RUN_SUCCEEDED, JOB_PAUSED},
        {JOB_STATE_CANCELLED, true, soon, RUN_SUCCEEDED, JOB_CANCELLED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct plan p = {.state = rows[i].state, .enabled = rows[i].enabled, .next_fire = rows[i].next};
        struct run last = {.status = rows[i].last};
        assert_int_equal(job_status_of(&p, rows[i].last == none ? NULL : &last), rows[i].status);
    }
}

static void packed_options_come_back_as_they_were(void **state)
{
    (void)state;
    for (int kind = 0; kind <= SCHEDULE_MANUAL; kind++)
        for (int misfire = 0; misfire <= MISFIRE_IGNORE; misfire++)
            for (int dialect = 0; dialect <= DIALECT_SPRING; dialect++) {
                struct plan p = {.priority = kind % 4, .concurrency = misfire}, back = {0};
                p.schedule = (struct schedule_spec){.kind = kind, .misfire_policy = misfire, .dialect = dialect,
                                                    .dst_gap = dialect % 3, .dst_overlap = misfire % 3,
                                                    .day_match = kind % 3, .anchor = dialect % 2};
                plan_options_unpack(plan_options_pack(&p), &back);
                assert_memory_equal(&p, &back, sizeof p);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_occurrence_has_one_key_and_each_attempt_its_own_id),
        cmocka_unit_test(runs_of_one_instant_stand_as_their_jobs_do),
        cmocka_unit_test(the_identity_of_a_run_never_changes_between_versions),
        cmocka_unit_test(final_states_have_no_way_out),
        cmocka_unit_test(derived_times_are_never_negative),
        cmocka_unit_test(a_jobs_status_follows_from_plan_and_newest_run),
        cmocka_unit_test(packed_options_come_back_as_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
