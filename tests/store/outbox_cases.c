// SPDX-License-Identifier: Apache-2.0
// Events for readers outside: one per change of state, in order, until they are removed.
#include "conformance.h"

enum { READ_MAX = 1000 };

static size_t events(struct world *w, struct outbox_event **ret)
{
    size_t n;
    assert_ok(w, w->s->ops->events_read(w->s, READ_MAX, ret, &n, &w->a, &w->err));
    return n;
}

static void forget(struct world *w)
{
    struct outbox_event *v;
    size_t n = events(w, &v);
    int64_t *seqs = arena_new_array(&w->a, int64_t, n);
    for (size_t i = 0; i < n; i++)
        seqs[i] = v[i].seq;
    assert_ok(w, w->s->ops->events_remove(w->s, seqs, n, &w->err));
    assert_int_equal(events(w, &v), 0);
}

static struct plan job_with_events(struct world *w)
{
    struct plan p = job_add(w, "a");
    w->s->ops->events_enable(w->s, true);
    return p;
}

// What the only event since the last one was; it is removed.
static struct outbox_event only_event(struct world *w, int of, int what)
{
    struct outbox_event *v;
    assert_int_equal(events(w, &v), 1);
    struct outbox_event e = v[0];
    assert_int_equal(e.of, of);
    assert_int_equal(e.what, what);
    assert_true(e.at.us > 0);
    forget(w);
    return e;
}

static void nothing_is_written_unless_asked(void **state)
{
    struct world *w = *state;
    struct outbox_event *v;
    struct plan p = job_add(w, "a");
    (void)fire_one(w, &p, RUN_RUNNING, 1);
    assert_int_equal(events(w, &v), 0);
    w->s->ops->events_enable(w->s, true);
    w->s->ops->events_enable(w->s, false);
    (void)fire_one(w, &p, RUN_RUNNING, 1);
    assert_int_equal(events(w, &v), 0);
}

static void changes_of_a_job_are_events(void **state)
{
    struct world *w = *state;
    struct job j;
    struct plan p;
    job_make(w, "a", &j, &p);
    w->s->ops->events_enable(w->s, true);
    assert_ok(w, w->s->ops->jobs_insert(w->s, &j, &p, 1, &w->err));
    struct outbox_event e = only_event(w, OUTBOX_JOB, OUTBOX_JOB_CREATED);
    assert_id(e.job_id, j.id);
    assert_int_equal(e.job_version, 1);
    assert_true(ulid_is_zero(e.run_id));
    assert_true(instant_is_never(e.scheduled) && instant_is_never(e.start) && instant_is_never(e.end));
    j.version = p.version = 2;
    assert_ok(w, w->s->ops->job_update(w->s, &j, &p, 1, &w->err));
    assert_int_equal(only_event(w, OUTBOX_JOB, OUTBOX_JOB_UPDATED).job_version, 2);
    assert_ok(w, w->s->ops->job_set_state(w->s, j.id, JOB_STATE_PAUSED, INSTANT_NEVER, at_s(3), &w->err));
    assert_int_equal(only_event(w, OUTBOX_JOB, OUTBOX_JOB_STATE_CHANGED).job_version, 3);
    assert_ok(w, w->s->ops->job_delete(w->s, j.id, 0, at_s(4), &w->err));
    assert_int_equal(only_event(w, OUTBOX_JOB, OUTBOX_JOB_DELETED).job_version, 3);
    assert_err(w, w->s->ops->job_delete(w->s, j.id, 0, at_s(4), &w->err), ERR_NOT_FOUND);
    assert_int_equal(events(w, &(struct outbox_event *){NULL}), 0);
}

static void life_of_a_run_is_events(void **state)
{
    struct world *w = *state;
    struct plan p = job_with_events(w);
    struct run r = fire_one(w, &p, RUN_QUEUED, 0);
    struct outbox_event e = only_event(w, OUTBOX_RUN, RUN_QUEUED);
    assert_id(e.job_id, p.job_id);
    assert_id(e.run_id, r.id);
    assert_id(e.run_key, r.run_key);
    assert_int_equal(e.scheduled.us, r.scheduled.us);
    assert_int_equal(e.attempt, 1);
    assert_int_equal(e.exit_code, FIELD_ABSENT);
    r.token = 9;
    r.start = at_s(61);
    r.worker = STR("node-1");
    struct claim c = {.run = &r};
    struct flush all = {.claims = &c, .n_claims = 1};
    assert_ok(w, w->s->ops->flush(w->s, &all, &w->err));
    assert_true(c.ret_won);
    e = only_event(w, OUTBOX_RUN, RUN_RUNNING);
    assert_int_equal(e.start.us, at_s(61).us);
    assert_text(e.worker, STR("node-1"));
    struct finish f = finish_make(&r, RUN_FAILED);
    assert_true(finish(w, &f));
    e = only_event(w, OUTBOX_RUN, RUN_FAILED);
    assert_id(e.run_id, r.id);
    assert_id(e.job_id, p.job_id);
    assert_int_equal(e.end.us, r.end.us);
    assert_int_equal(e.exit_code, 1);
    assert_text(e.error_class, STR("DUMMY_ERROR"));
    assert_text(e.error_message, STR("it failed"));
    assert_int_equal(e.job_version, 1);
}

static void lost_decisions_are_no_events(void **state)
{
    struct world *w = *state;
    struct plan p = job_with_events(w), late = p;
    struct run r = fire_one(w, &p, RUN_RUNNING, 4),
               again = run_make(&late, late.next_fire, 1, RUN_RUNNING, 5);
    struct fire lost = {.job_id = p.job_id,
                        .expect_version = 1,
                        .expect_next = late.next_fire,
                        .new_next = at_s(900),
                        .runs = &again,
                        .n_runs = 1};
    struct run stale = r;
    struct outbox_event *v;
    stale.token = 99;
    struct finish f = finish_make(&stale, RUN_SUCCEEDED);
    forget(w);
    assert_false(fire(w, &lost));
    assert_false(finish(w, &f));
    assert_int_equal(events(w, &v), 0);
}

// In one flush: the result, then the attempt that follows.
static void retry_comes_after_its_failure(void **state)
{
    struct world *w = *state;
    struct plan p = job_with_events(w);
    struct outbox_event *v;
    struct run r = fire_one(w, &p, RUN_RUNNING, 4);
    struct run retry = run_make(&p, r.scheduled, 2, RUN_QUEUED, 0);
    struct finish f = finish_make(&r, RUN_FAILED);
    f.retry = &retry;
    assert_true(finish(w, &f));
    assert_int_equal(events(w, &v), 3);
    assert_int_equal(v[0].what, RUN_RUNNING);
    assert_int_equal(v[1].what, RUN_FAILED);
    assert_int_equal(v[2].what, RUN_QUEUED);
    assert_id(v[2].run_id, retry.id);
    assert_int_equal(v[2].attempt, 2);
    assert_true(v[0].seq < v[1].seq && v[1].seq < v[2].seq);
}

static void one_flush_tells_each_change(void **state)
{
    struct world *w = *state;
    struct plan p = job_with_events(w);
    struct run r = run_make(&p, p.next_fire, 1, RUN_QUEUED, 0), claimed = r, done;
    struct outbox_event *v;
    struct fire f = {.job_id = p.job_id,
                     .expect_version = 1,
                     .expect_next = p.next_fire,
                     .new_next = at_s(120),
                     .runs = &r,
                     .n_runs = 1};
    claimed.token = 6;
    claimed.start = at_s(61);
    done = claimed;
    struct claim c = {.run = &claimed};
    struct finish end = finish_make(&done, RUN_SUCCEEDED);
    struct flush all = {
        .fires = &f, .n_fires = 1, .claims = &c, .n_claims = 1, .finishes = &end, .n_finishes = 1};
    assert_ok(w, w->s->ops->flush(w->s, &all, &w->err));
    assert_true(f.ret_won && c.ret_won && end.ret_recorded);
    assert_int_equal(events(w, &v), 3);
    assert_int_equal(v[0].what, RUN_QUEUED);
    assert_int_equal(v[1].what, RUN_RUNNING);
    assert_int_equal(v[2].what, RUN_SUCCEEDED);
}

static void runs_by_hand_are_events(void **state)
{
    struct world *w = *state;
    struct plan p = job_with_events(w);
    struct run r = run_make(&p, at_s(5), 1, RUN_QUEUED, 0), other = run_make(&p, at_s(6), 1, RUN_QUEUED, 0);
    enum run_cancel_result end;
    struct outbox_event *v;
    assert_ok(w, w->s->ops->run_insert(w->s, &r, &w->err));
    assert_id(only_event(w, OUTBOX_RUN, RUN_QUEUED).run_id, r.id);
    assert_ok(w, w->s->ops->run_cancel(w->s, r.id, at_s(7), &end, &w->err));
    struct outbox_event e = only_event(w, OUTBOX_RUN, RUN_CANCELLED);
    assert_int_equal(e.end.us, at_s(7).us);
    assert_ok(w, w->s->ops->run_insert(w->s, &other, &w->err));
    forget(w);
    assert_ok(w, w->s->ops->job_delete(w->s, p.job_id, 0, at_s(9), &w->err));
    assert_int_equal(events(w, &v), 2);
    assert_int_equal(v[0].what, OUTBOX_JOB_DELETED);
    assert_int_equal(v[1].of, OUTBOX_RUN);
    assert_int_equal(v[1].what, RUN_CANCELLED);
    assert_id(v[1].run_id, other.id);
    assert_int_equal(v[1].end.us, at_s(9).us);
    assert_true(str_eq(v[1].error_class, run_read_one(w, other.id).error_class));
}

static void replay_is_an_event(void **state)
{
    struct world *w = *state;
    struct plan p = job_with_events(w);
    struct run r = fire_one(w, &p, RUN_RUNNING, 4);
    struct dead_letter letter = letter_make(w, &r, "gone");
    struct finish f = finish_make(&r, RUN_FAILED);
    f.dead = &letter;
    assert_true(finish(w, &f));
    forget(w);
    struct run replay = run_make(&p, at_s(200), 1, RUN_QUEUED, 0);
    assert_ok(w,
              w->s->ops->dlq_resolve(w->s, letter.id, STR("me"), STR("again"), &replay, STR_NONE, at_s(201), &w->err));
    assert_id(only_event(w, OUTBOX_RUN, RUN_QUEUED).run_id, replay.id);
}

static void events_are_read_and_removed_in_parts(void **state)
{
    struct world *w = *state;
    struct outbox_event *v, *rest;
    size_t n;
    w->s->ops->events_enable(w->s, true);
    for (int i = 0; i < 5; i++)
        (void)job_add(w, "a");
    assert_ok(w, w->s->ops->events_read(w->s, 3, &v, &n, &w->a, &w->err));
    assert_int_equal(n, 3);
    assert_true(v[0].seq < v[1].seq && v[1].seq < v[2].seq);
    int64_t gone[] = {v[0].seq, v[2].seq};
    assert_ok(w, w->s->ops->events_remove(w->s, gone, 2, &w->err));
    assert_ok(w, w->s->ops->events_remove(w->s, gone, 2, &w->err));
    assert_ok(w, w->s->ops->events_remove(w->s, NULL, 0, &w->err));
    assert_int_equal(events(w, &rest), 3);
    assert_int_equal(rest[0].seq, v[1].seq);
    assert_true(rest[1].seq > v[2].seq);
}

static const struct CMUnitTest rows[] = {
    CASE("no events are written unless they are turned on", nothing_is_written_unless_asked),
    CASE("each change of a job is an event", changes_of_a_job_are_events),
    CASE("each status of a run is an event", life_of_a_run_is_events),
    CASE("a decision that lost is no event", lost_decisions_are_no_events),
    CASE("the next attempt comes after the failure", retry_comes_after_its_failure),
    CASE("one flush tells every status a run passes through", one_flush_tells_each_change),
    CASE("runs started and cancelled by hand are events", runs_by_hand_are_events),
    CASE("a replay is an event", replay_is_an_event),
    CASE("events are read in order and removed one by one", events_are_read_and_removed_in_parts),
};
const struct cases outbox_cases = CASES(rows);
