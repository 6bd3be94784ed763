// SPDX-License-Identifier: Apache-2.0
// Plans in memory: versions, wake-ups, size.
#include "../tests/sim/bench.h"
#include "engine/entry.h"

struct world {
    struct zones *zones;
    struct entries entries;
    struct plan plan;
};

static int setup(void **state)
{
    struct world *w = test_calloc(1, sizeof *w);
    struct job j;
    field_defaults(&job_fields, &j);
    j.id.b[0] = 1;
    j.version = 3;
    j.schedule.kind = SCHEDULE_INTERVAL;
    j.schedule.interval_seconds = 60;
    j.created_at = bench_at(0);
    w->zones = zones_new(NULL);
    entries_init(&w->entries, w->zones);
    plan_of_job(&j, &w->plan);
    w->plan.next_fire = bench_at(60);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    entries_release(&w->entries);
    zones_free(w->zones);
    test_free(w);
    return 0;
}

static struct entry *load(struct world *w)
{
    struct err err = {0};
    struct entry *e = entries_add(&w->entries, w->plan.job_id);
    assert_true(entry_load(&w->entries, e, &w->plan, &err));
    return e;
}

static void a_plan_is_small(void **state)
{
    (void)state;
    assert_true(sizeof(struct entry) <= 120); // a million of them
}

static void an_older_version_is_ignored(void **state)
{
    struct world *w = *state;
    struct entry *e = load(w);
    w->plan.version = 2;
    w->plan.next_fire = bench_at(30);
    (void)load(w);
    assert_int_equal(e->next_fire.us, bench_at(60).us);
    w->plan.version = 4;
    (void)load(w);
    assert_int_equal(e->next_fire.us, bench_at(30).us);
}

static void only_an_enabled_active_plan_wakes_the_engine(void **state)
{
    struct world *w = *state;
    assert_int_equal(entry_wake(load(w)).us, bench_at(60).us);
    w->plan.state = JOB_STATE_PAUSED;
    assert_true(instant_is_never(entry_wake(load(w))));
    w->plan.state = JOB_STATE_ACTIVE;
    w->plan.enabled = false;
    assert_true(instant_is_never(entry_wake(load(w))));
}

static void jitter_delays_the_wake_up_within_its_bound(void **state)
{
    struct world *w = *state;
    w->plan.schedule.jitter_seconds = 30;
    struct instant wake = entry_wake(load(w));
    assert_true(wake.us >= bench_at(60).us && wake.us <= bench_at(90).us);
    assert_int_equal(entry_wake(load(w)).us, wake.us);
}

static void a_plan_that_waits_for_the_end_of_nothing_is_stalled(void **state)
{
    struct world *w = *state;
    w->plan.next_fire = INSTANT_NEVER;
    assert_false(entry_stalled(load(w)));
    w->plan.schedule.anchor = ANCHOR_END;
    assert_true(entry_stalled(load(w)));
    w->plan.state = JOB_STATE_PAUSED;
    assert_false(entry_stalled(load(w)));
}

static void a_schedule_that_cannot_be_read_never_fires(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    w->plan.schedule.interval_seconds = FIELD_ABSENT;
    struct entry *e = entries_add(&w->entries, w->plan.job_id);
    assert_false(entry_load(&w->entries, e, &w->plan, &err));
    assert_true(instant_is_never(entry_wake(e)));
    assert_false(entry_stalled(e));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_plan_is_small),
        TEST(an_older_version_is_ignored),
        TEST(only_an_enabled_active_plan_wakes_the_engine),
        TEST(jitter_delays_the_wake_up_within_its_bound),
        TEST(a_plan_that_waits_for_the_end_of_nothing_is_stalled),
        TEST(a_schedule_that_cannot_be_read_never_fires),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
