// SPDX-License-Identifier: Apache-2.0
// Jobs and plans: insert, edit, delete, state, and what the engine loads.
#include "conformance.h"

static void job_comes_back_as_it_was(void **state)
{
    struct world *w = *state;
    struct job j;
    struct plan p;
    struct str tags[] = {STR("billing"), STR("nightly")};
    job_make(w, "Größe \"x\"", &j, &p);
    j.tags = (struct strs){tags, 2};
    j.retry_policy.max_attempts = 4;
    assert_ok(w, w->s->ops->jobs_insert(w->s, &j, &p, 1, &w->err));
    world_reopen(w);
    struct job back = job_read(w, j.id);
    assert_text(back.name, j.name);
    assert_text(back.description, j.description);
    assert_text(back.payload, j.payload);
    assert_text(back.schedule.cron_expression, j.schedule.cron_expression);
    assert_int_equal(back.tags.n, 2);
    assert_text(back.tags.v[1], STR("nightly"));
    assert_int_equal(back.retry_policy.max_attempts, 4);
    assert_int_equal(back.concurrency_policy, CONCURRENCY_FORBID);
    assert_int_equal(back.version, 1);
    assert_int_equal(back.status, JOB_SCHEDULED);
    assert_int_equal(back.created_at.us, j.created_at.us);
    assert_int_equal(back.next_fire_time.us, at_s(60).us);
    assert_int_equal(back.run_count, 0);
    assert_true(ulid_is_zero(back.last_run_id));
    assert_id(back.owner_id, w->owner);
}

static void plan_comes_back_as_it_was(void **state)
{
    struct world *w = *state;
    struct job j;
    struct plan p;
    job_make(w, "a", &j, &p);
    j.schedule = (struct schedule_spec){.kind = SCHEDULE_RRULE,
                                        .run_at = at_s(1),
                                        .cron_expression = STR("c"),
                                        .rrule = STR("FREQ=DAILY"),
                                        .dtstart = at_s(2),
                                        .timezone = STR("Asia/Tokyo"),
                                        .interval_seconds = 3,
                                        .interval_ms = 4,
                                        .anchor = ANCHOR_END,
                                        .start_at = at_s(5),
                                        .end_at = at_s(6),
                                        .jitter_seconds = 7,
                                        .dst_gap = DST_GAP_SHIFT,
                                        .dst_overlap = DST_OVERLAP_BOTH,
                                        .day_match = DAY_MATCH_AND,
                                        .dialect = DIALECT_SPRING,
                                        .misfire_policy = MISFIRE_RESCHEDULE,
                                        .misfire_threshold_seconds = 8,
                                        .max_catch_up = 9};
    plan_of_job(&j, &p);
    p.state = JOB_STATE_PAUSED;
    p.enabled = false;
    assert_ok(w, w->s->ops->jobs_insert(w->s, &j, &p, 1, &w->err));
    struct plan b = plan_read_one(w, j.id);
    const struct schedule_spec *x = &b.schedule, *y = &p.schedule;
    assert_int_equal(b.state, JOB_STATE_PAUSED);
    assert_false(b.enabled);
    assert_int_equal(b.priority, PRIORITY_HIGH);
    assert_int_equal(b.concurrency, CONCURRENCY_FORBID);
    assert_int_equal(b.timeout.us, p.timeout.us);
    assert_int_equal(b.anchor_at.us, at_s(5).us);
    assert_text(b.type, STR("DUMMY"));
    assert_int_equal(x->kind, y->kind);
    assert_int_equal(x->run_at.us, y->run_at.us);
    assert_text(x->cron_expression, y->cron_expression);
    assert_text(x->rrule, y->rrule);
    assert_int_equal(x->dtstart.us, y->dtstart.us);
    assert_text(x->timezone, y->timezone);
    assert_int_equal(x->interval_seconds, 3);
    assert_int_equal(x->interval_ms, 4);
    assert_int_equal(x->anchor, ANCHOR_END);
    assert_int_equal(x->end_at.us, y->end_at.us);
    assert_int_equal(x->jitter_seconds, 7);
    assert_int_equal(x->dst_gap, DST_GAP_SHIFT);
    assert_int_equal(x->dst_overlap, DST_OVERLAP_BOTH);
    assert_int_equal(x->day_match, DAY_MATCH_AND);
    assert_int_equal(x->dialect, DIALECT_SPRING);
    assert_int_equal(x->misfire_policy, MISFIRE_RESCHEDULE);
    assert_int_equal(x->misfire_threshold_seconds, 8);
    assert_int_equal(x->max_catch_up, 9);
}

static void insert_is_all_or_nothing(void **state)
{
    struct world *w = *state;
    struct job v[3];
    struct plan p[3];
    struct job none;
    for (size_t i = 0; i < 3; i++)
        job_make(w, "a", &v[i], &p[i]);
    assert_ok(w, w->s->ops->jobs_insert(w->s, &v[2], &p[2], 1, &w->err));
    assert_err(w, w->s->ops->jobs_insert(w->s, v, p, 3, &w->err), ERR_CONFLICT);
    assert_err(w, w->s->ops->job_get(w->s, v[0].id, &none, &w->a, &w->err), ERR_NOT_FOUND);
    assert_err(w, w->s->ops->job_get(w->s, v[1].id, &none, &w->a, &w->err), ERR_NOT_FOUND);
    assert_ok(w, w->s->ops->jobs_insert(w->s, v, p, 2, &w->err));
    assert_text(job_read(w, v[1].id).name, STR("a"));
}

static void update_replaces_the_version_it_knows(void **state)
{
    struct world *w = *state;
    struct job j;
    struct plan p;
    job_make(w, "a", &j, &p);
    assert_ok(w, w->s->ops->jobs_insert(w->s, &j, &p, 1, &w->err));
    struct plan fired = p;
    struct run r = fire_one(w, &fired, RUN_RUNNING, 1);
    j.name = STR("b");
    j.version = p.version = 2;
    j.updated_at = at_s(77);
    p.next_fire = at_s(500);
    assert_ok(w, w->s->ops->job_update(w->s, &j, &p, 1, &w->err));
    struct job back = job_read(w, j.id);
    assert_text(back.name, STR("b"));
    assert_int_equal(back.version, 2);
    assert_int_equal(back.updated_at.us, at_s(77).us);
    assert_int_equal(back.next_fire_time.us, at_s(500).us);
    assert_int_equal(back.run_count, 1);
    assert_id(back.last_run_id, r.id);
    assert_int_equal(plan_read_one(w, j.id).version, 2);
    assert_text(run_read_one(w, r.id).job_name, STR("b"));
    assert_err(w, w->s->ops->job_update(w->s, &j, &p, 1, &w->err), ERR_STALE);
    j.id = p.job_id = id_new(w);
    assert_err(w, w->s->ops->job_update(w->s, &j, &p, 1, &w->err), ERR_NOT_FOUND);
}

static void deleted_job_keeps_its_history(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "gone"), *v;
    struct run done = fire_one(w, &p, RUN_RUNNING, 1), queued = fire_one(w, &p, RUN_QUEUED, 0), *runs;
    struct job none;
    struct page_result page;
    size_t n;
    assert_err(w, w->s->ops->job_delete(w->s, p.job_id, 9, at_s(300), &w->err), ERR_STALE);
    assert_ok(w, w->s->ops->job_delete(w->s, p.job_id, 1, at_s(300), &w->err));
    assert_err(w, w->s->ops->job_delete(w->s, p.job_id, 1, at_s(300), &w->err), ERR_NOT_FOUND);
    assert_err(w, w->s->ops->job_get(w->s, p.job_id, &none, &w->a, &w->err), ERR_NOT_FOUND);
    assert_ok(w, w->s->ops->plans_get(w->s, &p.job_id, 1, &v, &n, &w->a, &w->err));
    assert_int_equal(n, 0);
    struct run back = run_read_one(w, queued.id);
    assert_int_equal(back.status, RUN_CANCELLED);
    assert_int_equal(back.end.us, at_s(300).us);
    assert_text(back.error_class, STR("JOB_DELETED"));
    assert_text(back.job_name, STR("gone"));
    struct finish f = finish_make(&done, RUN_FAILED);
    struct run retry = run_make(&p, done.scheduled, 2, RUN_QUEUED, 0);
    f.retry = &retry; // the result counts, the next attempt of a deleted job does not
    assert_true(finish(w, &f));
    assert_err(w, w->s->ops->run_get(w->s, retry.id, &retry, &w->a, &w->err), ERR_NOT_FOUND);
    struct run_filter filter = {.job_id = p.job_id, .status = -1};
    struct page ask = page_of(10);
    assert_ok(w, w->s->ops->runs_list(w->s, &filter, &ask, &runs, &n, &page, &w->a, &w->err));
    assert_int_equal(n, 2);
    assert_id(runs[0].id, queued.id);
    assert_text(runs[0].job_name, STR("gone"));
    assert_int_equal(page.total, 2);
}

static void delete_takes_any_version_when_asked(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct job none;
    assert_ok(w, w->s->ops->job_delete(w->s, p.job_id, 0, at_s(1), &w->err));
    assert_err(w, w->s->ops->job_get(w->s, p.job_id, &none, &w->a, &w->err), ERR_NOT_FOUND);
}

static void state_counts_the_version_up(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    assert_ok(w, w->s->ops->job_set_state(w->s, p.job_id, JOB_STATE_PAUSED, INSTANT_NEVER, at_s(9), &w->err));
    struct job j = job_read(w, p.job_id);
    struct plan back = plan_read_one(w, p.job_id);
    assert_int_equal(j.version, 2);
    assert_int_equal(j.updated_at.us, at_s(9).us);
    assert_int_equal(j.status, JOB_PAUSED);
    assert_int_equal(back.version, 2);
    assert_int_equal(back.state, JOB_STATE_PAUSED);
    assert_int_equal(back.next_fire.us, at_s(60).us);
    assert_ok(w, w->s->ops->job_set_state(w->s, p.job_id, JOB_STATE_ACTIVE, at_s(700), at_s(10), &w->err));
    back = plan_read_one(w, p.job_id);
    assert_int_equal(back.next_fire.us, at_s(700).us);
    assert_int_equal(back.version, 3);
    assert_err(w,
               w->s->ops->job_set_state(w->s, id_new(w), JOB_STATE_PAUSED, INSTANT_NEVER, at_s(9), &w->err),
               ERR_NOT_FOUND);
}

static void definition_is_the_stored_text(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "defined");
    struct str text;
    int64_t version;
    assert_ok(w, w->s->ops->job_definition(w->s, p.job_id, &text, &version, &w->a, &w->err));
    assert_int_equal(version, 1);
    assert_true(str_contains(text, STR("\"defined\"")));
    assert_ok(w, w->s->ops->job_delete(w->s, p.job_id, 1, at_s(9), &w->err));
    assert_err(w, w->s->ops->job_definition(w->s, p.job_id, &text, &version, &w->a, &w->err), ERR_NOT_FOUND);
}

static void plans_come_in_pages_by_id(void **state)
{
    struct world *w = *state;
    struct ulid ids[7];
    for (size_t i = 0; i < 7; i++)
        ids[i] = job_add(w, "p").job_id;
    assert_ok(w, w->s->ops->job_set_state(w->s, ids[2], JOB_STATE_PAUSED, INSTANT_NEVER, at_s(9), &w->err));
    struct plan *v;
    size_t n, bad;
    assert_ok(w, w->s->ops->plans_page(w->s, ULID_ZERO, 4, false, &v, &n, &bad, &w->a, &w->err));
    assert_int_equal(n, 4);
    assert_int_equal(bad, 0);
    assert_id(v[2].job_id, ids[3]);
    assert_ok(w, w->s->ops->plans_page(w->s, v[3].job_id, 4, false, &v, &n, &bad, &w->a, &w->err));
    assert_int_equal(n, 2);
    assert_id(v[1].job_id, ids[6]);
    assert_ok(w, w->s->ops->plans_page(w->s, ULID_ZERO, 10, true, &v, &n, &bad, &w->a, &w->err));
    assert_int_equal(n, 7);
    struct ulid ask[] = {ids[5], id_new(w), ids[0]};
    assert_ok(w, w->s->ops->plans_get(w->s, ask, 3, &v, &n, &w->a, &w->err));
    assert_int_equal(n, 2);
}

static void unfinished_runs_come_by_id(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "u");
    struct run a = fire_one(w, &p, RUN_RUNNING, 1), b = fire_one(w, &p, RUN_QUEUED, 0), *v;
    struct run skipped = fire_one(w, &p, RUN_SKIPPED, 0), c = fire_one(w, &p, RUN_RUNNING, 2);
    size_t n;
    assert_ok(w, w->s->ops->runs_unfinished(w->s, ULID_ZERO, 2, &v, &n, &w->a, &w->err));
    assert_int_equal(n, 2);
    assert_id(v[0].id, a.id);
    assert_id(v[1].id, b.id);
    assert_text(v[0].job_name, STR("u"));
    assert_ok(w, w->s->ops->runs_unfinished(w->s, b.id, 10, &v, &n, &w->a, &w->err));
    assert_int_equal(n, 1);
    assert_id(v[0].id, c.id);
    struct finish f = finish_make(&a, RUN_LOST);
    assert_true(finish(w, &f));
    assert_ok(w, w->s->ops->runs_unfinished(w->s, ULID_ZERO, 10, &v, &n, &w->a, &w->err));
    assert_int_equal(n, 2);
    assert_int_equal(run_read_one(w, skipped.id).status, RUN_SKIPPED);
}

static void check_proves_a_write(void **state)
{
    struct world *w = *state;
    assert_ok(w, w->s->ops->check(w->s, &w->err));
    assert_string_equal(w->s->ops->name, store_kind);
}

static const struct CMUnitTest rows[] = {
    CASE("a job comes back as it was", job_comes_back_as_it_was),
    CASE("a plan comes back as it was, every field of it", plan_comes_back_as_it_was),
    CASE("inserting jobs is all or nothing", insert_is_all_or_nothing),
    CASE("an edit replaces the version it knows and no other", update_replaces_the_version_it_knows),
    CASE("a deleted job keeps its history and loses what waited", deleted_job_keeps_its_history),
    CASE("a delete without a version takes any", delete_takes_any_version_when_asked),
    CASE("a change of state counts both versions up", state_counts_the_version_up),
    CASE("the definition is the stored text", definition_is_the_stored_text),
    CASE("plans come in pages by id", plans_come_in_pages_by_id),
    CASE("unfinished runs come by id", unfinished_runs_come_by_id),
    CASE("the check proves that a write works", check_proves_a_write),
};
const struct cases job_cases = CASES(rows);
