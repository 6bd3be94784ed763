// SPDX-License-Identifier: Apache-2.0
// Decisions about the past: tables for each policy, then random questions counted by hand.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "sched/misfire.h"

static struct zones *zones;
static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    zones = zones_new(getenv("TZDIR"));
    arena_init(&arena, 64 * 1024 * 1024);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    zones_free(zones);
    arena_release(&arena);
    return 0;
}

static struct schedule *interval(int64_t seconds, int anchor, int64_t jitter)
{
    struct schedule_spec spec = {.kind = SCHEDULE_INTERVAL,
                                 .start_at = INSTANT_NEVER,
                                 .end_at = INSTANT_NEVER,
                                 .interval_ms = FIELD_ABSENT,
                                 .interval_seconds = seconds,
                                 .anchor = anchor,
                                 .jitter_seconds = jitter};
    struct schedule *s;
    struct err err;
    if (!schedule_compile(zones, &spec, instant_s(0), 0, &s, NULL, &err))
        fail_msg("%s", err.text);
    return s;
}

static struct schedule *cron(const char *expr)
{
    struct schedule_spec spec = {.kind = SCHEDULE_CRON,
                                 .start_at = INSTANT_NEVER,
                                 .end_at = INSTANT_NEVER,
                                 .cron_expression = str_of(expr)};
    struct schedule *s;
    struct err err;
    if (!schedule_compile(zones, &spec, instant_s(0), 0, &s, NULL, &err))
        fail_msg("%s", err.text);
    return s;
}

static struct misfire_question ask(const struct schedule *s, int64_t due, int64_t now,
                                   enum misfire_policy policy)
{
    return (struct misfire_question){.schedule = s,
                                     .due = instant_s(due),
                                     .now = instant_s(now),
                                     .policy = policy,
                                     .threshold = duration_s(60),
                                     .catch_up_max = SCHEDULE_CATCH_UP_DEFAULT};
}

static struct misfire_decision decide(const struct misfire_question *q)
{
    struct misfire_decision d;
    struct err err;
    arena_reset(&arena);
    if (!misfire_decide(q, &d, &arena, &err))
        fail_msg("%s", err.text);
    return d;
}

static int64_t s_of(struct instant t) { return t.us / US_PER_S; }

static void on_time_runs_and_nothing_is_dropped(void **state)
{
    (void)state;
    struct schedule *s = interval(600, ANCHOR_START, 0);
    struct misfire_question q = ask(s, 600, 600, MISFIRE_FIRE_NOW);
    struct misfire_decision d = decide(&q);
    assert_int_equal(d.run_n, 1);
    assert_int_equal(d.catch_up_n, 0);
    assert_int_equal(d.dropped_n, 0);
    assert_int_equal(d.fate, FATE_NONE);
    assert_int_equal(s_of(d.run[0]), 600);
    assert_int_equal(s_of(d.next), 1200);
    q.now = instant_s(599); // not yet
    d = decide(&q);
    assert_int_equal(d.run_n, 0);
    assert_int_equal(s_of(d.next), 600);
    schedule_unref(s);
}

static void the_threshold_itself_is_late_not_misfired(void **state)
{
    (void)state;
    struct schedule *s = interval(600, ANCHOR_START, 0);
    struct misfire_question q = ask(s, 600, 660, MISFIRE_RESCHEDULE);
    assert_int_equal(decide(&q).run_n, 1);
    q.now.us++;
    struct misfire_decision d = decide(&q);
    assert_int_equal(d.run_n, 0);
    assert_int_equal(d.fate, FATE_MISSED);
    assert_int_equal(d.dropped_n, 1);
    assert_int_equal(s_of(d.next), 1200);
    schedule_unref(s);
}

static void every_late_occurrence_runs(void **state)
{
    (void)state;
    struct schedule *s = interval(1, ANCHOR_START, 0);
    for (int policy = MISFIRE_FIRE_NOW; policy <= MISFIRE_IGNORE; policy++) {
        struct misfire_question q = ask(s, 100, 103, (enum misfire_policy)policy);
        struct misfire_decision d = decide(&q);
        assert_int_equal(d.run_n, 4); // 100, 101, 102, 103
        assert_int_equal(d.catch_up_n, 0);
        assert_int_equal(s_of(d.run[0]), 100);
        assert_int_equal(s_of(d.run[3]), 103);
        assert_int_equal(s_of(d.next), 104);
    }
    schedule_unref(s);
}

static void fire_now_runs_the_newest_missed_one(void **state)
{
    (void)state;
    struct schedule *s = interval(600, ANCHOR_START, 0);
    struct misfire_question q = ask(s, 600, 6100, MISFIRE_FIRE_NOW); // 600 … 6000 are misfired
    struct misfire_decision d = decide(&q);
    assert_int_equal(d.run_n, 1);
    assert_int_equal(d.catch_up_n, 1);
    assert_int_equal(s_of(d.run[0]), 6000);
    assert_int_equal(d.fate, FATE_COALESCED);
    assert_int_equal(d.dropped_n, 9);
    assert_int_equal(s_of(d.dropped_first), 600);
    assert_int_equal(s_of(d.dropped_last), 5400);
    assert_int_equal(s_of(d.next), 6600);
    q.now = instant_s(6030); // 6000 is only late: it runs beside the newest misfired one
    d = decide(&q);
    assert_int_equal(d.run_n, 2);
    assert_int_equal(d.catch_up_n, 1);
    assert_int_equal(s_of(d.run[0]), 5400);
    assert_int_equal(s_of(d.run[1]), 6000);
    assert_int_equal(d.dropped_n, 8);
    q = ask(s, 600, 700, MISFIRE_FIRE_NOW); // only one missed: nothing to coalesce
    d = decide(&q);
    assert_int_equal(d.run_n, 1);
    assert_int_equal(d.dropped_n, 0);
    assert_int_equal(d.fate, FATE_NONE);
    schedule_unref(s);
}

static void fire_all_runs_the_oldest_up_to_the_bound(void **state)
{
    (void)state;
    struct schedule *s = interval(600, ANCHOR_START, 0);
    struct misfire_question q = ask(s, 600, 6100, MISFIRE_FIRE_ALL);
    struct misfire_decision d = decide(&q);
    assert_int_equal(d.run_n, 10);
    assert_int_equal(d.dropped_n, 0);
    for (size_t i = 0; i < d.run_n; i++)
        assert_int_equal(s_of(d.run[i]), 600 * ((int64_t)i + 1));
    q.catch_up_max = 4;
    d = decide(&q);
    assert_int_equal(d.run_n, 4);
    assert_int_equal(s_of(d.run[3]), 2400);
    assert_int_equal(d.fate, FATE_MISSED);
    assert_int_equal(d.dropped_n, 6);
    assert_int_equal(s_of(d.dropped_first), 3000);
    assert_int_equal(s_of(d.dropped_last), 6000);
    assert_int_equal(s_of(d.next), 6600);
    schedule_unref(s);
}

static void millions_of_missed_ones_cost_no_time(void **state)
{
    (void)state;
    struct schedule *s = interval(1, ANCHOR_START, 0);
    struct misfire_question q = ask(s, 1, 1000000000, MISFIRE_FIRE_NOW);
    struct misfire_decision d = decide(&q);
    assert_int_equal(d.dropped_n, 1000000000 - 61 - 1); // up to 999,999,939 misfired, the newest of them runs
    assert_false(d.dropped_estimated);
    assert_int_equal(d.run_n, 1 + 61);
    schedule_unref(s);
    s = cron("* * * * * ?");
    q = ask(s, 1, 1000000000, MISFIRE_RESCHEDULE);
    d = decide(&q);
    assert_true(d.dropped_estimated);
    assert_in_range(d.dropped_n, 990000000, 1010000000);
    assert_int_equal(s_of(d.dropped_last), 999999939);
    schedule_unref(s);
    s = cron("* * * * ?");
    q = ask(s, 60, 60 * 7200, MISFIRE_IGNORE);
    d = decide(&q);
    assert_false(d.dropped_estimated);
    assert_int_equal(d.dropped_n, 7198);
    assert_int_equal(d.run_n, 2); // 60 s late is late
    schedule_unref(s);
}

static void more_late_ones_than_a_decision_holds_are_asked_for_again(void **state)
{
    (void)state;
    struct schedule_spec spec = {.kind = SCHEDULE_INTERVAL,
                                 .start_at = INSTANT_NEVER,
                                 .end_at = INSTANT_NEVER,
                                 .interval_ms = 1,
                                 .interval_seconds = FIELD_ABSENT};
    struct schedule *s;
    struct err err;
    assert_true(schedule_compile(zones, &spec, instant_s(0), 0, &s, NULL, &err));
    struct misfire_question q = ask(s, 10, 13, MISFIRE_FIRE_NOW);
    struct misfire_decision d = decide(&q);
    assert_int_equal(d.run_n, MISFIRE_LATE_MAX);
    assert_int_equal(d.next.us, 11 * US_PER_S);
    q.due = d.next;
    d = decide(&q);
    assert_int_equal(d.run[0].us, 11 * US_PER_S);
    schedule_unref(s);
}

static void fixed_delay_has_one_occurrence_at_a_time(void **state)
{
    (void)state;
    struct schedule *s = interval(60, ANCHOR_END, 0);
    struct misfire_question q = ask(s, 60, 6000, MISFIRE_FIRE_ALL);
    struct misfire_decision d = decide(&q);
    assert_int_equal(d.run_n, 1);
    assert_true(instant_is_never(d.next)); // known when the run has ended
    q.policy = MISFIRE_RESCHEDULE;
    d = decide(&q);
    assert_int_equal(d.run_n, 0);
    assert_int_equal(d.dropped_n, 1);
    assert_int_equal(s_of(d.next), 6060);
    schedule_unref(s);
}

static void an_occurrence_of_an_older_schedule_keeps_its_identity(void **state)
{
    (void)state;
    struct schedule *s = interval(600, ANCHOR_START, 0);
    struct misfire_question q = ask(s, 777, 2000, MISFIRE_FIRE_ALL); // 777 is on no grid point
    struct misfire_decision d = decide(&q);
    assert_int_equal(d.run_n, 3);
    assert_int_equal(s_of(d.run[0]), 777);
    assert_int_equal(s_of(d.run[1]), 1200);
    assert_int_equal(s_of(d.run[2]), 1800);
    schedule_unref(s);
}

static void jitter_is_no_lateness(void **state)
{
    (void)state;
    struct schedule *s = interval(3600, ANCHOR_START, 1800);
    struct misfire_question q = ask(s, 3600, 3600, MISFIRE_RESCHEDULE);
    q.seed = 5;
    struct instant due = schedule_due(s, q.seed, q.due);
    assert_true(due.us > instant_s(3661).us); // the seed gives more than the threshold
    q.now.us = due.us - 1;
    struct misfire_decision d = decide(&q);
    assert_int_equal(d.run_n + (size_t)d.dropped_n, 0);
    assert_int_equal(s_of(d.next), 3600);
    q.now = due;
    assert_int_equal(decide(&q).run_n, 1);
    q.now.us = due.us + 60 * US_PER_S + 1;
    assert_int_equal(decide(&q).dropped_n, 1);
    schedule_unref(s);
}

// Whatever is asked: every occurrence from due to now is decided exactly once.
static void every_occurrence_is_decided_exactly_once(void **state)
{
    (void)state;
    struct rng rng;
    uint64_t seed = 20261123;
    rng_init(&rng, seed);
    print_message("# seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < 3000; i++) {
        struct schedule *s =
            rng_below(&rng, 2)
                ? interval(1 + (int64_t)rng_below(&rng, 200), ANCHOR_START, (int64_t)rng_below(&rng, 300))
                : cron(rng_below(&rng, 2) ? "*/3 1-5 * * *" : "20 */7 * * * ?");
        struct misfire_question q = {.schedule = s,
                                     .seed = rng_u64(&rng),
                                     .policy = (enum misfire_policy)rng_below(&rng, 4),
                                     .threshold = duration_s((int64_t)rng_below(&rng, 120)),
                                     .catch_up_max = 1 + (int64_t)rng_below(&rng, 20)};
        q.due = schedule_next(s, instant_s(86400 + (int64_t)rng_below(&rng, 86400)));
        q.now.us = q.due.us + (int64_t)rng_below(&rng, UINT64_C(10800000000));
        struct misfire_decision d = decide(&q);
        size_t misfired = 0, late = 0;
        for (struct instant t = q.due; t.us <= q.now.us; t = schedule_next(s, t)) {
            struct instant start = schedule_due(s, q.seed, t);
            if (start.us > q.now.us)
                break;
            if (q.now.us - start.us > q.threshold.us)
                misfired++;
            else
                late++;
        }
        if (late > MISFIRE_LATE_MAX)
            late = MISFIRE_LATE_MAX;
        assert_int_equal(d.run_n - d.catch_up_n, late);
        assert_int_equal((int64_t)d.catch_up_n + d.dropped_n, (int64_t)misfired);
        for (size_t k = 1; k < d.run_n; k++)
            assert_true(d.run[k - 1].us < d.run[k].us);
        assert_true(d.run_n == 0 || d.run[d.run_n - 1].us < d.next.us);
        schedule_unref(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_time_runs_and_nothing_is_dropped),
        cmocka_unit_test(the_threshold_itself_is_late_not_misfired),
        cmocka_unit_test(every_late_occurrence_runs),
        cmocka_unit_test(fire_now_runs_the_newest_missed_one),
        cmocka_unit_test(fire_all_runs_the_oldest_up_to_the_bound),
        cmocka_unit_test(millions_of_missed_ones_cost_no_time),
        cmocka_unit_test(more_late_ones_than_a_decision_holds_are_asked_for_again),
        cmocka_unit_test(fixed_delay_has_one_occurrence_at_a_time),
        cmocka_unit_test(an_occurrence_of_an_older_schedule_keeps_its_identity),
        cmocka_unit_test(jitter_is_no_lateness),
        cmocka_unit_test(every_occurrence_is_decided_exactly_once),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
