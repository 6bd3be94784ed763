// SPDX-License-Identifier: Apache-2.0
// States of circuit breakers that nodes share: who names the version that is there changes it, everybody else
// does not.
#include "conformance.h"

#include <stdatomic.h>

#include "base/sync.h"

enum { WAIT_S = 30, THREADS = 8, LONG_AGO_S = 7200 };

static struct breaker_row row_make(const char *target, int state, int64_t version)
{
    return (struct breaker_row){.id = breaker_id(str_of(target)),
                                .target = str_of(target),
                                .state = state,
                                .version = version,
                                .failures = 5,
                                .opens = 2,
                                .node = STR("n1")};
}

static bool put(struct world *w, struct store *s, const struct breaker_row *row, int64_t expect,
                int64_t wait_s)
{
    bool won = false;
    assert_ok(w, s->ops->breaker_put(s, row, expect, duration_s(wait_s), &won, &w->err));
    return won;
}

static size_t list(struct world *w, struct breaker_row **ret, struct instant *ret_now)
{
    size_t n;
    assert_ok(w, w->s->ops->breakers_list(w->s, ret, &n, ret_now, &w->a, &w->err));
    return n;
}

static void none_is_a_list_with_a_clock(void **state)
{
    struct world *w = *state;
    struct breaker_row *v;
    struct instant now = {0};
    assert_int_equal(list(w, &v, &now), 0);
    assert_true(now.us > 0);
}

static void a_row_is_as_it_was_put(void **state)
{
    struct world *w = *state;
    struct breaker_row row = row_make("http://h\303\266st:80", BREAKER_OPEN, 100), *v;
    struct instant now;
    assert_true(put(w, w->s, &row, 0, WAIT_S));
    assert_int_equal(list(w, &v, &now), 1);
    assert_id(v[0].id, row.id);
    assert_text(v[0].target, row.target);
    assert_text(v[0].node, row.node);
    assert_int_equal(v[0].state, BREAKER_OPEN);
    assert_int_equal(v[0].version, 100);
    assert_int_equal(v[0].failures, 5);
    assert_int_equal(v[0].opens, 2);
    assert_true(v[0].since.us <= now.us);
    int64_t wait = instant_since(v[0].until, v[0].since).us; // the clock may tick between
    assert_true(wait >= duration_s(WAIT_S).us && wait < duration_s(WAIT_S + 1).us);
}

static void only_the_known_version_is_replaced(void **state)
{
    struct world *w = *state;
    struct breaker_row row = row_make("http://one:80", BREAKER_OPEN, 100), *v;
    struct instant now;
    assert_false(put(w, w->s, &row, 99, WAIT_S)); // there is none
    assert_true(put(w, w->s, &row, 0, WAIT_S));
    row.version = 101;
    assert_false(put(w, world_other(w), &row, 0, WAIT_S));
    assert_false(put(w, world_other(w), &row, 99, WAIT_S));
    row.state = BREAKER_HALF_OPEN;
    row.node = STR("n2");
    assert_true(put(w, world_other(w), &row, 100, WAIT_S));
    assert_false(put(w, w->s, &row, 100, WAIT_S));
    struct breaker_row other = row_make("http://two:80", BREAKER_OPEN, 7);
    assert_true(put(w, w->s, &other, 0, WAIT_S));
    assert_int_equal(list(w, &v, &now), 2);
    const struct breaker_row *one = ulid_eq(v[0].id, row.id) ? &v[0] : &v[1];
    assert_int_equal(one->state, BREAKER_HALF_OPEN);
    assert_int_equal(one->version, 101);
    assert_text(one->node, STR("n2"));
}

static void old_ones_are_forgotten(void **state)
{
    struct world *w = *state;
    struct breaker_row old = row_make("http://old:80", BREAKER_OPEN, 1), *v;
    struct breaker_row row = row_make("http://new:80", BREAKER_CLOSED, 2);
    struct instant now;
    assert_true(put(w, w->s, &old, 0, -LONG_AGO_S));
    assert_true(put(w, w->s, &row, 0, 0));
    assert_int_equal(list(w, &v, &now), 1);
    assert_id(v[0].id, row.id);
    assert_true(put(w, w->s, &old, 0, WAIT_S));
}

static void changes_are_told(void **state)
{
    struct world *w = *state;
    struct breaker_row row = row_make("http://one:80", BREAKER_OPEN, 100);
    struct change *v;
    int64_t last;
    size_t n;
    assert_ok(w, w->s->ops->changes_last(w->s, &last, &w->err));
    assert_true(put(w, w->s, &row, 0, WAIT_S));
    assert_false(put(w, w->s, &row, 0, WAIT_S)); // not a change
    assert_ok(w, w->s->ops->changes_read(w->s, last, 10, &v, &n, &w->a, &w->err));
    assert_int_equal(n, w->s->exclusive ? 0 : 1);
    if (n == 1) {
        assert_int_equal(v[0].kind, CHANGE_BREAKER);
        assert_id(v[0].subject, row.id);
    }
}

// ---- at once -----------------------------------------------------------------------------------

struct racer {
    struct store *s;
    pthread_t thread;
    int64_t version;
    _Atomic int *won, *failed;
};

static void *race(void *arg)
{
    struct racer *r = arg;
    struct breaker_row row = row_make("http://one:80", BREAKER_HALF_OPEN, r->version);
    struct err err = {0};
    bool won = false;
    if (!r->s->ops->breaker_put(r->s, &row, 100, duration_s(WAIT_S), &won, &err))
        atomic_fetch_add(r->failed, 1);
    else if (won)
        atomic_fetch_add(r->won, 1);
    return NULL;
}

static void of_many_at_once_one_wins(void **state)
{
    struct world *w = *state;
    struct breaker_row row = row_make("http://one:80", BREAKER_OPEN, 100);
    struct racer racers[THREADS];
    _Atomic int won = 0, failed = 0;
    struct store *stores[] = {w->s, world_other(w)};
    assert_true(put(w, w->s, &row, 0, WAIT_S));
    for (int i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.s = stores[i % 2], .version = 200 + i, .won = &won, .failed = &failed};
        racers[i].thread = thread_start("racer", race, &racers[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(racers[i].thread, NULL);
    assert_int_equal(failed, 0);
    assert_int_equal(won, 1);
}

static const struct CMUnitTest rows[] = {
    CASE("no circuit breakers are a list with a clock", none_is_a_list_with_a_clock),
    CASE("a circuit breaker is as it was put", a_row_is_as_it_was_put),
    CASE("only the version that is known is replaced", only_the_known_version_is_replaced),
    CASE("circuit breakers nobody asks for are forgotten", old_ones_are_forgotten),
    CASE("changes of circuit breakers are told", changes_are_told),
    CASE("of many changes at once one wins", of_many_at_once_one_wins),
};
const struct cases breaker_cases = CASES(rows);
