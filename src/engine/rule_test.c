// SPDX-License-Identifier: Apache-2.0
// Interned schedules.
#include "../tests/sim/bench.h"
#include "engine/rule.h"

struct pair {
    struct zones *zones;
    struct rules rules;
    struct plan a, b;
    struct duration phase_a, phase_b; // of the last shared()
};

static int setup(void **state)
{
    struct pair *p = test_calloc(1, sizeof *p);
    struct job j;
    field_defaults(&job_fields, &j);
    p->zones = zones_new(NULL);
    rules_init(&p->rules, p->zones);
    j.schedule.kind = SCHEDULE_CRON;
    j.schedule.cron_expression = STR("0 2 * * *");
    j.created_at = bench_at(0);
    j.id.b[0] = 1;
    plan_of_job(&j, &p->a);
    j.id.b[0] = 2;
    plan_of_job(&j, &p->b);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct pair *p = *state;
    rules_release(&p->rules);
    zones_free(p->zones);
    test_free(p);
    return 0;
}

// Whether both plans get one rule.
static bool shared(struct pair *p)
{
    struct rule *x, *y;
    struct err err = {0};
    assert_true(rules_take(&p->rules, &p->a, &x, &p->phase_a, &err));
    assert_true(rules_take(&p->rules, &p->b, &y, &p->phase_b, &err));
    bool same = x == y;
    rules_put(&p->rules, x);
    rules_put(&p->rules, y);
    assert_int_equal(p->rules.by_key.n, 0);
    return same;
}

static void equal_schedules_share_one_rule_and_the_last_user_frees_it(void **state)
{
    assert_true(shared(*state));
}

static void another_expression_or_policy_is_another_rule(void **state)
{
    struct pair *p = *state;
    p->b.schedule.misfire_policy = MISFIRE_IGNORE;
    assert_false(shared(p));
    p->b.schedule = p->a.schedule;
    p->b.schedule.cron_expression = STR("0 3 * * *");
    assert_false(shared(p));
}

static void all_one_off_jobs_share_one_rule(void **state)
{
    struct pair *p = *state;
    p->a.schedule.kind = p->b.schedule.kind = SCHEDULE_ONCE;
    p->a.schedule.run_at = bench_at(10);
    p->b.schedule.run_at = bench_at(20);
    assert_true(shared(p));
}

static void intervals_on_grids_of_their_own_share_one_rule_and_differ_by_phase(void **state)
{
    struct pair *p = *state;
    p->a.schedule.kind = p->b.schedule.kind = SCHEDULE_INTERVAL;
    p->a.schedule.interval_seconds = p->b.schedule.interval_seconds = 60;
    p->a.anchor_at = bench_at(7);
    p->b.anchor_at = bench_at(1000.5);
    assert_true(shared(p));
    assert_int_equal(p->phase_a.us, bench_at(7).us % duration_s(60).us);
    assert_int_equal(p->phase_b.us, bench_at(1000.5).us % duration_s(60).us);
    p->b.schedule.end_at = bench_at(100000);
    assert_false(shared(p)); // its bound is an instant of its own grid
}

static void the_grid_is_the_same_with_and_without_sharing(void **state)
{
    struct pair *p = *state;
    CLEANUP(arena_release) struct arena a;
    struct rule *r;
    struct duration phase;
    struct misfire_decision d;
    struct err err = {0};
    arena_init(&a, 1 << 20);
    p->a.schedule.kind = SCHEDULE_INTERVAL;
    p->a.schedule.interval_seconds = 77;
    p->a.anchor_at = bench_at(13.25);
    assert_true(rules_take(&p->rules, &p->a, &r, &phase, &err));
    assert_true(rule_decide(r, phase, 1, bench_at(13.25 + 77), bench_at(13.25 + 77 * 4 + 1), &d, &a, &err));
    assert_int_equal(d.next.us, bench_at(13.25 + 77 * 5).us);
    assert_int_equal(d.run[d.run_n - 1].us, bench_at(13.25 + 77 * 4).us);
    assert_int_equal(d.dropped_first.us, bench_at(13.25 + 77).us);
    rules_put(&p->rules, r);
}

static void a_schedule_that_cannot_be_read_is_an_error(void **state)
{
    struct pair *p = *state;
    struct rule *r = NULL;
    struct duration phase;
    struct err err = {0};
    p->a.schedule.cron_expression = STR("not a cron");
    assert_false(rules_take(&p->rules, &p->a, &r, &phase, &err));
    assert_null(r);
    assert_int_equal(err.code, ERR_INVALID);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(equal_schedules_share_one_rule_and_the_last_user_frees_it),
        TEST(another_expression_or_policy_is_another_rule),
        TEST(all_one_off_jobs_share_one_rule),
        TEST(intervals_on_grids_of_their_own_share_one_rule_and_differ_by_phase),
        TEST(the_grid_is_the_same_with_and_without_sharing),
        TEST(a_schedule_that_cannot_be_read_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
