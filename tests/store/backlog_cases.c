// SPDX-License-Identifier: Apache-2.0
// What waits for somebody, as figures and health are told.
#include "conformance.h"

static struct store_backlog backlog(struct world *w)
{
    struct store_backlog b = {.dead_letters = -1};
    assert_ok(w, w->s->ops->backlog(w->s, &b, &w->err));
    return b;
}

static void nothing_waits_in_a_new_store(void **state)
{
    struct world *w = *state;
    struct store_backlog b = backlog(w);
    assert_int_equal(b.dead_letters, 0);
    assert_int_equal(b.outbox, 0);
    assert_true(instant_is_never(b.outbox_oldest));
    assert_int_equal(b.audit_unsealed, 0);
}

static void open_dead_letters_wait_and_resolved_ones_do_not(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run r = fire_one(w, &p, RUN_RUNNING, 7), other = fire_one(w, &p, RUN_RUNNING, 7);
    struct finish f = finish_make(&r, RUN_FAILED), g = finish_make(&other, RUN_FAILED);
    struct dead_letter d = letter_make(w, &r, "gave up"), e = letter_make(w, &other, "gave up");
    f.dead = &d;
    g.dead = &e;
    assert_true(finish(w, &f) && finish(w, &g));
    assert_int_equal(backlog(w).dead_letters, 2);
    assert_ok(w,
              w->s->ops->dlq_resolve(w->s, d.id, STR("me"), STR("done"), NULL, STR_NONE, at_s(600), &w->err));
    assert_int_equal(backlog(w).dead_letters, 1);
}

static void events_wait_until_they_are_passed_on(void **state)
{
    struct world *w = *state;
    w->s->ops->events_enable(w->s, true);
    struct plan p = job_add(w, "a");
    (void)fire_one(w, &p, RUN_RUNNING, 7);
    struct outbox_event *v;
    size_t n;
    assert_ok(w, w->s->ops->events_read(w->s, 10, &v, &n, &w->a, &w->err));
    struct store_backlog b = backlog(w);
    assert_int_equal(b.outbox, n);
    assert_int_equal(b.outbox_oldest.us, v[0].at.us);
    assert_ok(w, w->s->ops->events_remove(w->s, &v[0].seq, 1, &w->err));
    assert_int_equal(backlog(w).outbox, n - 1);
}

static const struct CMUnitTest rows[] = {
    CASE("nothing waits in a new store", nothing_waits_in_a_new_store),
    CASE("open dead letters wait and resolved ones do not", open_dead_letters_wait_and_resolved_ones_do_not),
    CASE("events wait until they are passed on", events_wait_until_they_are_passed_on),
};
const struct cases backlog_cases = CASES(rows);
