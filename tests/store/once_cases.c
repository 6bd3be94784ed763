// SPDX-License-Identifier: Apache-2.0
// Requests that are carried out once: claims, effects that share their transaction, answers, old ones.
#include "conformance.h"

enum { LEASE_S = 3600, RACERS = 8 };

static struct once_claim claim_make(struct world *w, const char *key, const char *request, int64_t lease_s)
{
    struct once_claim c = {.claim = id_new(w), .lease = duration_s(lease_s), .keep = duration_s(86400)};
    (void)snprintf((char *)c.key, sizeof c.key, "%s", key);
    (void)snprintf((char *)c.print, sizeof c.print, "%s", request);
    return c;
}

static struct once_found claim(struct world *w, const struct once_claim *c)
{
    struct once_found f = {.mine = false};
    assert_ok(w, w->s->ops->once->claim(w->s, c, &f, &w->a, &w->err));
    return f;
}

static bool effect(struct world *w, const struct once_claim *c, const char *name)
{
    struct once_mark m = {.claim = c};
    once_mark_set(&m);
    bool ok = w->s->ops->setting_put(w->s, str_of(name), STR("done"), &w->err);
    once_mark_set(NULL);
    assert_int_equal(m.marked, ok);
    return ok;
}

static bool effect_there(struct world *w, const char *name)
{
    struct str value;
    return w->s->ops->setting_get(w->s, str_of(name), &value, &w->a, &w->err);
}

static void the_first_answer_is_kept_for_who_asks_again(void **state)
{
    struct world *w = *state;
    struct once_claim first = claim_make(w, "k", "request", LEASE_S),
                      second = claim_make(w, "k", "request", LEASE_S);
    assert_true(claim(w, &first).mine);
    struct once_found f = claim(w, &second);
    assert_false(f.mine);
    assert_true(f.same && f.leased);
    assert_int_equal(f.state, ONCE_CLAIMED);
    assert_true(effect(w, &first, "effect"));
    f = claim(w, &second);
    assert_int_equal(f.state, ONCE_CARRIED_OUT);
    assert_id(f.claim, first.claim);
    struct once_answer answer = {201, STR("Location: /x\n"), STR("{\"name\":\"é\"}")};
    assert_ok(w, w->s->ops->once->end(w->s, &first, &answer, false, &w->err));
    world_reopen(w);
    f = claim(w, &second);
    assert_int_equal(f.state, ONCE_ANSWERED);
    assert_int_equal(f.answer.status, 201);
    assert_text(f.answer.headers, answer.headers);
    assert_text(f.answer.body, answer.body);
    struct once_claim other = claim_make(w, "k", "another request", LEASE_S);
    assert_false(claim(w, &other).same);
    struct once_claim elsewhere = claim_make(w, "another key", "request", LEASE_S);
    assert_true(claim(w, &elsewhere).mine);
}

static void who_was_too_slow_has_no_effect(void **state)
{
    struct world *w = *state;
    struct once_claim slow = claim_make(w, "k", "request", 0), fast = claim_make(w, "k", "request", LEASE_S);
    assert_true(claim(w, &slow).mine);
    assert_true(claim(w, &fast).mine); // the lease was over at once
    assert_false(effect(w, &slow, "slow"));
    assert_int_equal(w->err.code, ERR_CONFLICT);
    assert_false(effect_there(w, "slow"));
    assert_true(effect(w, &fast, "fast"));
    assert_true(effect_there(w, "fast"));
    assert_ok(w, w->s->ops->once->end(w->s, &slow, NULL, true, &w->err)); // gives up what is not its own
    assert_int_equal(claim(w, &slow).state, ONCE_CARRIED_OUT);
}

static void what_was_carried_out_is_never_taken_over(void **state)
{
    struct world *w = *state;
    struct once_claim died = claim_make(w, "k", "request", 0), next = claim_make(w, "k", "request", LEASE_S);
    assert_true(claim(w, &died).mine);
    assert_true(effect(w, &died, "effect"));
    struct once_found f = claim(w, &next);
    assert_false(f.mine || f.leased);
    assert_true(f.same);
    assert_int_equal(f.state, ONCE_CARRIED_OUT);
}

static void a_failed_effect_leaves_the_claim_and_giving_up_frees_it(void **state)
{
    struct world *w = *state;
    struct once_claim c = claim_make(w, "k", "request", LEASE_S),
                      next = claim_make(w, "k", "another", LEASE_S);
    struct once_mark m = {.claim = &c};
    assert_true(claim(w, &c).mine);
    once_mark_set(&m);
    assert_err(w, w->s->ops->job_delete(w->s, id_new(w), 1, at_s(0), &w->err), ERR_NOT_FOUND);
    once_mark_set(NULL);
    assert_false(m.marked);
    assert_int_equal(claim(w, &next).state, ONCE_CLAIMED);
    assert_ok(w, w->s->ops->once->end(w->s, &c, NULL, false, &w->err));
    assert_true(claim(w, &next).mine);
    assert_true(effect(w, &next, "effect"));
    assert_ok(w, w->s->ops->once->end(w->s, &next, NULL, false, &w->err)); // something was done: it stays
    assert_int_equal(claim(w, &next).state, ONCE_CARRIED_OUT);
    assert_ok(w, w->s->ops->once->end(w->s, &next, NULL, true, &w->err));
    assert_true(claim(w, &c).mine);
}

static void old_ones_are_free_again_and_removed(void **state)
{
    struct world *w = *state;
    struct once_claim c = claim_make(w, "a", "request", LEASE_S), d = claim_make(w, "b", "request", LEASE_S);
    assert_true(claim(w, &c).mine);
    assert_true(claim(w, &d).mine);
    struct once_claim again = claim_make(w, "a", "something else", LEASE_S);
    again.keep = duration_s(0);
    assert_true(claim(w, &again).mine);
    assert_ok(w, w->s->ops->once->trim(w->s, duration_s(86400), 10, &w->err));
    assert_int_equal(claim(w, &d).state, ONCE_CLAIMED);
    assert_false(claim(w, &d).mine);
    assert_ok(w, w->s->ops->once->trim(w->s, duration_s(0), 10, &w->err));
    assert_true(claim(w, &c).mine);
    assert_true(claim(w, &d).mine);
}

struct racer {
    struct world *w;
    struct once_claim claim;
    char name[32];
    bool done;
};

static void *race(void *arg)
{
    struct racer *r = arg;
    struct once_found f = {.mine = false};
    struct err err = {0};
    struct arena a CLEANUP(arena_release);
    arena_init(&a, 1 << 20);
    struct store *s = r->w->s;
    if (!s->ops->once->claim(s, &r->claim, &f, &a, &err) || !f.mine)
        return NULL;
    struct once_mark m = {.claim = &r->claim};
    once_mark_set(&m);
    r->done = s->ops->setting_put(s, str_of(r->name), STR("done"), &err);
    once_mark_set(NULL);
    return NULL;
}

static void of_many_at_once_one_has_an_effect(void **state)
{
    struct world *w = *state;
    struct racer v[RACERS];
    pthread_t threads[RACERS];
    int done = 0, there = 0;
    for (int i = 0; i < RACERS; i++) {
        v[i] =
            (struct racer){.w = w, .claim = claim_make(w, "k", "request", 0)}; // each may take over from each
        (void)snprintf(v[i].name, sizeof v[i].name, "effect.%d", i);
        threads[i] = thread_start("racer", race, &v[i]);
    }
    for (int i = 0; i < RACERS; i++)
        (void)pthread_join(threads[i], NULL);
    for (int i = 0; i < RACERS; i++) {
        done += v[i].done;
        there += effect_there(w, v[i].name);
    }
    assert_int_equal(done, there);
    assert_true(there <= 1);
    struct once_claim last = claim_make(w, "k", "request", 0);
    if (there == 0) // each was taken over by the next before it wrote
        assert_true(claim(w, &last).mine);
}

static const struct CMUnitTest rows[] = {
    CASE("the first answer is kept for who asks again", the_first_answer_is_kept_for_who_asks_again),
    CASE("who was too slow has no effect", who_was_too_slow_has_no_effect),
    CASE("what was carried out is never taken over", what_was_carried_out_is_never_taken_over),
    CASE("a failed effect leaves the claim, and giving up frees it",
         a_failed_effect_leaves_the_claim_and_giving_up_frees_it),
    CASE("old ones are free again and removed", old_ones_are_free_again_and_removed),
    CASE("of many at once one has an effect", of_many_at_once_one_has_an_effect),
};
const struct cases once_cases = CASES(rows);
