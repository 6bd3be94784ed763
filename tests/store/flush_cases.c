// SPDX-License-Identifier: Apache-2.0
// The hot path: who decides an occurrence, who may record a result, and what one commit holds.
#include "conformance.h"

static void fire_writes_its_runs(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run r = fire_one(w, &p, RUN_RUNNING, 41);
    struct run back = run_read_one(w, r.id);
    assert_int_equal(back.status, RUN_RUNNING);
    assert_int_equal(back.token, 41);
    assert_int_equal(back.attempt, 1);
    assert_int_equal(back.occurrences, 1);
    assert_int_equal(back.scheduled.us, at_s(60).us);
    assert_int_equal(back.first_scheduled.us, at_s(60).us);
    assert_int_equal(back.due.us, at_s(60).us);
    assert_int_equal(back.start.us, at_s(60).us);
    assert_true(instant_is_never(back.end));
    assert_int_equal(back.exit_code, FIELD_ABSENT);
    assert_int_equal(back.priority, PRIORITY_HIGH);
    assert_text(back.worker, STR("node-1"));
    assert_text(back.job_name, STR("a"));
    assert_null(back.error_class.p);
    assert_id(back.job_id, p.job_id);
    assert_id(back.run_key, r.run_key);
    struct plan moved = plan_read_one(w, p.job_id);
    assert_int_equal(moved.next_fire.us, at_s(120).us);
    assert_int_equal(moved.run_count, 1);
    assert_id(moved.last_run, r.id);
}

static void second_fire_of_an_instant_loses(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run r = run_make(&p, p.next_fire, 1, RUN_RUNNING, 1), again = r;
    struct fire f = {.job_id = p.job_id,
                     .expect_version = 1,
                     .expect_next = p.next_fire,
                     .new_next = at_s(120),
                     .runs = &r,
                     .n_runs = 1};
    struct fire late = f;
    again.token = 2;
    late.runs = &again;
    assert_true(fire(w, &f));
    assert_false(fire(w, &late));
    assert_false(late.ret_exists);
    assert_int_equal(run_read_one(w, r.id).token, 1);
    assert_int_equal(plan_read_one(w, p.job_id).run_count, 1);
}

static void fire_of_an_old_version_loses(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run r = run_make(&p, p.next_fire, 1, RUN_RUNNING, 1);
    struct fire f = {.job_id = p.job_id,
                     .expect_version = 1,
                     .expect_next = p.next_fire,
                     .new_next = at_s(120),
                     .runs = &r,
                     .n_runs = 1};
    assert_ok(w, w->s->ops->job_set_state(w->s, p.job_id, JOB_STATE_ACTIVE, INSTANT_NEVER, at_s(1), &w->err));
    assert_false(fire(w, &f));
    assert_err(w, w->s->ops->run_get(w->s, r.id, &r, &w->a, &w->err), ERR_NOT_FOUND);
    assert_int_equal(plan_read_one(w, p.job_id).next_fire.us, at_s(60).us);
}

static void fire_of_a_missing_job_loses(void **state)
{
    struct world *w = *state;
    struct plan p = {.job_id = id_new(w), .version = 1, .next_fire = at_s(60)};
    struct run r = run_make(&p, p.next_fire, 1, RUN_RUNNING, 1);
    struct fire f = {.job_id = p.job_id,
                     .expect_version = 1,
                     .expect_next = p.next_fire,
                     .new_next = at_s(120),
                     .runs = &r,
                     .n_runs = 1};
    assert_false(fire(w, &f));
}

static void fire_without_runs_only_moves(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct fire f = {
        .job_id = p.job_id, .expect_version = 1, .expect_next = p.next_fire, .new_next = INSTANT_NEVER};
    assert_true(fire(w, &f));
    assert_false(fire(w, &f));
    struct plan moved = plan_read_one(w, p.job_id);
    assert_true(instant_is_never(moved.next_fire));
    assert_int_equal(moved.run_count, 0);
    assert_true(ulid_is_zero(moved.last_run));
}

static void fire_with_a_known_run_writes_nothing(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run known = run_make(&p, at_s(120), 1, RUN_QUEUED, 0);
    assert_ok(w, w->s->ops->run_insert(w->s, &known, &w->err));
    struct run v[] = {run_make(&p, at_s(60), 1, RUN_RUNNING, 5), run_make(&p, at_s(120), 1, RUN_RUNNING, 6)};
    struct fire f = {.job_id = p.job_id,
                     .expect_version = 1,
                     .expect_next = p.next_fire,
                     .new_next = at_s(180),
                     .runs = v,
                     .n_runs = 2};
    struct run none;
    assert_false(fire(w, &f));
    assert_true(f.ret_exists);
    assert_err(w, w->s->ops->run_get(w->s, v[0].id, &none, &w->a, &w->err), ERR_NOT_FOUND);
    assert_int_equal(run_read_one(w, known.id).status, RUN_QUEUED);
    struct plan same = plan_read_one(w, p.job_id);
    assert_int_equal(same.next_fire.us, at_s(60).us);
    assert_int_equal(same.run_count, 1);
    assert_id(same.last_run, known.id);
    f.n_runs = 1; // without the known one it goes on
    assert_true(fire(w, &f));
    assert_int_equal(plan_read_one(w, p.job_id).run_count, 2);
}

static void runs_of_a_job_form_a_chain(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run v[] = {run_make(&p, at_s(60), 1, RUN_MISSED, 0), run_make(&p, at_s(120), 1, RUN_SKIPPED, 0),
                      run_make(&p, at_s(180), 1, RUN_RUNNING, 9)};
    v[0].occurrences = 3;
    v[0].first_scheduled = at_s(0);
    v[0].error_class = STR("PAUSED");
    v[1].blocked_by = v[0].id;
    struct fire f = {.job_id = p.job_id,
                     .expect_version = 1,
                     .expect_next = p.next_fire,
                     .new_next = at_s(240),
                     .runs = v,
                     .n_runs = 3};
    assert_true(fire(w, &f));
    p.next_fire = at_s(240);
    struct run last = fire_one(w, &p, RUN_QUEUED, 0);
    assert_id(run_read_one(w, last.id).prev_run, v[2].id);
    assert_id(run_read_one(w, v[2].id).prev_run, v[1].id);
    assert_id(run_read_one(w, v[1].id).prev_run, v[0].id);
    struct run first = run_read_one(w, v[0].id);
    assert_true(ulid_is_zero(first.prev_run));
    assert_int_equal(first.occurrences, 3);
    assert_int_equal(first.first_scheduled.us, at_s(0).us);
    assert_text(first.error_class, STR("PAUSED"));
    assert_id(run_read_one(w, v[1].id).blocked_by, v[0].id);
    assert_int_equal(plan_read_one(w, p.job_id).run_count, 4);
}

static void claim_is_won_once(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run r = fire_one(w, &p, RUN_QUEUED, 0), other = r;
    r.start = at_s(61);
    r.token = 7;
    r.worker = STR("node-1");
    other.start = at_s(62);
    other.token = 8;
    struct claim v[] = {{.run = &r}, {.run = &other}};
    struct flush f = {.claims = v, .n_claims = 2};
    assert_ok(w, w->s->ops->flush(w->s, &f, &w->err));
    assert_true(v[0].ret_won);
    assert_false(v[1].ret_won);
    struct run back = run_read_one(w, r.id);
    assert_int_equal(back.status, RUN_RUNNING);
    assert_int_equal(back.token, 7);
    assert_int_equal(back.start.us, at_s(61).us);
    assert_text(back.worker, STR("node-1"));
}

static void finish_needs_the_token(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run r = fire_one(w, &p, RUN_RUNNING, 10), stale = r;
    stale.token = 9;
    struct run retry = run_make(&p, r.scheduled, 2, RUN_QUEUED, 0);
    struct dead_letter dead = letter_make(w, &r, "stale");
    struct finish bad = finish_make(&stale, RUN_FAILED);
    bad.retry = &retry;
    bad.dead = &dead;
    assert_false(finish(w, &bad));
    assert_int_equal(run_read_one(w, r.id).status, RUN_RUNNING);
    assert_err(w, w->s->ops->run_get(w->s, retry.id, &retry, &w->a, &w->err), ERR_NOT_FOUND);
    assert_err(w, w->s->ops->dlq_get(w->s, dead.id, &dead, &w->a, &w->err), ERR_NOT_FOUND);
    struct finish good = finish_make(&r, RUN_SUCCEEDED);
    assert_true(finish(w, &good));
    assert_false(finish(w, &good)); // final already
    struct run back = run_read_one(w, r.id);
    assert_int_equal(back.status, RUN_SUCCEEDED);
    assert_int_equal(back.exit_code, 0);
    assert_int_equal(back.duration_ms, 5000);
    assert_int_equal(back.outcome, OUTCOME_SUCCESS);
}

static void finish_of_a_queued_run_is_refused(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run r = fire_one(w, &p, RUN_QUEUED, 0), owned = r;
    owned.token = 5;
    struct finish f = finish_make(&owned, RUN_SUCCEEDED);
    assert_false(finish(w, &f));
    assert_int_equal(run_read_one(w, r.id).status, RUN_QUEUED);
}

static void finish_without_token_ends_a_queued_run(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run queued = fire_one(w, &p, RUN_QUEUED, 0), running = fire_one(w, &p, RUN_RUNNING, 6),
               nobodys = running, *v;
    size_t n;
    nobodys.token = 0;
    struct finish skip = finish_make(&queued, RUN_SKIPPED), steal = finish_make(&nobodys, RUN_CANCELLED);
    queued.error_class = STR("OVERLAP");
    assert_true(finish(w, &skip));
    assert_false(finish(w, &steal));
    assert_int_equal(run_read_one(w, queued.id).status, RUN_SKIPPED);
    assert_text(run_read_one(w, queued.id).error_class, STR("OVERLAP"));
    assert_ok(w, w->s->ops->runs_unfinished(w->s, ULID_ZERO, 10, &v, &n, &w->a, &w->err));
    assert_int_equal(n, 1);
    assert_id(v[0].id, running.id);
}

static void retry_comes_with_the_result(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run r = fire_one(w, &p, RUN_RUNNING, 3);
    struct run retry = run_make(&p, r.scheduled, 2, RUN_QUEUED, 0);
    retry.due = at_s(90);
    retry.trigger = TRIGGER_RETRY;
    retry.lost_count = 1;
    struct finish f = finish_make(&r, RUN_FAILED);
    f.retry = &retry;
    assert_true(finish(w, &f));
    struct run first = run_read_one(w, r.id), second = run_read_one(w, retry.id);
    assert_int_equal(first.status, RUN_FAILED);
    assert_text(first.error_class, STR("DUMMY_ERROR"));
    assert_text(first.error_message, STR("it failed"));
    assert_int_equal(second.status, RUN_QUEUED);
    assert_int_equal(second.due.us, at_s(90).us);
    assert_int_equal(second.lost_count, 1);
    assert_int_equal(second.trigger, TRIGGER_RETRY);
    assert_id(second.prev_run, r.id);
    assert_id(second.run_key, first.run_key);
    struct plan back = plan_read_one(w, p.job_id);
    assert_id(back.last_run, retry.id);
    assert_int_equal(back.run_count, 2);
}

static void dead_letter_comes_with_the_result(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run r = fire_one(w, &p, RUN_RUNNING, 3);
    struct finish f = finish_make(&r, RUN_FAILED);
    struct dead_letter dead = letter_make(w, &r, "no attempt left"), back;
    f.dead = &dead;
    assert_true(finish(w, &f));
    assert_ok(w, w->s->ops->dlq_get(w->s, dead.id, &back, &w->a, &w->err));
    assert_text(back.reason, STR("no attempt left"));
    assert_id(back.last_run_id, r.id);
    assert_text(back.inputs, STR("{\"x\":\"1\"}"));
    assert_text(back.definition, dead.definition);
    assert_false(back.resolved);
    assert_true(instant_is_never(back.resolved_at));
}

static void finish_sets_the_next_fire_of_anchor_end(void **state)
{
    struct world *w = *state;
    struct job j;
    struct plan p, end;
    job_make(w, "fixed delay", &j, &p);
    j.schedule.kind = SCHEDULE_INTERVAL;
    j.schedule.anchor = ANCHOR_END;
    j.schedule.interval_seconds = 30;
    plan_of_job(&j, &p);
    assert_ok(w, w->s->ops->jobs_insert(w->s, &j, &p, 1, &w->err));
    struct run r = run_make(&p, p.next_fire, 1, RUN_RUNNING, 4);
    struct fire f = {.job_id = p.job_id,
                     .expect_version = 1,
                     .expect_next = p.next_fire,
                     .new_next = INSTANT_NEVER,
                     .runs = &r,
                     .n_runs = 1};
    assert_true(fire(w, &f));
    struct finish done = finish_make(&r, RUN_SUCCEEDED);
    done.plan_next = at_s(95);
    assert_true(finish(w, &done));
    end = plan_read_one(w, p.job_id);
    assert_int_equal(end.next_fire.us, at_s(95).us);
    assert_int_equal(end.schedule.anchor, ANCHOR_END);
    assert_int_equal(end.schedule.interval_seconds, 30);
}

static void finish_leaves_a_set_next_fire_alone(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run r = fire_one(w, &p, RUN_RUNNING, 4);
    struct finish done = finish_make(&r, RUN_SUCCEEDED);
    done.plan_next = at_s(999);
    assert_true(finish(w, &done));
    assert_int_equal(plan_read_one(w, p.job_id).next_fire.us, at_s(120).us);
}

static void log_lines_are_kept_once(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run r = fire_one(w, &p, RUN_RUNNING, 4);
    struct log_line v[] = {
        {.id = 1, .run_id = r.id, .timestamp = at_s(61), .level = LOG_LINE_INFO, .message = STR("one")},
        {.id = 2,
         .run_id = r.id,
         .timestamp = at_s(62),
         .level = LOG_LINE_ERROR,
         .stream = STREAM_STDERR,
         .message = STR("two"),
         .context = STR("{\"k\":1}")},
        {.id = 1, .run_id = r.id, .timestamp = at_s(63), .message = STR("one again")},
    };
    struct flush f = {.logs = v, .n_logs = 3};
    assert_ok(w, w->s->ops->flush(w->s, &f, &w->err));
    struct log_line *back;
    size_t n;
    assert_ok(w, w->s->ops->logs_read(w->s, r.id, 0, 10, &back, &n, &w->a, &w->err));
    assert_int_equal(n, 2);
    assert_text(back[0].message, STR("one"));
    assert_null(back[0].context.p);
    assert_text(back[1].context, STR("{\"k\":1}"));
    assert_int_equal(back[1].stream, STREAM_STDERR);
    assert_int_equal(back[1].level, LOG_LINE_ERROR);
    assert_int_equal(back[1].timestamp.us, at_s(62).us);
    assert_ok(w, w->s->ops->logs_read(w->s, r.id, 1, 10, &back, &n, &w->a, &w->err));
    assert_int_equal(n, 1);
    assert_int_equal(back[0].id, 2);
    assert_ok(w, w->s->ops->logs_read(w->s, r.id, 0, 1, &back, &n, &w->a, &w->err));
    assert_int_equal(n, 1);
}

static void one_flush_holds_everything(void **state)
{
    struct world *w = *state;
    enum { N = 300 };
    static struct plan plans[N];
    static struct run runs[N], next[N];
    static struct fire fires[N];
    static struct finish ends[N];
    for (size_t i = 0; i < N; i++) {
        plans[i] = job_add(w, "many");
        runs[i] = run_make(&plans[i], plans[i].next_fire, 1, RUN_RUNNING, (int64_t)i + 1);
        fires[i] = (struct fire){.job_id = plans[i].job_id,
                                 .expect_version = 1,
                                 .expect_next = plans[i].next_fire,
                                 .new_next = at_s(120),
                                 .runs = &runs[i],
                                 .n_runs = 1};
    }
    struct flush f = {.fires = fires, .n_fires = N};
    assert_ok(w, w->s->ops->flush(w->s, &f, &w->err));
    for (size_t i = 0; i < N; i++) {
        assert_true(fires[i].ret_won);
        ends[i] = finish_make(&runs[i], RUN_SUCCEEDED);
        plans[i].next_fire = at_s(120);
        next[i] = run_make(&plans[i], at_s(120), 1, RUN_RUNNING, (int64_t)i + 1);
        fires[i].expect_next = at_s(120);
        fires[i].new_next = at_s(180);
        fires[i].runs = &next[i];
    }
    f = (struct flush){.fires = fires, .n_fires = N, .finishes = ends, .n_finishes = N};
    assert_ok(w, w->s->ops->flush(w->s, &f, &w->err));
    for (size_t i = 0; i < N; i++) {
        assert_true(fires[i].ret_won && ends[i].ret_recorded);
        assert_id(run_read_one(w, next[i].id).prev_run, runs[i].id);
    }
}

static void result_survives_reopening(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run r = fire_one(w, &p, RUN_RUNNING, 3), running = fire_one(w, &p, RUN_RUNNING, 4);
    struct finish f = finish_make(&r, RUN_SUCCEEDED);
    assert_true(finish(w, &f));
    world_reopen(w);
    assert_int_equal(run_read_one(w, r.id).status, RUN_SUCCEEDED);
    assert_int_equal(run_read_one(w, running.id).token, 4);
    assert_int_equal(plan_read_one(w, p.job_id).next_fire.us, at_s(180).us);
}

// A run that is fired to wait, claimed and finished in one flush: each finds what the one before it wrote.
static void fires_come_before_claims_before_finishes(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run r = run_make(&p, p.next_fire, 1, RUN_QUEUED, 0), claimed = r, done;
    struct fire f = {.job_id = p.job_id,
                     .expect_version = 1,
                     .expect_next = p.next_fire,
                     .new_next = at_s(120),
                     .runs = &r,
                     .n_runs = 1};
    claimed.token = 6;
    claimed.start = at_s(61);
    claimed.worker = STR("node-1");
    done = claimed;
    struct claim c = {.run = &claimed};
    struct finish end = finish_make(&done, RUN_FAILED);
    struct run retry = run_make(&p, p.next_fire, 2, RUN_QUEUED, 0);
    end.retry = &retry;
    struct flush all = {
        .fires = &f, .n_fires = 1, .claims = &c, .n_claims = 1, .finishes = &end, .n_finishes = 1};
    assert_ok(w, w->s->ops->flush(w->s, &all, &w->err));
    assert_true(f.ret_won && c.ret_won && end.ret_recorded);
    struct run back = run_read_one(w, r.id);
    assert_int_equal(back.status, RUN_FAILED);
    assert_int_equal(back.token, 6);
    assert_int_equal(back.start.us, at_s(61).us);
    assert_id(run_read_one(w, retry.id).prev_run, r.id);
    assert_id(plan_read_one(w, p.job_id).last_run, retry.id);
    assert_int_equal(plan_read_one(w, p.job_id).run_count, 2);
}

static const struct CMUnitTest rows[] = {
    CASE("a fire writes its run and moves the plan", fire_writes_its_runs),
    CASE("a second fire of the same instant loses and writes nothing", second_fire_of_an_instant_loses),
    CASE("a fire made from an old version loses", fire_of_an_old_version_loses),
    CASE("a fire of a job that does not exist loses", fire_of_a_missing_job_loses),
    CASE("a fire without runs only moves the plan", fire_without_runs_only_moves),
    CASE("a fire with a run that exists writes nothing and says so", fire_with_a_known_run_writes_nothing),
    CASE("the runs of a job form a chain in order", runs_of_a_job_form_a_chain),
    CASE("a claim is won once", claim_is_won_once),
    CASE("a stale owner cannot record a result", finish_needs_the_token),
    CASE("a run that never started cannot be finished by an owner", finish_of_a_queued_run_is_refused),
    CASE("a finish without token ends a run that waits, and no other",
         finish_without_token_ends_a_queued_run),
    CASE("the next attempt is written with the result", retry_comes_with_the_result),
    CASE("the dead letter is written with the result", dead_letter_comes_with_the_result),
    CASE("finishing sets the next fire of anchor END", finish_sets_the_next_fire_of_anchor_end),
    CASE("finishing leaves a next fire that is set", finish_leaves_a_set_next_fire_alone),
    CASE("a log line is kept once", log_lines_are_kept_once),
    CASE("in one flush fires come before claims before finishes", fires_come_before_claims_before_finishes),
    CASE("one flush holds hundreds of decisions", one_flush_holds_everything),
    CASE("results survive reopening the store", result_survives_reopening),
};
const struct cases flush_cases = CASES(rows);
