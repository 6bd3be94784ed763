// SPDX-License-Identifier: Apache-2.0
// Runs: started by hand, cancelled, listed along the chain of their job and by id.
#include "conformance.h"

struct listed {
    struct run *v;
    size_t n;
    struct page_result page;
};

static struct listed list(struct world *w, struct run_filter f, struct page p)
{
    struct listed l;
    assert_ok(w, w->s->ops->runs_list(w->s, &f, &p, &l.v, &l.n, &l.page, &w->a, &w->err));
    return l;
}

static void manual_run_joins_the_chain(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run first = fire_one(w, &p, RUN_RUNNING, 1);
    struct run r = run_make(&p, at_s(70), 1, RUN_QUEUED, 0);
    r.trigger = TRIGGER_MANUAL;
    r.inputs = STR("{\"a\":\"b\"}");
    assert_ok(w, w->s->ops->run_insert(w->s, &r, &w->err));
    struct run back = run_read_one(w, r.id);
    assert_id(back.prev_run, first.id);
    assert_text(back.inputs, STR("{\"a\":\"b\"}"));
    assert_int_equal(back.trigger, TRIGGER_MANUAL);
    assert_int_equal(back.outcome, -1);
    assert_int_equal(back.duration_ms, FIELD_ABSENT);
    assert_err(w, w->s->ops->run_insert(w->s, &r, &w->err), ERR_CONFLICT);
    assert_int_equal(plan_read_one(w, p.job_id).run_count, 2);
    r.job_id = id_new(w);
    assert_err(w, w->s->ops->run_insert(w->s, &r, &w->err), ERR_NOT_FOUND);
    assert_err(w, w->s->ops->run_get(w->s, id_new(w), &back, &w->a, &w->err), ERR_NOT_FOUND);
}

static void cancel_depends_on_the_state(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run queued = fire_one(w, &p, RUN_QUEUED, 0), running = fire_one(w, &p, RUN_RUNNING, 2);
    enum run_cancel_result result;
    assert_ok(w, w->s->ops->run_cancel(w->s, queued.id, at_s(99), &result, &w->err));
    assert_int_equal(result, CANCEL_DONE);
    struct run back = run_read_one(w, queued.id);
    assert_int_equal(back.status, RUN_CANCELLED);
    assert_int_equal(back.end.us, at_s(99).us);
    assert_text(back.error_class, STR("CANCELLED"));
    assert_ok(w, w->s->ops->run_cancel(w->s, queued.id, at_s(99), &result, &w->err));
    assert_int_equal(result, CANCEL_ALREADY_FINAL);
    assert_ok(w, w->s->ops->run_cancel(w->s, running.id, at_s(99), &result, &w->err));
    assert_int_equal(result, CANCEL_REQUESTED);
    world_reopen(w);
    back = run_read_one(w, running.id);
    assert_int_equal(back.status, RUN_RUNNING);
    assert_true(back.cancel_requested);
    assert_ok(w, w->s->ops->run_cancel(w->s, id_new(w), at_s(99), &result, &w->err));
    assert_int_equal(result, CANCEL_NO_SUCH_RUN);
    struct claim claim = {.run = &queued};
    struct flush f = {.claims = &claim, .n_claims = 1};
    assert_ok(w, w->s->ops->flush(w->s, &f, &w->err));
    assert_false(claim.ret_won);
}

static void chain_lists_in_both_directions(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a"), other = job_add(w, "b");
    struct run v[5];
    for (size_t i = 0; i < 5; i++) {
        v[i] = fire_one(w, &p, i % 2 ? RUN_SKIPPED : RUN_MISSED, 0);
        (void)fire_one(w, &other, RUN_MISSED, 0);
    }
    for (int ascending = 0; ascending < 2; ascending++) {
        struct run_filter f = {.job_id = p.job_id, .status = -1};
        struct page ask = {.size = 2, .ascending = ascending};
        size_t seen = 0;
        for (bool more = true; more;) {
            struct listed l = list(w, f, ask);
            assert_int_equal(l.page.total, 5);
            for (size_t i = 0; i < l.n; i++)
                assert_id(l.v[i].id, v[ascending ? seen + i : 4 - seen - i].id);
            seen += l.n;
            more = l.page.next_cursor.p != NULL;
            ask.cursor = l.page.next_cursor;
        }
        assert_int_equal(seen, 5);
    }
    struct run_filter f = {.job_id = p.job_id, .status = RUN_SKIPPED};
    struct listed l = list(w, f, page_of(10));
    assert_int_equal(l.n, 2);
    assert_int_equal(l.page.total, 2);
    struct page skip = {.size = 2, .offset = 3};
    f.status = -1;
    l = list(w, f, skip);
    assert_int_equal(l.n, 2);
    assert_id(l.v[1].id, v[0].id);
    f.owner_id = id_new(w);
    assert_int_equal(list(w, f, page_of(10)).n, 0);
    struct run_filter none = {.job_id = id_new(w), .status = -1};
    assert_int_equal(list(w, none, page_of(10)).n, 0);
}

static void all_runs_list_by_id(void **state)
{
    struct world *w = *state;
    struct plan a = job_add(w, "a"), b;
    struct ulid mine = w->owner;
    w->owner = id_new(w);
    b = job_add(w, "b");
    struct run newest = {.token = 0};
    for (size_t i = 0; i < 6; i++)
        newest = fire_one(w, i % 2 ? &b : &a, i < 2 ? RUN_RUNNING : RUN_MISSED, (int64_t)i + 1);
    struct run_filter f = {.status = -1};
    struct page ask = page_of(4);
    struct listed l = list(w, f, ask);
    assert_int_equal(l.n, 4);
    assert_int_equal(l.page.total, 6);
    assert_true(ulid_cmp(l.v[0].id, newest.id) >= 0);
    for (size_t i = 1; i < 4; i++)
        assert_true(ulid_cmp(l.v[i - 1].id, l.v[i].id) > 0);
    ask.cursor = l.page.next_cursor;
    l = list(w, f, ask);
    assert_int_equal(l.n, 2);
    assert_null(l.page.next_cursor.p);
    f.owner_id = mine;
    l = list(w, f, page_of(10));
    assert_int_equal(l.n, 3);
    assert_int_equal(l.page.total, 3);
    assert_text(l.v[0].job_name, STR("a"));
    f = (struct run_filter){.status = RUN_RUNNING};
    struct page up = {.size = 10, .ascending = true, .sort = STR("scheduledTime")};
    l = list(w, f, up);
    assert_int_equal(l.n, 2);
    assert_int_equal(l.page.total, 2);
    assert_true(ulid_cmp(l.v[0].id, l.v[1].id) < 0);
    f.status = RUN_MISSED;
    assert_int_equal(list(w, f, page_of(10)).n, 4);
}

static void run_cursors_are_their_lists_own(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    (void)fire_one(w, &p, RUN_MISSED, 0);
    (void)fire_one(w, &p, RUN_MISSED, 0);
    struct run_filter all = {.status = -1}, chain = {.job_id = p.job_id, .status = -1};
    struct page ask = {.size = 1};
    ask.cursor = list(w, all, ask).page.next_cursor;
    assert_non_null(ask.cursor.p);
    struct listed l;
    assert_err(w, w->s->ops->runs_list(w->s, &chain, &ask, &l.v, &l.n, &l.page, &w->a, &w->err), ERR_INVALID);
    assert_string_equal(w->err.field, "/cursor");
}

static void cursor_of_runs_is_stable_under_fires(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run v[4];
    for (size_t i = 0; i < 4; i++)
        v[i] = fire_one(w, &p, RUN_MISSED, 0);
    struct run_filter f = {.job_id = p.job_id, .status = -1};
    struct page ask = page_of(2);
    ask.cursor = list(w, f, ask).page.next_cursor;
    (void)fire_one(w, &p, RUN_MISSED, 0);
    struct listed l = list(w, f, ask);
    assert_int_equal(l.n, 2);
    assert_id(l.v[0].id, v[1].id);
    assert_id(l.v[1].id, v[0].id);
}

static const struct CMUnitTest rows[] = {
    CASE("a run started by hand joins the chain of its job", manual_run_joins_the_chain),
    CASE("what cancelling does depends on the state of the run", cancel_depends_on_the_state),
    CASE("the runs of a job are listed in both directions", chain_lists_in_both_directions),
    CASE("all runs are listed by id with filters", all_runs_list_by_id),
    CASE("a cursor of one list of runs is refused by another", run_cursors_are_their_lists_own),
    CASE("a cursor along a chain is stable while the job fires", cursor_of_runs_is_stable_under_fires),
};
const struct cases run_cases = CASES(rows);
