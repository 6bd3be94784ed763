// SPDX-License-Identifier: Apache-2.0
// Duties that only one node may have.
#include "conformance.h"

enum { LONG_S = 3600, SHORT_MS = 200, THREADS = 8 };

static bool hold(struct world *w, struct store *s, int64_t token, struct duration lease, int64_t *ret_term)
{
    bool held;
    assert_ok(w, s->ops->duty_hold(s, STR("sweep"), token, lease, &held, ret_term, &w->err));
    return held;
}

static void free_duty_is_taken_and_kept(void **state)
{
    struct world *w = *state;
    int64_t term, again, others;
    assert_true(hold(w, w->s, 1, duration_s(LONG_S), &term));
    assert_true(term >= 1);
    assert_true(hold(w, w->s, 1, duration_s(LONG_S), &again));
    assert_int_equal(again, term);
    assert_false(hold(w, world_other(w), 2, duration_s(LONG_S), &others));
    assert_true(hold(w, w->s, 1, duration_s(LONG_S), &again));
    assert_int_equal(again, term);
}

static void duties_are_apart(void **state)
{
    struct world *w = *state;
    bool held;
    int64_t term;
    assert_true(hold(w, w->s, 1, duration_s(LONG_S), &term));
    assert_ok(w, w->s->ops->duty_hold(w->s, STR("other"), 2, duration_s(LONG_S), &held, &term, &w->err));
    assert_true(held);
}

static void released_duty_goes_to_the_next(void **state)
{
    struct world *w = *state;
    int64_t first, second, third;
    assert_true(hold(w, w->s, 1, duration_s(LONG_S), &first));
    assert_ok(w, w->s->ops->duty_release(w->s, STR("sweep"), 2, &w->err)); // it is not theirs
    assert_false(hold(w, w->s, 2, duration_s(LONG_S), &second));
    assert_ok(w, w->s->ops->duty_release(w->s, STR("sweep"), 1, &w->err));
    assert_ok(w, w->s->ops->duty_release(w->s, STR("sweep"), 1, &w->err));
    assert_ok(w, w->s->ops->duty_release(w->s, STR("unknown"), 1, &w->err));
    assert_true(hold(w, w->s, 2, duration_s(LONG_S), &second));
    assert_true(second > first);
    assert_ok(w, w->s->ops->duty_release(w->s, STR("sweep"), 2, &w->err));
    assert_true(hold(w, w->s, 2, duration_s(LONG_S), &third));
    assert_true(third > second);
}

static void ended_duty_counts_a_new_term(void **state)
{
    struct world *w = *state;
    int64_t first, second, third;
    assert_true(hold(w, w->s, 1, duration_ms(SHORT_MS), &first));
    world_pass(w, duration_ms(SHORT_MS));
    while (!hold(w, w->s, 2, duration_ms(SHORT_MS), &second))
        ;
    assert_true(second > first);
    assert_false(hold(w, w->s, 1, duration_ms(SHORT_MS), &third));
    world_pass(w, duration_ms(SHORT_MS));
    while (!hold(w, w->s, 1, duration_s(LONG_S), &third))
        ;
    assert_true(third > second);
}

static void own_ended_duty_counts_a_new_term(void **state)
{
    struct world *w = *state;
    struct node *nodes;
    struct instant start, now;
    size_t n;
    int64_t first, second;
    assert_true(hold(w, w->s, 1, duration_ms(SHORT_MS), &first));
    assert_ok(w, w->s->ops->nodes_list(w->s, &nodes, &n, &start, &w->a, &w->err));
    world_pass(w, duration_ms(2 * SHORT_MS));
    do
        assert_ok(w, w->s->ops->nodes_list(w->s, &nodes, &n, &now, &w->a, &w->err));
    while (instant_since(now, start).us < 2 * SHORT_MS * US_PER_MS);
    assert_true(hold(w, w->s, 1, duration_s(LONG_S), &second));
    assert_true(second > first);
}

struct contender {
    struct store *s;
    int64_t token, term;
    bool held, failed;
    struct err err;
};

static void *contend(void *arg)
{
    struct contender *c = arg;
    c->failed =
        !c->s->ops->duty_hold(c->s, STR("sweep"), c->token, duration_s(LONG_S), &c->held, &c->term, &c->err);
    return NULL;
}

static void one_of_many_holds(void **state)
{
    struct world *w = *state;
    struct store *other = world_other(w);
    struct contender v[THREADS];
    pthread_t t[THREADS];
    int held = 0;
    for (int i = 0; i < THREADS; i++) {
        v[i] = (struct contender){.s = i % 2 ? other : w->s, .token = i + 1};
        t[i] = thread_start("contender", contend, &v[i]);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(t[i], NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        if (v[i].failed)
            fail_msg("%s", v[i].err.text);
        held += v[i].held;
        assert_true(!v[i].held || v[i].term == 1);
    }
    assert_int_equal(held, 1);
}

static const struct CMUnitTest rows[] = {
    CASE("a free duty is taken, kept by its holder and refused to others", free_duty_is_taken_and_kept),
    CASE("duties of different names are apart", duties_are_apart),
    CASE("a released duty goes to whoever asks next", released_duty_goes_to_the_next),
    CASE("a duty whose lease has ended starts a new term", ended_duty_counts_a_new_term),
    CASE("also for the one who had it", own_ended_duty_counts_a_new_term),
    CASE("of many one holds a duty", one_of_many_holds),
};
const struct cases duty_cases = CASES(rows);
