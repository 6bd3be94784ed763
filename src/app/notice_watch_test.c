// SPDX-License-Identifier: Apache-2.0
// What does not happen, in virtual time: occurrences and runs that nobody starts, runs beyond what is usual for their
// job, nodes whose lease ended.
#include "app/notice_watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "store/memory/store_memory.h"

enum { ARENA_BUDGET = 64 << 20, READ_MAX = 100, TOKEN = 7, LEASE_S = 30, USUAL_S = 60, SHORT_S = 1 };

struct fixture {
    struct clock_virtual clock;
    struct app app;
    struct zones *zones;
    struct desk *desk;
    struct notice_watch watch;
    struct arena a;
    struct rng rng;
    struct err err;
    struct notice *v; // all that was written, the oldest first
    size_t n;
};

#define must_ok(f, call)                       \
    do {                                       \
        if (!(call))                           \
            fail_msg("%s", (f)->err.text);     \
    } while (0)

static struct instant now(struct fixture *f) { return clock_now(&f->clock.base); }
static struct ulid id_of(struct fixture *f) { return ulid_new(now(f), &f->rng); }

static int setup_with(void **state, struct store *store)
{
    struct fixture *f = mem_new(struct fixture);
    struct app_parts parts = {.store = store, .clock = &f->clock.base};
    arena_init(&f->a, ARENA_BUDGET);
    rng_init(&f->rng, 7);
    clock_virtual_init(&f->clock, instant_s(INT64_C(1800000000)));
    store_memory_set_clock(parts.store, &f->clock.base);
    f->zones = parts.zones = zones_new(NULL);
    app_settings_init(&parts.settings);
    app_init(&f->app, &parts);
    f->desk = desk_new(&f->app);
    notice_watch_init(&f->watch);
    *state = f;
    return 0;
}
static int setup(void **state) { return setup_with(state, store_memory_new()); }
static int setup_cluster(void **state) { return setup_with(state, store_memory_new_shared()); }

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct store *s = f->app.store;
    notice_watch_release(&f->watch);
    desk_free(f->desk);
    app_release(&f->app);
    s->ops->free(s);
    zones_free(f->zones);
    arena_release(&f->a);
    mem_free(f);
    return 0;
}

static void wanted(struct fixture *f, const char *event)
{
    struct subscription s;
    struct str word = str_of(event);
    field_defaults(&subscription_fields, &s);
    s.id = id_of(f);
    s.owner_id = id_of(f);
    s.all = true;
    s.channel = STR("WEBHOOK");
    s.sealed = STR("x");
    s.events = (struct strs){&word, 1};
    s.version = 1;
    must_ok(f, f->app.store->ops->subscription_put(f->app.store, &s, 0, &f->err));
    must_ok(f, desk_load(f->desk, &f->err));
}

static struct ulid job_add(struct fixture *f, struct instant next_fire, int64_t jitter, int64_t expected)
{
    struct job j;
    field_defaults(&job_fields, &j);
    j.id = id_of(f);
    j.owner_id = id_of(f);
    j.name = STR("a");
    j.type = STR("DUMMY");
    j.payload = STR("{}");
    j.expected_seconds = expected;
    j.schedule.kind = SCHEDULE_INTERVAL;
    j.schedule.interval_seconds = USUAL_S;
    j.schedule.jitter_seconds = jitter;
    j.version = 1;
    j.created_at = j.updated_at = now(f);
    struct plan p = {.state = JOB_STATE_ACTIVE};
    plan_of_job(&j, &p);
    p.next_fire = next_fire;
    must_ok(f, f->app.store->ops->jobs_insert(f->app.store, &j, &p, 1, &f->err));
    return j.id;
}

static struct run run_queued(struct fixture *f, struct ulid job_id)
{
    struct run r = {.id = id_of(f), .job_id = job_id, .job_version = 1, .scheduled = now(f), .first_scheduled = now(f),
                    .occurrences = 1, .due = now(f), .start = INSTANT_NEVER, .end = INSTANT_NEVER, .attempt = 1,
                    .status = RUN_QUEUED, .trigger = TRIGGER_MANUAL, .exit_code = FIELD_ABSENT};
    r.run_key = r.id;
    must_ok(f, f->app.store->ops->run_insert(f->app.store, &r, &f->err));
    return r;
}

static struct run run_started(struct fixture *f, struct ulid job_id)
{
    struct run r = run_queued(f, job_id);
    r.status = RUN_RUNNING;
    r.start = now(f);
    r.token = TOKEN;
    r.worker = STR("n1");
    struct claim c = {.run = &r};
    struct flush w = {.claims = &c, .n_claims = 1};
    must_ok(f, f->app.store->ops->flush(f->app.store, &w, &f->err));
    assert_true(c.ret_won);
    return r;
}

static void run_succeeded(struct fixture *f, struct ulid job_id, int64_t seconds)
{
    struct run r = run_started(f, job_id);
    clock_virtual_advance(&f->clock, duration_s(seconds));
    r.status = RUN_SUCCEEDED;
    r.end = now(f);
    struct finish e = {.run = &r, .plan_next = INSTANT_NEVER};
    struct flush w = {.finishes = &e, .n_finishes = 1};
    must_ok(f, f->app.store->ops->flush(f->app.store, &w, &f->err));
    assert_true(e.ret_recorded);
}

// How many notices there are after a look in so many seconds.
static size_t later(struct fixture *f, int64_t seconds)
{
    clock_virtual_advance(&f->clock, duration_s(seconds));
    must_ok(f, notice_watch_look(&f->watch, &f->app, f->desk, &f->err));
    must_ok(f, f->app.store->ops->notices_read(f->app.store, READ_MAX, &f->v, &f->n, &f->a, &f->err));
    return f->n;
}

// ---- overdue -----------------------------------------------------------------------------------

static void an_occurrence_that_nobody_starts(void **state)
{
    struct fixture *f = *state;
    struct ulid job = job_add(f, now(f), FIELD_ABSENT, FIELD_ABSENT);
    (void)job_add(f, INSTANT_NEVER, FIELD_ABSENT, FIELD_ABSENT);
    assert_int_equal(later(f, 0), 0); // nobody wants to know
    wanted(f, "overdue");
    assert_int_equal(later(f, OVERDUE_GRACE_S), 0);
    assert_int_equal(later(f, 1), 1);
    assert_int_equal(f->v[0].event, NOTICE_OVERDUE);
    assert_true(ulid_eq(f->v[0].job_id, job));
    struct ulid stands_for = f->v[0].run_id;
    assert_int_equal(later(f, OVERDUE_GRACE_S), 1); // not again by this process
    notice_watch_release(&f->watch);
    notice_watch_init(&f->watch);
    assert_int_equal(later(f, 0), 2); // another one finds the same
    assert_true(ulid_eq(f->v[1].run_id, stands_for));
}

static void jitter_is_waited_for(void **state)
{
    struct fixture *f = *state;
    wanted(f, "overdue");
    (void)job_add(f, now(f), USUAL_S, FIELD_ABSENT);
    assert_int_equal(later(f, OVERDUE_GRACE_S + USUAL_S), 0);
    assert_int_equal(later(f, 1), 1);
}

static void a_paused_job_is_not_overdue(void **state)
{
    struct fixture *f = *state;
    wanted(f, "overdue");
    struct ulid job = job_add(f, now(f), FIELD_ABSENT, FIELD_ABSENT);
    must_ok(f, f->app.store->ops->job_set_state(f->app.store, job, JOB_STATE_PAUSED, INSTANT_NEVER, now(f), &f->err));
    assert_int_equal(later(f, 2 * OVERDUE_GRACE_S), 0);
}

static void a_run_that_waits(void **state)
{
    struct fixture *f = *state;
    wanted(f, "overdue");
    struct run r = run_queued(f, job_add(f, INSTANT_NEVER, FIELD_ABSENT, FIELD_ABSENT));
    (void)run_started(f, r.job_id); // this one does not wait
    assert_int_equal(later(f, OVERDUE_GRACE_S), 0);
    assert_int_equal(later(f, 1), 1);
    assert_int_equal(f->v[0].event, NOTICE_OVERDUE);
    assert_true(ulid_eq(f->v[0].run_id, r.id));
}

// What could not be written is found again by the next look.
static enum store_fault one_fault(void *ctx, const char *op, bool writes)
{
    bool *broken = ctx, now_broken = *broken && writes && strcmp(op, "notices_put") == 0;
    *broken = *broken && !now_broken;
    return now_broken ? FAULT_FAIL : FAULT_NONE;
}

static void a_store_that_fails_loses_nothing(void **state)
{
    struct fixture *f = *state;
    bool broken = true;
    wanted(f, "overdue");
    (void)job_add(f, now(f), FIELD_ABSENT, FIELD_ABSENT);
    clock_virtual_advance(&f->clock, duration_s(2 * OVERDUE_GRACE_S));
    store_memory_set_faults(f->app.store, (struct store_faults){one_fault, &broken});
    assert_false(notice_watch_look(&f->watch, &f->app, f->desk, &f->err));
    store_memory_set_faults(f->app.store, (struct store_faults){0});
    assert_int_equal(later(f, 0), 1);
}

// ---- slow --------------------------------------------------------------------------------------

static void slower_than_the_job_says(void **state)
{
    struct fixture *f = *state;
    wanted(f, "slow");
    struct run r = run_started(f, job_add(f, INSTANT_NEVER, FIELD_ABSENT, USUAL_S));
    assert_int_equal(later(f, USUAL_S), 0);
    assert_int_equal(later(f, 1), 1);
    assert_int_equal(f->v[0].event, NOTICE_SLOW);
    assert_true(ulid_eq(f->v[0].run_id, r.id));
    assert_int_equal(later(f, USUAL_S), 1);
}

static void slower_than_usual(void **state)
{
    struct fixture *f = *state;
    wanted(f, "slow");
    struct ulid job = job_add(f, INSTANT_NEVER, FIELD_ABSENT, FIELD_ABSENT);
    for (int i = 0; i < SLOW_HISTORY_MIN - 1; i++)
        run_succeeded(f, job, i == 0 ? 100 * USUAL_S : USUAL_S); // one far beyond is no custom: the 95th percentile
    (void)run_started(f, job);
    assert_int_equal(later(f, 10 * SLOW_FACTOR * USUAL_S), 0); // too few to know
    run_succeeded(f, job, USUAL_S);
    assert_int_equal(later(f, 0), 1);
    struct run r = run_started(f, job);
    assert_int_equal(later(f, SLOW_FACTOR * USUAL_S), 1);
    assert_int_equal(later(f, 1), 2);
    assert_int_equal(f->v[1].event, NOTICE_SLOW);
    assert_true(ulid_eq(f->v[1].run_id, r.id));
}

static void short_runs_have_room(void **state)
{
    struct fixture *f = *state;
    wanted(f, "slow");
    struct ulid job = job_add(f, INSTANT_NEVER, FIELD_ABSENT, FIELD_ABSENT);
    for (int i = 0; i < SLOW_HISTORY_MIN; i++)
        run_succeeded(f, job, SHORT_S);
    (void)run_started(f, job);
    assert_int_equal(later(f, SLOW_AT_LEAST_S), 0);
    assert_int_equal(later(f, 1), 1);
}

// ---- nodes -------------------------------------------------------------------------------------

static void a_node_whose_lease_ended(void **state)
{
    struct fixture *f = *state;
    struct node n = {.token = TOKEN, .name = STR("n1"), .address = STR("x"), .version = STR("1"), .process = STR("p"),
                     .state = NODE_ACTIVE};
    wanted(f, "node_down");
    must_ok(f, f->app.store->ops->node_register(f->app.store, &n, duration_s(LEASE_S), &f->err));
    assert_int_equal(later(f, LEASE_S - 1), 0);
    assert_int_equal(later(f, 2), 1);
    assert_int_equal(f->v[0].event, NOTICE_NODE_DOWN);
    assert_true(str_is(f->v[0].message, "n1"));
    assert_int_equal(later(f, 2), 1);
}

static void a_node_that_was_lost_long_ago_is_no_news(void **state)
{
    struct fixture *f = *state;
    enum { LONG_S = 3600 };
    struct node n = {.token = TOKEN, .name = STR("n1"), .address = STR("x"), .version = STR("1"), .process = STR("p"),
                     .state = NODE_ACTIVE};
    wanted(f, "node_down");
    must_ok(f, f->app.store->ops->node_register(f->app.store, &n, duration_s(LEASE_S), &f->err));
    assert_int_equal(later(f, LONG_S), 0);
}

int main(void)
{
#define CASE(sentence, f) {.name = (sentence), .test_func = (f), .setup_func = setup, .teardown_func = teardown}
#define CLUSTER(sentence, f) \
    {.name = (sentence), .test_func = (f), .setup_func = setup_cluster, .teardown_func = teardown}
    const struct CMUnitTest tests[] = {
        CASE("an occurrence that nobody starts is told once", an_occurrence_that_nobody_starts),
        CASE("an occurrence may be late by its jitter", jitter_is_waited_for),
        CASE("a paused job is not overdue", a_paused_job_is_not_overdue),
        CASE("a run that waits too long is overdue", a_run_that_waits),
        CASE("a store that fails loses nothing", a_store_that_fails_loses_nothing),
        CASE("a run that takes longer than its job says is slow", slower_than_the_job_says),
        CASE("a run that takes twice the 95th percentile is slow", slower_than_usual),
        CASE("short runs have some seconds of room", short_runs_have_room),
        CLUSTER("a node whose lease ended is told once", a_node_whose_lease_ended),
        CLUSTER("a node that was lost long ago is no news", a_node_that_was_lost_long_ago_is_no_news),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
