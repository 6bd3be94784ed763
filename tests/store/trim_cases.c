// SPDX-License-Identifier: Apache-2.0
// Retention: what goes, what stays, and that a call never takes more than it may.
#include "conformance.h"

enum { AT_ONCE = 100, MINUTE_S = 60 };

static size_t trim(struct world *w, struct instant before, size_t max, bool *ret_more)
{
    size_t n;
    assert_ok(w, w->s->ops->history_trim(w->s, before, max, &n, ret_more, &w->err));
    assert_true(n <= max);
    return n;
}

static size_t trim_all(struct world *w, struct instant before)
{
    size_t n = 0;
    bool more = true;
    while (more)
        n += trim(w, before, AT_ONCE, &more);
    return n;
}

static bool exists(struct world *w, struct ulid id)
{
    struct run r;
    if (w->s->ops->run_get(w->s, id, &r, &w->a, &w->err))
        return true;
    assert_int_equal(w->err.code, ERR_NOT_FOUND);
    return false;
}

static size_t listed(struct world *w, struct ulid job_id)
{
    struct run_filter f = {.job_id = job_id, .status = -1};
    struct page ask = page_of(PAGE_SIZE_MAX);
    struct page_result page;
    struct run *v;
    size_t n;
    assert_ok(w, w->s->ops->runs_list(w->s, &f, &ask, &v, &n, &page, &w->a, &w->err));
    assert_int_equal(page.total, n);
    ask.ascending = true;
    assert_ok(w, w->s->ops->runs_list(w->s, &f, &ask, &v, &n, &page, &w->a, &w->err));
    assert_int_equal(page.total, n);
    return n;
}

// A run of the next occurrence that has ended.
static struct run ended(struct world *w, struct plan *p)
{
    struct run r = fire_one(w, p, RUN_RUNNING, 3);
    struct finish f = finish_make(&r, RUN_SUCCEEDED);
    assert_true(finish(w, &f));
    return r;
}

static void old_runs_go(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run v[4];
    for (int i = 0; i < 4; i++)
        v[i] = ended(w, &p);
    assert_int_equal(trim_all(w, v[2].scheduled), 2);
    assert_false(exists(w, v[0].id) || exists(w, v[1].id));
    assert_true(exists(w, v[2].id) && exists(w, v[3].id));
    assert_int_equal(listed(w, p.job_id), 2);
    assert_int_equal(trim_all(w, v[2].scheduled), 0);
}

static void newest_run_stays(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a"), q = job_add(w, "b");
    struct run old = ended(w, &p), newest = ended(w, &p), only = ended(w, &q);
    assert_int_equal(trim_all(w, at_s(100000)), 1);
    assert_false(exists(w, old.id));
    assert_true(exists(w, newest.id) && exists(w, only.id));
    (void)ended(w, &p);
    assert_int_equal(trim_all(w, at_s(100000)), 1); // now it is not the newest any more
    assert_false(exists(w, newest.id));
}

static void unfinished_runs_stay_and_what_they_hide(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run running = fire_one(w, &p, RUN_RUNNING, 3);
    struct run after = ended(w, &p), newest = ended(w, &p);
    assert_int_equal(trim_all(w, at_s(100000)), 0); // the chain would lose the run that goes on
    assert_int_equal(listed(w, p.job_id), 3);
    struct finish f = finish_make(&running, RUN_SUCCEEDED);
    assert_true(finish(w, &f));
    assert_int_equal(trim_all(w, at_s(100000)), 2);
    assert_false(exists(w, running.id) || exists(w, after.id));
    assert_true(exists(w, newest.id));
}

static void retry_goes_with_its_occurrence(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run first = fire_one(w, &p, RUN_RUNNING, 3);
    struct finish f = finish_make(&first, RUN_FAILED);
    struct run retries[4];
    f.retry = &retries[0];
    for (int i = 0; i < 4; i++) {
        retries[i] = run_make(&p, first.scheduled, i + 2, RUN_QUEUED, 0);
        assert_true(finish(w, &f));
        struct run claimed = retries[i];
        claimed.token = 5;
        claimed.start = at_s(70);
        struct claim c = {.run = &claimed};
        struct flush all = {.claims = &c, .n_claims = 1};
        assert_ok(w, w->s->ops->flush(w->s, &all, &w->err));
        retries[i] = claimed;
        f = finish_make(&retries[i], RUN_FAILED);
        f.retry = i < 3 ? &retries[i + 1] : NULL;
    }
    assert_true(finish(w, &f));
    (void)ended(w, &p);
    assert_int_equal(listed(w, p.job_id), 6);
    assert_int_equal(trim_all(w, at_s(100000)), 5);
    assert_int_equal(listed(w, p.job_id), 1);
}

// A retry of an old occurrence may stand in front of a younger run: it waits for that one.
static void chain_is_never_cut_in_the_middle(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run old = fire_one(w, &p, RUN_RUNNING, 3), younger = ended(w, &p);
    struct run retry = run_make(&p, old.scheduled, 2, RUN_QUEUED, 0);
    struct finish f = finish_make(&old, RUN_FAILED);
    enum run_cancel_result cancelled;
    f.retry = &retry;
    assert_true(finish(w, &f));
    assert_ok(w, w->s->ops->run_cancel(w->s, retry.id, at_s(200), &cancelled, &w->err));
    struct run newest = ended(w, &p);
    assert_int_equal(trim_all(w, younger.scheduled), 1); // the oldest only
    assert_false(exists(w, old.id));
    assert_int_equal(listed(w, p.job_id), 3);
    assert_int_equal(trim_all(w, newest.scheduled), 2);
    assert_int_equal(listed(w, p.job_id), 1);
}

static void runs_of_deleted_jobs_all_go(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run r = ended(w, &p), newest = ended(w, &p);
    assert_ok(w, w->s->ops->job_delete(w->s, p.job_id, 0, at_s(900), &w->err));
    assert_int_equal(trim_all(w, at_s(100000)), 2);
    assert_false(exists(w, r.id) || exists(w, newest.id));
    assert_int_equal(listed(w, p.job_id), 0);
}

static void logs_go_with_their_run(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run old = ended(w, &p), newest = ended(w, &p);
    struct log_line lines[] = {
        {.id = 1, .run_id = old.id, .timestamp = at_s(61), .message = STR("old")},
        {.id = 1, .run_id = newest.id, .timestamp = at_s(121), .message = STR("new")},
    };
    struct flush all = {.logs = lines, .n_logs = 2};
    struct log_line *v;
    size_t n;
    assert_ok(w, w->s->ops->flush(w->s, &all, &w->err));
    assert_int_equal(trim_all(w, at_s(100000)), 1);
    assert_ok(w, w->s->ops->logs_read(w->s, old.id, 0, 10, &v, &n, &w->a, &w->err));
    assert_int_equal(n, 0);
    assert_ok(w, w->s->ops->logs_read(w->s, newest.id, 0, 10, &v, &n, &w->a, &w->err));
    assert_int_equal(n, 1);
}

static void resolved_letters_go(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct dead_letter letters[3], back;
    for (int i = 0; i < 3; i++) {
        struct run r = fire_one(w, &p, RUN_RUNNING, 3);
        struct finish f = finish_make(&r, RUN_FAILED);
        letters[i] = letter_make(w, &r, "gone");
        f.dead = &letters[i];
        assert_true(finish(w, &f));
    }
    for (int i = 0; i < 3; i += 2)
        assert_ok(
            w, w->s->ops->dlq_resolve(w->s, letters[i].id, STR("me"), STR("ok"), NULL, STR_NONE, at_s(900), &w->err));
    (void)trim_all(w, letters[2].scheduled);
    assert_err(w, w->s->ops->dlq_get(w->s, letters[0].id, &back, &w->a, &w->err), ERR_NOT_FOUND);
    assert_ok(w, w->s->ops->dlq_get(w->s, letters[1].id, &back, &w->a, &w->err)); // not resolved
    assert_ok(w, w->s->ops->dlq_get(w->s, letters[2].id, &back, &w->a, &w->err)); // not old
}

static void trimming_is_paced(void **state)
{
    enum { RUNS = 23, MAX = 5 };
    struct world *w = *state;
    struct plan p = job_add(w, "a"), resting = job_add(w, "b");
    size_t calls = 0, removed = 0;
    bool more = true;
    (void)ended(w, &resting);
    for (int i = 0; i < RUNS; i++)
        (void)ended(w, &p);
    for (; more; calls++)
        removed += trim(w, at_s(100000), MAX, &more);
    assert_int_equal(removed, RUNS - 1);
    assert_true(calls >= RUNS / MAX && calls <= RUNS / MAX + 3);
    assert_int_equal(listed(w, p.job_id), 1);
    assert_int_equal(listed(w, resting.job_id), 1);
}

static void cursor_of_a_removed_run_is_the_end(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run_filter f = {.job_id = p.job_id, .status = -1};
    struct page ask = page_of(1);
    struct page_result page;
    struct run *v;
    size_t n;
    for (int i = 0; i < 4; i++)
        (void)ended(w, &p);
    for (int i = 0; i < 2; i++) {
        assert_ok(w, w->s->ops->runs_list(w->s, &f, &ask, &v, &n, &page, &w->a, &w->err));
        assert_int_equal(n, 1);
        ask.cursor = page.next_cursor;
    }
    assert_int_equal(trim_all(w, at_s(100000)), 3);
    assert_ok(w, w->s->ops->runs_list(w->s, &f, &ask, &v, &n, &page, &w->a, &w->err));
    assert_int_equal(n, 0);
    assert_null(page.next_cursor.p);
}

static const struct CMUnitTest rows[] = {
    CASE("runs scheduled before an instant go", old_runs_go),
    CASE("the newest run of a job stays", newest_run_stays),
    CASE("unfinished runs stay, and the runs that lead to them", unfinished_runs_stay_and_what_they_hide),
    CASE("all attempts of an occurrence go", retry_goes_with_its_occurrence),
    CASE("a chain is never cut in the middle", chain_is_never_cut_in_the_middle),
    CASE("of a deleted job all runs go", runs_of_deleted_jobs_all_go),
    CASE("log lines go with their run", logs_go_with_their_run),
    CASE("resolved dead letters go, open ones stay", resolved_letters_go),
    CASE("a list that was at a removed run has come to its end", cursor_of_a_removed_run_is_the_end),
    CASE("one call removes no more than it may and says whether there is more", trimming_is_paced),
};
const struct cases trim_cases = CASES(rows);
