// SPDX-License-Identifier: Apache-2.0
// Time zone data that changes under a running engine, and while none is running.
#include "../tests/sim/bench.h"

#include <unistd.h>

#include "base/file.h"

enum { FILE_BYTES_MAX = 64 * 1024, PATH_LEN_MAX = 512 };
#define DAY_S 86400.0
// 17:00 in the zone Home: first as far east as two hours, then one.
#define BEFORE_S 2800.0
#define AFTER_S 6400.0
#define TWO_HOURS_EAST "Etc/GMT-2" // the sign is POSIX's
#define ONE_HOUR_EAST "Etc/GMT-1"

static char dir[] = "/tmp/chronos-rezone-XXXXXX";

// Home gets the data of that zone.
static void move_home(const char *zone)
{
    const char *tzdir = getenv("TZDIR");
    char from[PATH_LEN_MAX], to[PATH_LEN_MAX];
    struct arena a;
    struct str bytes;
    struct err err = {0};
    arena_init(&a, 1024 * 1024);
    (void)snprintf(from, sizeof from, "%s/%s", tzdir ? tzdir : ZONES_DIR_DEFAULT, zone);
    (void)snprintf(to, sizeof to, "%s/Home", dir);
    if (!file_read(from, FILE_BYTES_MAX, &bytes, &a, &err) || !file_write(to, bytes, 0644, &err))
        fail_msg("%s", err.text);
    arena_release(&a);
}

static int setup(void **state)
{
    memcpy(dir + sizeof dir - sizeof "XXXXXX", "XXXXXX", sizeof "XXXXXX");
    if (!mkdtemp(dir) || bench_setup(state) != 0)
        return -1;
    struct bench *b = *state;
    bench_kill(b);
    zones_free(b->zones);
    move_home(TWO_HOURS_EAST);
    b->config.zones = b->zones = zones_new(dir);
    b->end_at_once = true;
    bench_boot(b);
    return 0;
}

static int teardown(void **state)
{
    char home[PATH_LEN_MAX];
    (void)snprintf(home, sizeof home, "%s/Home", dir);
    unlink(home);
    rmdir(dir);
    return bench_teardown(state);
}

static void change_data(struct bench *b)
{
    move_home(ONE_HOUR_EAST);
    assert_int_equal(zones_reload(b->zones).changed, 1);
}

static struct job at_five(struct bench *b, const char *zone)
{
    struct job j = bench_job(b, SCHEDULE_CRON);
    j.schedule.cron_expression = STR("0 17 * * *");
    j.schedule.timezone = str_of(zone);
    return j;
}

static struct plan stored(struct bench *b, struct ulid id)
{
    struct plan *v;
    size_t n;
    struct err err = {0};
    assert_true(b->store->ops->plans_get(b->store, &id, 1, &v, &n, &b->arena, &err));
    assert_int_equal(n, 1);
    return v[0];
}

static void assert_next(struct bench *b, struct ulid id, double s)
{
    assert_int_equal(stored(b, id).next_fire.us, bench_at(s).us);
}

static void a_fire_to_come_moves_with_its_zone(void **state)
{
    struct bench *b = *state;
    struct job j = at_five(b, "Home");
    bench_insert(b, &j);
    bench_settle(b);
    assert_next(b, j.id, BEFORE_S);
    change_data(b);
    engine_zones_changed(b->engine);
    bench_settle(b);
    assert_next(b, j.id, AFTER_S);
    assert_int_equal(stored(b, j.id).version, 1);
    assert_int_equal(bench_runs(b), 0);
    bench_until(b, AFTER_S - 1);
    assert_int_equal(b->started, 0);
    bench_until(b, AFTER_S);
    assert_int_equal(b->started, 1);
    assert_next(b, j.id, AFTER_S + DAY_S);
}

static void jobs_without_that_zone_stay_as_they_are(void **state)
{
    struct bench *b = *state;
    struct job home = at_five(b, "Home"), utc = at_five(b, ""), grid = bench_every(b, 5000);
    bench_insert(b, &home);
    bench_insert(b, &utc);
    bench_insert(b, &grid);
    bench_settle(b);
    change_data(b);
    engine_zones_changed(b->engine);
    bench_settle(b);
    assert_next(b, utc.id, BEFORE_S + 2 * 3600);
    assert_next(b, grid.id, 5000);
}

static void an_occurrence_that_is_due_keeps_its_place(void **state)
{
    struct bench *b = *state;
    struct job j = at_five(b, "Home");
    bench_insert(b, &j);
    bench_settle(b);
    clock_virtual_advance(&b->clock, duration_s((int64_t)BEFORE_S + 1)); // and nobody called the engine
    change_data(b);
    engine_zones_changed(b->engine);
    bench_settle(b);
    assert_int_equal(bench_runs(b), 1);
    assert_int_equal(b->runs[0].scheduled.us, bench_at(BEFORE_S).us);
    assert_next(b, j.id, AFTER_S);
}

static void an_occurrence_that_waits_for_room_keeps_its_place(void **state)
{
    struct bench *b = *state;
    struct job j = at_five(b, "Home"), busy = bench_job(b, SCHEDULE_MANUAL);
    bench_kill(b);
    b->config.running_max = 1;
    b->end_at_once = false;
    bench_boot(b);
    busy.timeout_seconds = 2 * 3600;
    bench_insert(b, &busy);
    bench_insert(b, &j);
    (void)bench_run_now(b, busy.id, PRIORITY_LOW);
    bench_until(b, BEFORE_S + 1);
    assert_int_equal(b->n_held, 1);
    change_data(b);
    engine_zones_changed(b->engine);
    bench_settle(b);
    assert_next(b, j.id, BEFORE_S);
    bench_end(b, 0, RUN_SUCCEEDED, NULL);
    bench_settle(b);
    assert_int_equal(b->n_held, 1);
    assert_int_equal(b->held[0]->scheduled.us, bench_at(BEFORE_S).us);
    assert_next(b, j.id, AFTER_S);
}

static void a_job_made_meanwhile_does_not_share_the_old_schedule(void **state)
{
    struct bench *b = *state;
    struct job old = at_five(b, "Home"), new;
    bench_insert(b, &old);
    bench_settle(b);
    change_data(b);
    new = at_five(b, "Home");
    bench_insert(b, &new);
    bench_until(b, AFTER_S); // the engine has not been told
    assert_int_equal(bench_runs(b), 2);
    assert_next(b, new.id, AFTER_S + DAY_S);
    engine_zones_changed(b->engine);
    bench_settle(b);
    assert_next(b, old.id, AFTER_S + DAY_S);
}

static void a_thousand_jobs_move_in_portions(void **state)
{
    struct bench *b = *state;
    enum { JOBS = 1000 };
    struct ulid ids[JOBS];
    for (size_t i = 0; i < JOBS; i++) {
        struct job j = at_five(b, "Home");
        bench_insert(b, &j);
        ids[i] = j.id;
    }
    bench_settle(b);
    change_data(b);
    engine_zones_changed(b->engine);
    (void)engine_tick(b->engine);
    (void)engine_tick(b->engine);
    size_t waiting = 0;
    for (size_t i = 0; i < JOBS; i++)
        waiting += stored(b, ids[i]).next_fire.us == bench_at(BEFORE_S).us;
    assert_in_range(waiting, JOBS / 2, JOBS - 1); // some have moved, and no tick was long
    bench_settle(b);
    for (size_t i = 0; i < JOBS; i++)
        assert_next(b, ids[i], AFTER_S);
    bench_until(b, AFTER_S - 1);
    assert_int_equal(b->started, 0);
}

static void data_that_changes_twice_at_once_is_followed_to_its_end(void **state)
{
    struct bench *b = *state;
    struct job j = at_five(b, "Home");
    bench_insert(b, &j);
    bench_settle(b);
    change_data(b);
    engine_zones_changed(b->engine);
    (void)engine_tick(b->engine);
    move_home(TWO_HOURS_EAST);
    assert_int_equal(zones_reload(b->zones).changed, 1);
    engine_zones_changed(b->engine);
    bench_settle(b);
    assert_next(b, j.id, BEFORE_S);
}

static void data_that_changed_while_no_engine_ran_is_found_at_start_up(void **state)
{
    struct bench *b = *state;
    struct job j = at_five(b, "Home"), utc = at_five(b, "");
    bench_insert(b, &j);
    bench_insert(b, &utc);
    bench_settle(b);
    bench_kill(b);
    change_data(b);
    bench_boot(b);
    bench_settle(b);
    assert_next(b, j.id, AFTER_S);
    assert_next(b, utc.id, BEFORE_S + 2 * 3600);
}

struct trouble {
    const char *op;
    enum store_fault fault;
    int left;
};

static enum store_fault make_trouble(void *ctx, const char *op, bool writes)
{
    struct trouble *t = ctx;
    (void)writes;
    if (t->left == 0 || strcmp(op, t->op) != 0)
        return FAULT_NONE;
    t->left--;
    return t->fault;
}

static void a_store_in_trouble_delays_the_move_and_loses_none(void **state)
{
    struct bench *b = *state;
    struct trouble rows[] = {
        {"plans_get", FAULT_FAIL, 2},
        {"flush", FAULT_FAIL, 2},
        {"flush", FAULT_UNKNOWN_COMMITTED, 1},
        {"flush", FAULT_UNKNOWN_LOST, 2},
    };
    struct job j = at_five(b, "Home");
    bench_insert(b, &j);
    bench_settle(b);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool there = i % 2 == 0;
        store_memory_set_faults(b->store, (struct store_faults){make_trouble, &rows[i]});
        move_home(there ? ONE_HOUR_EAST : TWO_HOURS_EAST);
        assert_int_equal(zones_reload(b->zones).changed, 1);
        engine_zones_changed(b->engine);
        bench_until(b, 10.0 * (double)(i + 1));
        assert_int_equal(rows[i].left, 0);
        assert_next(b, j.id, there ? AFTER_S : BEFORE_S);
    }
    assert_int_equal(bench_runs(b), 0);
}

static void a_job_paused_meanwhile_is_left_alone(void **state)
{
    struct bench *b = *state;
    struct err err = {0};
    struct job j = at_five(b, "Home");
    bench_insert(b, &j);
    bench_settle(b);
    change_data(b);
    engine_zones_changed(b->engine);
    (void)engine_tick(b->engine); // read; to be moved by the next flush
    assert_next(b, j.id, BEFORE_S);
    assert_true(b->store->ops->job_set_state(b->store, j.id, JOB_STATE_PAUSED, INSTANT_NEVER, bench_at(1), &err));
    bench_settle(b);
    assert_next(b, j.id, BEFORE_S);
    assert_int_equal(stored(b, j.id).state, JOB_STATE_PAUSED);
}

static void occurrences_already_decided_do_not_come_again_when_the_clock_was_set_back(void **state)
{
    struct bench *b = *state;
    struct job j = at_five(b, "Home");
    bench_insert(b, &j);
    bench_until(b, BEFORE_S + 1);
    assert_int_equal(b->started, 1);
    clock_virtual_step(&b->clock, duration_s(-(int64_t)BEFORE_S));
    change_data(b);
    engine_zones_changed(b->engine);
    bench_settle(b);
    assert_next(b, j.id, BEFORE_S + DAY_S);
    bench_kill(b);
    bench_boot(b);
    bench_settle(b);
    assert_next(b, j.id, BEFORE_S + DAY_S);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_fire_to_come_moves_with_its_zone),
        TEST(jobs_without_that_zone_stay_as_they_are),
        TEST(an_occurrence_that_is_due_keeps_its_place),
        TEST(an_occurrence_that_waits_for_room_keeps_its_place),
        TEST(a_job_made_meanwhile_does_not_share_the_old_schedule),
        TEST(a_thousand_jobs_move_in_portions),
        TEST(data_that_changes_twice_at_once_is_followed_to_its_end),
        TEST(data_that_changed_while_no_engine_ran_is_found_at_start_up),
        TEST(a_store_in_trouble_delays_the_move_and_loses_none),
        TEST(a_job_paused_meanwhile_is_left_alone),
        TEST(occurrences_already_decided_do_not_come_again_when_the_clock_was_set_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
