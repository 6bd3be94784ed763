// SPDX-License-Identifier: Apache-2.0
// Circuit breakers of all targets: what results say, which calls are let through, and what two nodes make of
// one table.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/sync.h"
#include "jobs/breakers.h"
#include "jobs/runner.h"

enum { ROWS_MAX = 8, ARENA_BUDGET = 1024 * 1024, CALLS_TO_OPEN = 5, WAIT_S = 30 };

// ---- a table that two nodes share ----

static struct shared {
    struct breaker_row rows[ROWS_MAX];
    size_t n;
    bool away;
    int puts;
} shared;
static struct clock_virtual clock_of_all;

static struct breaker_row *row_find(struct ulid id)
{
    for (size_t i = 0; i < shared.n; i++)
        if (ulid_eq(shared.rows[i].id, id))
            return &shared.rows[i];
    return NULL;
}

static bool share_put(void *ctx, const struct breaker_row *row, int64_t expect, struct duration wait,
                      bool *ret_won, struct err *err)
{
    (void)ctx;
    if (shared.away)
        return ERR(err, ERR_UNAVAILABLE, "the store is away");
    struct breaker_row *r = row_find(row->id);
    shared.puts++;
    *ret_won = r ? r->version == expect : expect == 0;
    if (!*ret_won)
        return true;
    r = r ? r : &shared.rows[shared.n++];
    *r = *row;
    r->target = STR("http://one:80"); // the only one that is shared here
    r->node = str_is(row->node, "a") ? STR("a") : STR("b");
    r->since = clock_now(&clock_of_all.base);
    r->until = instant_add(r->since, wait);
    return true;
}

static bool share_list(void *ctx, struct breaker_row **ret, size_t *ret_n, struct instant *ret_now,
                       struct arena *a, struct err *err)
{
    (void)ctx;
    (void)a;
    if (shared.away)
        return ERR(err, ERR_UNAVAILABLE, "the store is away");
    *ret = shared.rows;
    *ret_n = shared.n;
    *ret_now = clock_now(&clock_of_all.base);
    return true;
}

static const struct breaker_share share_a = {.put = share_put, .list = share_list, .node = {"a", 1}};
static const struct breaker_share share_b = {.put = share_put, .list = share_list, .node = {"b", 1}};

// ---- attempts ----

static void on_done(struct attempt_sink *s, struct attempt *a)
{
    (void)s;
    (void)a;
}
static struct attempt_sink sink = {.done = on_done};

struct call {
    struct job_env env;
    struct attempt a;
    bool passed;
};

static void call_begin(struct call *c, struct breakers *t, const char *target)
{
    *c = (struct call){.env = {.breakers = t}};
    c->a.sink = &sink;
    c->a.env = &c->env;
    c->a.clock = &clock_of_all.base;
    c->a.timeout = duration_s(60);
    c->a.result.exit_code = FIELD_ABSENT;
    atomic_store(&c->a.cancel, -1);
    arena_init(&c->a.arena, ARENA_BUDGET);
    c->passed = attempt_target(&c->a, str_of(target));
}

static void call_end(struct call *c, const char *error_class)
{
    if (c->passed && !error_class)
        attempt_succeed(&c->a, FIELD_ABSENT);
    else if (c->passed && str_is(STR("TIMEOUT"), error_class))
        attempt_timed_out(&c->a, "it took too long");
    else if (c->passed && str_is(STR("CANCELLED"), error_class))
        attempt_cancelled(&c->a, CANCEL_BY_USER);
    else if (c->passed)
        attempt_fail(&c->a, error_class, "it failed");
    arena_release(&c->a.arena);
}

static bool call(struct breakers *t, const char *target, const char *error_class)
{
    struct call c;
    call_begin(&c, t, target);
    call_end(&c, error_class);
    return c.passed;
}

static void open_it(struct breakers *t, const char *target)
{
    for (int i = 0; i < CALLS_TO_OPEN; i++)
        assert_true(call(t, target, "CONNECTION_ERROR"));
    assert_false(call(t, target, NULL));
}

static int state_of(struct breakers *t, const char *target)
{
    CLEANUP(arena_release) struct arena a;
    struct breaker_row *rows;
    size_t n;
    struct err err = {0};
    arena_init(&a, ARENA_BUDGET);
    assert_true(breakers_list(t, &rows, &n, &a, &err));
    for (size_t i = 0; i < n; i++)
        if (str_is(rows[i].target, target))
            return rows[i].state;
    return -1;
}

static void sync(struct breakers *t)
{
    struct err err = {0};
    assert_true(breakers_sync(t, &err));
}

static void wait_s(int64_t s) { clock_virtual_advance(&clock_of_all, duration_s(s)); }

static int set_up(void **state)
{
    (void)state;
    shared = (struct shared){0};
    clock_virtual_init(&clock_of_all, instant_s(1000000));
    return 0;
}

// ---- one node ----

static void an_open_circuit_refuses(void **state)
{
    (void)state;
    struct breakers *t = breakers_new(&clock_of_all.base, NULL);
    struct call c;
    open_it(t, "http://one:80");
    call_begin(&c, t, "http://one:80");
    assert_false(c.passed);
    assert_true(str_is(c.a.result.error_class, "CIRCUIT_OPEN"));
    assert_int_equal(c.a.result.status, RUN_FAILED);
    assert_int_equal(c.a.result.retry_after.us, duration_s(WAIT_S).us);
    call_end(&c, NULL);
    assert_true(call(t, "http://two:80", NULL)); // another target
    wait_s(WAIT_S);
    struct call probe;
    call_begin(&probe, t, "http://one:80");
    assert_true(probe.passed);
    assert_false(call(t, "http://one:80", NULL)); // one probe
    assert_int_equal(state_of(t, "http://one:80"), BREAKER_HALF_OPEN);
    call_end(&probe, NULL);
    assert_true(call(t, "http://one:80", NULL));
    assert_int_equal(state_of(t, "http://one:80"), BREAKER_CLOSED);
    breakers_free(t);
}

static void what_counts(void **state)
{
    (void)state;
    static const struct {
        const char *error_class;
        bool opens; // twenty of them
    } cases[] = {{"CONNECTION_ERROR", true}, {"HTTP_5XX", true},       {"TIMEOUT", true},
                 {"HTTP_4XX", false},        {"SCRIPT_ERROR", false},  {"CANCELLED", false},
                 {"DATABASE_ERROR", false},  {"EGRESS_DENIED", false}, {NULL, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct breakers *t = breakers_new(&clock_of_all.base, NULL);
        for (int k = 0; k < 20; k++)
            (void)call(t, "http://one:80", cases[i].error_class);
        assert_int_equal(call(t, "http://one:80", NULL), !cases[i].opens);
        breakers_free(t);
    }
}

static void refusals_are_not_the_targets(void **state)
{
    (void)state;
    struct breakers *t = breakers_new(&clock_of_all.base, NULL);
    open_it(t, "http://one:80");
    for (int i = 0; i < 100; i++)
        assert_false(call(t, "http://one:80", NULL));
    wait_s(WAIT_S);
    assert_true(call(t, "http://one:80", "CONNECTION_ERROR")); // the probe; then twice as long
    wait_s(WAIT_S);
    assert_false(call(t, "http://one:80", NULL));
    wait_s(WAIT_S);
    assert_true(call(t, "http://one:80", "CANCELLED")); // no word: the next is the probe
    assert_true(call(t, "http://one:80", NULL));
    breakers_free(t);
}

static void the_type_may_know_better(void **state)
{
    (void)state;
    struct breakers *t = breakers_new(&clock_of_all.base, NULL);
    for (int i = 0; i < CALLS_TO_OPEN; i++) {
        struct call c;
        call_begin(&c, t, "kafka://one:9092");
        attempt_target_down(&c.a);
        call_end(&c, "KAFKA_ERROR");
    }
    assert_false(call(t, "kafka://one:9092", NULL));
    breakers_free(t);
}

static void two_targets_of_one_attempt(void **state)
{
    (void)state;
    struct breakers *t = breakers_new(&clock_of_all.base, NULL);
    for (int i = 0; i < CALLS_TO_OPEN; i++) {
        struct call c;
        call_begin(&c, t, "postgresql://db:5432");
        assert_true(attempt_target(&c.a, STR("kafka://one:9092")));
        assert_true(attempt_target(&c.a, STR("postgresql://db:5432"))); // it is about the database again
        call_end(&c, "CONNECTION_ERROR");
    }
    assert_int_equal(state_of(t, "postgresql://db:5432"), BREAKER_OPEN);
    assert_int_equal(state_of(t, "kafka://one:9092"), BREAKER_CLOSED);
    breakers_free(t);
}

static void names_are_one(void **state)
{
    (void)state;
    struct breakers *t = breakers_new(&clock_of_all.base, NULL);
    open_it(t, "http://One:80");
    assert_false(call(t, "http://user:pass@one:80", NULL));
    assert_int_equal(state_of(t, "http://one:80"), BREAKER_OPEN);
    assert_int_equal(state_of(t, "http://user:pass@one:80"), -1);
    char longer[BREAKER_TARGET_MAX + 2];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    for (int i = 0; i < 2 * CALLS_TO_OPEN; i++)
        assert_true(call(t, longer, "CONNECTION_ERROR")); // no breaker
    breakers_free(t);
}

static void the_table_is_bounded(void **state)
{
    (void)state;
    struct breakers *t = breakers_new(&clock_of_all.base, NULL);
    char name[32];
    open_it(t, "http://one:80");
    for (int i = 0; i < 2 * BREAKERS_MAX; i++) {
        wait_s(0);
        snprintf(name, sizeof name, "http://host%d:80", i);
        assert_true(call(t, name, NULL));
    }
    CLEANUP(arena_release) struct arena a;
    struct breaker_row *rows;
    size_t n;
    struct err err = {0};
    arena_init(&a, ARENA_BUDGET);
    assert_true(breakers_list(t, &rows, &n, &a, &err));
    assert_int_equal(n, BREAKERS_MAX);
    assert_int_equal(state_of(t, "http://one:80"), BREAKER_OPEN); // what is open stays
    breakers_free(t);
}

static void reset_closes(void **state)
{
    (void)state;
    struct breakers *t = breakers_new(&clock_of_all.base, NULL);
    struct err err = {0};
    open_it(t, "http://one:80");
    assert_true(breakers_reset(t, breaker_id(STR("http://one:80")), &err));
    assert_true(call(t, "http://one:80", NULL));
    assert_false(breakers_reset(t, breaker_id(STR("http://nobody:80")), &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    breakers_free(t);
}

// ---- two nodes ----

static void the_other_node_learns_of_it(void **state)
{
    (void)state;
    struct breakers *a = breakers_new(&clock_of_all.base, &share_a),
                    *b = breakers_new(&clock_of_all.base, &share_b);
    open_it(a, "http://one:80");
    assert_true(call(b, "http://one:80", NULL)); // not told yet
    sync(a);
    sync(b);
    assert_false(call(b, "http://one:80", NULL));
    wait_s(WAIT_S);
    struct call probe;
    call_begin(&probe, b, "http://one:80");
    assert_true(probe.passed);
    assert_false(call(a, "http://one:80", NULL)); // its write lost
    assert_false(call(b, "http://one:80", NULL));
    call_end(&probe, NULL);
    sync(b);
    sync(a);
    assert_true(call(a, "http://one:80", NULL));
    assert_int_equal(state_of(a, "http://one:80"), BREAKER_CLOSED);
    breakers_free(a);
    breakers_free(b);
}

static void one_probe_whoever_is_first(void **state)
{
    (void)state;
    struct breakers *a = breakers_new(&clock_of_all.base, &share_a),
                    *b = breakers_new(&clock_of_all.base, &share_b);
    open_it(a, "http://one:80");
    sync(a);
    sync(b);
    for (int round = 0, wait = WAIT_S; round < 6; round++, wait *= 2) {
        wait_s(wait);
        int passed = 0;
        struct call calls[6];
        for (int i = 0; i < 6; i++) {
            call_begin(&calls[i], (i + round) % 2 ? a : b, "http://one:80");
            passed += calls[i].passed;
        }
        assert_int_equal(passed, 1);
        for (int i = 0; i < 6; i++)
            call_end(&calls[i], "CONNECTION_ERROR");
        sync(a);
        sync(b);
        sync(a);
    }
    breakers_free(a);
    breakers_free(b);
}

static void both_open_it_at_once(void **state)
{
    (void)state;
    struct breakers *a = breakers_new(&clock_of_all.base, &share_a),
                    *b = breakers_new(&clock_of_all.base, &share_b);
    open_it(a, "http://one:80");
    open_it(b, "http://one:80");
    sync(a);
    sync(b);
    sync(a);
    assert_int_equal(shared.n, 1);
    assert_int_equal(state_of(a, "http://one:80"), BREAKER_OPEN);
    assert_int_equal(state_of(b, "http://one:80"), BREAKER_OPEN);
    struct err err = {0};
    assert_true(breakers_reset(b, breaker_id(STR("http://one:80")), &err));
    sync(a);
    assert_true(call(a, "http://one:80", NULL));
    assert_true(call(b, "http://one:80", NULL));
    breakers_free(a);
    breakers_free(b);
}

static void a_probe_whose_node_died(void **state)
{
    (void)state;
    struct breakers *a = breakers_new(&clock_of_all.base, &share_a),
                    *b = breakers_new(&clock_of_all.base, &share_b);
    open_it(a, "http://one:80");
    sync(a);
    sync(b);
    wait_s(WAIT_S);
    struct call probe;
    call_begin(&probe, a, "http://one:80");
    assert_true(probe.passed);
    sync(b);
    wait_s(60);
    assert_false(call(b, "http://one:80", NULL)); // it may still be heard of
    wait_s(30);
    assert_true(call(b, "http://one:80", NULL));
    sync(b);
    call_end(&probe, "CONNECTION_ERROR"); // too late: the circuit is closed
    sync(a);
    assert_true(call(a, "http://one:80", NULL));
    breakers_free(a);
    breakers_free(b);
}

static void without_the_store_nobody_probes(void **state)
{
    (void)state;
    struct breakers *a = breakers_new(&clock_of_all.base, &share_a);
    shared.away = true;
    open_it(a, "http://one:80");
    wait_s(WAIT_S);
    assert_false(call(a, "http://one:80", NULL));
    shared.away = false;
    wait_s(2);
    assert_true(call(a, "http://one:80", NULL));
    sync(a);
    assert_int_equal(shared.rows[0].state, BREAKER_CLOSED);
    breakers_free(a);
}

static void what_the_store_forgot(void **state)
{
    (void)state;
    struct breakers *a = breakers_new(&clock_of_all.base, &share_a),
                    *b = breakers_new(&clock_of_all.base, &share_b);
    open_it(a, "http://one:80");
    sync(a);
    sync(b);
    wait_s(2 * BREAKER_FORGET_S);
    shared.n = 0;
    sync(a);
    assert_int_equal(state_of(a, "http://one:80"), BREAKER_CLOSED);
    open_it(a, "http://one:80"); // b has not looked since
    sync(a);
    sync(b);
    assert_false(call(b, "http://one:80", NULL));
    breakers_free(a);
    breakers_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_open_circuit_refuses, set_up),
        cmocka_unit_test_setup(what_counts, set_up),
        cmocka_unit_test_setup(refusals_are_not_the_targets, set_up),
        cmocka_unit_test_setup(the_type_may_know_better, set_up),
        cmocka_unit_test_setup(two_targets_of_one_attempt, set_up),
        cmocka_unit_test_setup(names_are_one, set_up),
        cmocka_unit_test_setup(the_table_is_bounded, set_up),
        cmocka_unit_test_setup(reset_closes, set_up),
        cmocka_unit_test_setup(the_other_node_learns_of_it, set_up),
        cmocka_unit_test_setup(one_probe_whoever_is_first, set_up),
        cmocka_unit_test_setup(both_open_it_at_once, set_up),
        cmocka_unit_test_setup(a_probe_whose_node_died, set_up),
        cmocka_unit_test_setup(without_the_store_nobody_probes, set_up),
        cmocka_unit_test_setup(what_the_store_forgot, set_up),
    };
    return cmocka_run_group_tests_name("jobs/breakers", tests, NULL, NULL);
}
