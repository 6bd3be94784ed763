// SPDX-License-Identifier: Apache-2.0
// Runs of other jobs that an end starts: in its transaction, once, and without a say in whether it is
// recorded.
#include "conformance.h"

#include "model/chain.h"

enum { STARTS = 32, TOKEN = 3 };

static struct run start_make(const struct plan *target, const struct run *cause)
{
    struct run r = run_make(target, cause->scheduled, 1, RUN_QUEUED, 0);
    r.run_key = chain_run_key(target->job_id, cause);
    r.id = run_id_of(target->job_id, cause->scheduled, r.run_key, 1);
    r.trigger = TRIGGER_CHAIN;
    r.inputs = STR("{\"cause\":{\"depth\":1}}");
    return r;
}

static void started_with_the_result(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a"), target = job_add(w, "b"), back;
    struct run r = fire_one(w, &p, RUN_RUNNING, TOKEN), other = fire_one(w, &target, RUN_RUNNING, TOKEN);
    struct run start = start_make(&target, &r);
    struct finish f = finish_make(&r, RUN_SUCCEEDED);
    f.starts = &start;
    f.n_starts = 1;
    assert_true(finish(w, &f));
    assert_int_equal(f.ret_started, 1);
    struct run made = run_read_one(w, start.id);
    assert_int_equal(made.status, RUN_QUEUED);
    assert_int_equal(made.trigger, TRIGGER_CHAIN);
    assert_text(made.inputs, start.inputs);
    assert_id(made.job_id, target.job_id);
    assert_id(made.prev_run, other.id);
    back = plan_read_one(w, target.job_id);
    assert_id(back.last_run, start.id);
    assert_int_equal(back.run_count, 2);
    assert_int_equal(plan_read_one(w, p.job_id).run_count, 1);
}

static void a_refused_result_starts_nothing(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a"), target = job_add(w, "b");
    struct run r = fire_one(w, &p, RUN_RUNNING, TOKEN), back;
    struct run start = start_make(&target, &r);
    r.token = TOKEN + 1;
    struct finish f = finish_make(&r, RUN_SUCCEEDED);
    f.starts = &start;
    f.n_starts = 1;
    f.ret_started = 1;
    assert_false(finish(w, &f));
    assert_int_equal(f.ret_started, 0);
    assert_err(w, w->s->ops->run_get(w->s, start.id, &back, &w->a, &w->err), ERR_NOT_FOUND);
}

static void what_cannot_be_started_is_left_out(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a"), gone = job_add(w, "gone"), target = job_add(w, "b");
    struct run r = fire_one(w, &p, RUN_RUNNING, TOKEN), back;
    struct run starts[] = {start_make(&gone, &r), start_make(&target, &r), start_make(&target, &r)};
    starts[1].id = r.id; // taken
    struct finish f = finish_make(&r, RUN_SUCCEEDED);
    f.starts = starts;
    f.n_starts = sizeof starts / sizeof starts[0];
    assert_ok(w, w->s->ops->job_delete(w->s, gone.job_id, 0, at_s(70), &w->err));
    assert_true(finish(w, &f));
    assert_int_equal(f.ret_started, 1u << 2);
    assert_int_equal(run_read_one(w, r.id).status, RUN_SUCCEEDED);
    assert_int_equal(run_read_one(w, starts[2].id).status, RUN_QUEUED);
    assert_err(w, w->s->ops->run_get(w->s, starts[0].id, &back, &w->a, &w->err), ERR_NOT_FOUND);
}

static void many_at_once(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a"), targets[STARTS];
    struct run r = fire_one(w, &p, RUN_RUNNING, TOKEN), starts[STARTS];
    struct run retry = run_make(&p, r.scheduled, 2, RUN_QUEUED, 0);
    for (int i = 0; i < STARTS; i++) {
        targets[i] = i % 4 == 3 ? targets[0] : job_add(w, "target"); // some stand in one chain
        starts[i] = start_make(&targets[i], &r);
        starts[i].run_key = id_new(w);
        starts[i].id = run_id_of(targets[i].job_id, r.scheduled, starts[i].run_key, 1);
    }
    struct finish f = finish_make(&r, RUN_FAILED);
    f.retry = &retry;
    f.starts = starts;
    f.n_starts = STARTS;
    assert_true(finish(w, &f));
    assert_int_equal(f.ret_started, UINT32_MAX);
    for (int i = 0; i < STARTS; i++)
        assert_int_equal(run_read_one(w, starts[i].id).status, RUN_QUEUED);
    assert_id(plan_read_one(w, p.job_id).last_run, retry.id);
    assert_int_equal(plan_read_one(w, targets[0].job_id).run_count, 1 + STARTS / 4);
    assert_id(plan_read_one(w, targets[0].job_id).last_run, starts[STARTS - 1].id);
}

static const struct CMUnitTest rows[] = {
    CASE("a run of another job is started with the result", started_with_the_result),
    CASE("a result that is refused starts nothing", a_refused_result_starts_nothing),
    CASE("jobs that are gone and ids that are taken are left out", what_cannot_be_started_is_left_out),
    CASE("one result starts many runs", many_at_once),
};
const struct cases chain_cases = CASES(rows);
