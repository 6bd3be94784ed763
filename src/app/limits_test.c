// SPDX-License-Identifier: Apache-2.0
// Bounds of callers and owners, in virtual time on the memory store.
#include "app/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/memory/store_memory.h"

enum { JOBS = 2, RUNS_PER_S = 1, REQUESTS_PER_S = 1, BURST = 3, COUNT_HOLDS_S = 10 };

struct fixture {
    struct clock_virtual clock;
    struct app app;
    struct rng rng;
    struct ulid owner;
};

static int open_fixture(void **state)
{
    static const struct limits_config config = {.requests_per_s = REQUESTS_PER_S,
                                                .burst = BURST,
                                                .anonymous_per_s = REQUESTS_PER_S,
                                                .jobs_per_owner = JOBS,
                                                .runs_per_s = RUNS_PER_S};
    struct fixture *f = test_calloc(1, sizeof *f);
    struct app_parts parts = {.store = store_memory_new(), .clock = &f->clock.base};
    clock_virtual_init(&f->clock, instant_s(INT64_C(1798761600)));
    rng_init(&f->rng, 7);
    app_settings_init(&parts.settings);
    app_init(&f->app, &parts);
    f->app.limits = limits_new(&config);
    f->owner = ulid_new(clock_now(&f->clock.base), &f->rng);
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    struct store *s = f->app.store;
    limits_free(f->app.limits);
    f->app.limits = NULL;
    app_release(&f->app);
    s->ops->free(s);
    test_free(f);
    return 0;
}

// Without telling the limits, as another node does.
static struct ulid job_add(struct fixture *f)
{
    struct job j;
    struct err err = {0};
    field_defaults(&job_fields, &j);
    j.id = ulid_new(clock_now(&f->clock.base), &f->rng);
    j.owner_id = f->owner;
    j.name = STR("a");
    j.type = STR("DUMMY");
    j.payload = STR("{}");
    j.schedule.kind = SCHEDULE_MANUAL;
    j.version = 1;
    struct plan p = {.state = JOB_STATE_ACTIVE, .next_fire = INSTANT_NEVER};
    plan_of_job(&j, &p);
    assert_true(f->app.store->ops->jobs_insert(f->app.store, &j, &p, 1, &err));
    return j.id;
}

static bool may_have(struct fixture *f, int64_t more)
{
    struct err err = {0};
    bool ok = app_limit_jobs(&f->app, f->owner, more, &err);
    assert_true(ok || err.code == ERR_THROTTLED);
    return ok;
}

static bool may_run(struct fixture *f, struct ulid owner)
{
    struct err err = {0};
    bool ok = app_limit_run(&f->app, owner, &err);
    assert_true(ok || err.code == ERR_THROTTLED);
    return ok;
}

static void an_owner_has_so_many_jobs(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    assert_true(may_have(f, JOBS));
    assert_false(may_have(f, JOBS + 1));
    struct ulid first = job_add(f);
    app_limit_jobs_made(&f->app, f->owner, 1);
    (void)job_add(f);
    app_limit_jobs_made(&f->app, f->owner, 1);
    assert_false(may_have(f, 1));
    assert_true(f->app.store->ops->job_delete(f->app.store, first, 1, clock_now(&f->clock.base), &err));
    assert_true(may_have(f, 1)); // nothing is refused by an old count
}

static void jobs_of_other_nodes_are_counted_soon(void **state)
{
    struct fixture *f = *state;
    assert_true(may_have(f, 1));
    for (int i = 0; i < JOBS; i++)
        (void)job_add(f);
    assert_true(may_have(f, 1)); // the count is still good
    clock_virtual_advance(&f->clock, duration_s(COUNT_HOLDS_S + 1));
    assert_false(may_have(f, 1));
}

static enum store_fault away(void *ctx, const char *op, bool writes)
{
    (void)ctx, (void)op, (void)writes;
    return FAULT_FAIL;
}

static void a_store_that_is_away_is_said(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    store_memory_set_faults(f->app.store, (struct store_faults){away, NULL});
    assert_false(app_limit_jobs(&f->app, f->owner, 1, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
}

static void runs_by_hand(void **state)
{
    struct fixture *f = *state;
    struct ulid other = ulid_new(clock_now(&f->clock.base), &f->rng);
    int n = 0;
    while (n < BURST * BURST && may_run(f, f->owner))
        n++;
    assert_in_range(n, RUNS_PER_S, BURST);
    assert_true(may_run(f, other));
    clock_virtual_advance(&f->clock, duration_s(1));
    assert_true(may_run(f, f->owner));
    assert_false(may_run(f, f->owner));
}

static bool asks(struct fixture *f, const struct caller *c)
{
    return limits_request(f->app.limits, c, clock_mono(&f->clock.base)).rate.ok;
}

static void everybody_has_a_bucket(void **state)
{
    struct fixture *f = *state;
    struct caller user = {.signed_in = true, .user_id = f->owner, .remote = STR("10.0.0.1")}, key = user;
    struct caller nobody = {.remote = STR("10.0.0.1")}, neighbour = {.remote = STR("10.0.0.2")};
    key.key_id = ulid_new(clock_now(&f->clock.base), &f->rng);
    for (int i = 0; i < BURST; i++)
        assert_true(asks(f, &user));
    assert_false(asks(f, &user));
    assert_true(asks(f, &key)); // of the same user
    while (asks(f, &nobody))
        continue;
    assert_true(asks(f, &neighbour));
    assert_string_equal(limits_request(f->app.limits, &nobody, clock_mono(&f->clock.base)).what, "address");
    assert_string_equal(limits_request(f->app.limits, &user, clock_mono(&f->clock.base)).what, "caller");
}

static void without_bounds_nothing_is_refused(void **state)
{
    struct fixture *f = *state;
    limits_free(f->app.limits);
    f->app.limits = NULL;
    assert_true(may_have(f, JOBS + 1));
    for (int i = 0; i < BURST * BURST; i++)
        assert_true(may_run(f, f->owner));
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, open_fixture, close_fixture)
    const struct CMUnitTest tests[] = {
        CASE(an_owner_has_so_many_jobs),
        CASE(jobs_of_other_nodes_are_counted_soon),
        CASE(a_store_that_is_away_is_said),
        CASE(runs_by_hand),
        CASE(everybody_has_a_bucket),
        CASE(without_bounds_nothing_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
