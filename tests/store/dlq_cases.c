// SPDX-License-Identifier: Apache-2.0
// Dead letters: list, resolve, replay.
#include "conformance.h"

static struct dead_letter letter_add(struct world *w, struct plan *p, const char *reason)
{
    struct run r = fire_one(w, p, RUN_RUNNING, 1);
    struct finish f = finish_make(&r, RUN_FAILED);
    struct dead_letter d = letter_make(w, &r, reason);
    f.dead = &d;
    assert_true(finish(w, &f));
    return d;
}

static void resolved_once_with_a_reason(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct dead_letter d = letter_add(w, &p, "x"), back;
    assert_ok(w, w->s->ops->dlq_resolve(w->s, d.id, STR("me@x"), STR("known"), NULL, STR_NONE, at_s(7), &w->err));
    assert_err(w, w->s->ops->dlq_resolve(w->s, d.id, STR("me@x"), STR("again"), NULL, STR_NONE, at_s(8), &w->err),
               ERR_CONFLICT);
    assert_err(w, w->s->ops->dlq_resolve(w->s, id_new(w), STR("me@x"), STR("no"), NULL, STR_NONE, at_s(8), &w->err),
               ERR_NOT_FOUND);
    assert_ok(w, w->s->ops->dlq_get(w->s, d.id, &back, &w->a, &w->err));
    assert_true(back.resolved);
    assert_text(back.resolved_by, STR("me@x"));
    assert_text(back.resolution, STR("known"));
    assert_int_equal(back.resolved_at.us, at_s(7).us);
    assert_true(ulid_is_zero(back.replay_run_id));
}

static void replay_is_one_transaction(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct dead_letter d = letter_add(w, &p, "x"), back;
    struct run taken = run_make(&p, at_s(900), 1, RUN_QUEUED, 0), replay = taken;
    assert_ok(w, w->s->ops->run_insert(w->s, &taken, &w->err));
    assert_err(w, w->s->ops->dlq_resolve(w->s, d.id, STR("me@x"), STR("r"), &replay, STR_NONE, at_s(8), &w->err),
               ERR_CONFLICT);
    assert_ok(w, w->s->ops->dlq_get(w->s, d.id, &back, &w->a, &w->err));
    assert_false(back.resolved);
    replay = run_make(&p, at_s(901), 1, RUN_QUEUED, 0);
    replay.trigger = TRIGGER_REPLAY;
    struct str edited = STR("{\"name\":\"n\303\266\"}");
    assert_ok(w, w->s->ops->dlq_resolve(w->s, d.id, STR("me@x"), STR("r"), &replay, edited, at_s(8), &w->err));
    assert_ok(w, w->s->ops->dlq_get(w->s, d.id, &back, &w->a, &w->err));
    assert_true(back.resolved);
    assert_text(back.replay_definition, edited);
    assert_text(back.definition, d.definition);
    assert_id(back.replay_run_id, replay.id);
    assert_id(run_read_one(w, replay.id).prev_run, taken.id);
}

static void replay_of_a_deleted_job_is_refused(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct dead_letter d = letter_add(w, &p, "x"), back;
    struct run replay = run_make(&p, at_s(901), 1, RUN_QUEUED, 0);
    assert_ok(w, w->s->ops->job_delete(w->s, p.job_id, 0, at_s(8), &w->err));
    assert_err(w, w->s->ops->dlq_resolve(w->s, d.id, STR("me@x"), STR("r"), &replay, STR_NONE, at_s(8), &w->err),
               ERR_NOT_FOUND);
    assert_ok(w, w->s->ops->dlq_get(w->s, d.id, &back, &w->a, &w->err));
    assert_false(back.resolved);
}

static void same_occurrence_opens_its_letter_again(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct dead_letter d = letter_add(w, &p, "first"), back;
    assert_ok(w, w->s->ops->dlq_resolve(w->s, d.id, STR("me@x"), STR("retried"), NULL, STR_NONE, at_s(7), &w->err));
    struct run again = run_make(&p, d.scheduled, 2, RUN_QUEUED, 0);
    assert_ok(w, w->s->ops->run_insert(w->s, &again, &w->err));
    struct claim claim = {.run = &again};
    again.token = 5;
    again.start = at_s(80);
    struct flush flush = {.claims = &claim, .n_claims = 1};
    assert_ok(w, w->s->ops->flush(w->s, &flush, &w->err));
    struct finish f = finish_make(&again, RUN_FAILED);
    struct dead_letter second = letter_make(w, &again, "second");
    f.dead = &second;
    assert_true(finish(w, &f));
    assert_ok(w, w->s->ops->dlq_get(w->s, d.id, &back, &w->a, &w->err));
    assert_false(back.resolved);
    assert_text(back.reason, STR("second"));
    assert_null(back.resolution.p);
    assert_int_equal(back.attempts, 2);
}

static void listed_with_filters_and_cursors(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a"), other;
    struct ulid mine = w->owner;
    w->owner = id_new(w);
    other = job_add(w, "b");
    for (int i = 0; i < 3; i++)
        (void)letter_add(w, &p, "x");
    struct dead_letter d = letter_add(w, &other, "y"), *v;
    assert_ok(w, w->s->ops->dlq_resolve(w->s, d.id, STR("me@x"), STR("r"), NULL, STR_NONE, at_s(8), &w->err));
    const struct {
        struct dlq_filter f;
        int64_t n;
    } expected[] = {
        {{.resolved = -1}, 4},
        {{.resolved = 0}, 3},
        {{.resolved = 1}, 1},
        {{.resolved = -1, .job_id = other.job_id}, 1},
        {{.resolved = -1, .owner_id = mine}, 3},
        {{.resolved = 1, .owner_id = mine}, 0},
        {{.resolved = -1, .error_class = STR("DUMMY_ERROR")}, 4},
        {{.resolved = -1, .error_class = STR("LOST")}, 0},
        {{.resolved = 0, .error_class = STR("DUMMY_ERROR"), .owner_id = mine}, 3},
        {{.resolved = -1, .before = at_s(501)}, 4},
        {{.resolved = -1, .before = at_s(500)}, 0},
    };
    size_t n;
    struct page_result page;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct page ask = page_of(2);
        int64_t seen = 0;
        for (bool more = true; more; ask.cursor = page.next_cursor) {
            assert_ok(w, w->s->ops->dlq_list(w->s, &expected[i].f, &ask, &v, &n, &page, &w->a, &w->err));
            assert_int_equal(page.total, expected[i].n);
            if (n == 2)
                assert_true(ulid_cmp(v[0].id, v[1].id) > 0);
            seen += (int64_t)n;
            more = page.next_cursor.p != NULL;
        }
        assert_int_equal(seen, expected[i].n);
    }
}

static const struct CMUnitTest rows[] = {
    CASE("a dead letter is resolved once with a reason", resolved_once_with_a_reason),
    CASE("a replay is resolved and queued together or not at all", replay_is_one_transaction),
    CASE("a replay of a deleted job is refused", replay_of_a_deleted_job_is_refused),
    CASE("an occurrence that fails again opens its dead letter again",
         same_occurrence_opens_its_letter_again),
    CASE("dead letters are listed with filters and cursors", listed_with_filters_and_cursors),
};
const struct cases dlq_cases = CASES(rows);
