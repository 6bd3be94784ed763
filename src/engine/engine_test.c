// SPDX-License-Identifier: Apache-2.0
// The tick as a whole: firing, pokes, drain.
#include "../tests/sim/bench.h"

#include <sched.h>

#include "base/queue.h"

static void a_due_plan_runs_once_at_its_instant_and_its_result_is_recorded(void **state)
{
    struct bench *b = *state;
    struct job j = bench_every(b, 60);
    bench_insert(b, &j);
    bench_until(b, 59.999999);
    assert_int_equal(b->started, 0); // never early
    bench_until(b, 60);
    assert_int_equal(b->started, 1);
    assert_int_equal(bench_runs(b), 1);
    assert_int_equal(b->runs[0].status, RUN_RUNNING);
    assert_true(b->runs[0].token != 0);
    bench_until(b, 65);
    bench_end(b, 0, RUN_SUCCEEDED, NULL);
    bench_settle(b);
    struct run r = bench_run_get(b, b->runs[0].id);
    assert_int_equal(r.status, RUN_SUCCEEDED);
    assert_int_equal(r.scheduled.us, bench_at(60).us);
    assert_int_equal(r.start.us, bench_at(60).us);
    assert_int_equal(r.end.us, bench_at(65).us);
    assert_int_equal(r.duration_ms, 5000);
    bench_until(b, 600);
    assert_int_equal(b->started, 10);
}

static void the_tick_says_when_it_wants_to_be_called_again(void **state)
{
    struct bench *b = *state;
    bench_settle(b);
    assert_true(instant_is_never(engine_tick(b->engine)));
    struct job j = bench_every(b, 60);
    bench_insert(b, &j);
    bench_settle(b);
    assert_int_equal(engine_tick(b->engine).us, bench_at(60).us);
}

static void a_one_off_job_fires_once_and_is_forgotten(void **state)
{
    struct bench *b = *state;
    struct engine_status s;
    struct job j = bench_job(b, SCHEDULE_ONCE);
    j.schedule.run_at = bench_at(30);
    b->end_at_once = true;
    bench_insert(b, &j);
    bench_settle(b);
    engine_status(b->engine, &s);
    assert_int_equal(s.plans, 1);
    bench_until(b, 4000);
    assert_int_equal(b->started, 1);
    engine_status(b->engine, &s);
    assert_int_equal(s.plans, 0);
    assert_int_equal(s.running, 0);
}

static void a_paused_job_stops_and_a_resumed_one_goes_on(void **state)
{
    struct bench *b = *state;
    struct err err = {0};
    struct job j = bench_every(b, 10);
    b->end_at_once = true;
    bench_insert(b, &j);
    bench_until(b, 25);
    assert_int_equal(b->started, 2);
    assert_true(b->store->ops->job_set_state(b->store, j.id, JOB_STATE_PAUSED, INSTANT_NEVER, bench_at(25), &err));
    engine_poke_jobs(b->engine, &j.id, 1);
    bench_until(b, 100);
    assert_int_equal(b->started, 2);
    assert_true(b->store->ops->job_set_state(b->store, j.id, JOB_STATE_ACTIVE, bench_at(110), bench_at(100), &err));
    engine_poke_jobs(b->engine, &j.id, 1);
    bench_until(b, 130);
    assert_int_equal(b->started, 5); // 110, 120, 130
}

static void an_edit_the_engine_has_not_heard_of_wins_over_its_old_view(void **state)
{
    struct bench *b = *state;
    struct err err = {0};
    struct job j = bench_every(b, 10);
    b->end_at_once = true;
    bench_insert(b, &j);
    bench_settle(b);
    j.version = 2;
    j.schedule.interval_seconds = 1000;
    struct plan p = bench_plan(b, &j);
    assert_true(b->store->ops->job_update(b->store, &j, &p, 1, &err));
    bench_until(b, 999); // no poke: the fire loses, the plan is read again
    assert_int_equal(b->started, 0);
    bench_until(b, 1000);
    assert_int_equal(b->started, 1);
}

static void a_manual_run_of_a_job_without_schedule_starts_at_once(void **state)
{
    struct bench *b = *state;
    struct job j = bench_job(b, SCHEDULE_MANUAL);
    bench_insert(b, &j);
    bench_settle(b);
    struct ulid id = bench_run_now(b, j.id, PRIORITY_HIGH);
    bench_settle(b);
    assert_int_equal(b->n_held, 1);
    assert_int_equal(bench_run_get(b, id).status, RUN_RUNNING);
    bench_end(b, 0, RUN_SUCCEEDED, NULL);
    bench_settle(b);
    assert_int_equal(bench_run_get(b, id).status, RUN_SUCCEEDED);
}

static void a_user_cancels_a_run_and_it_is_not_retried(void **state)
{
    struct bench *b = *state;
    struct err err = {0};
    enum run_cancel_result result;
    struct job j = bench_job(b, SCHEDULE_MANUAL);
    j.retry_policy.max_attempts = 5;
    bench_insert(b, &j);
    struct ulid id = bench_run_now(b, j.id, PRIORITY_LOW);
    bench_settle(b);
    assert_true(b->store->ops->run_cancel(b->store, id, bench_at(0), &result, &err));
    assert_int_equal(result, CANCEL_REQUESTED);
    engine_cancel_run(b->engine, id);
    bench_settle(b);
    assert_int_equal(b->cancelled_why, CANCEL_BY_USER);
    assert_true(ulid_eq(b->cancelled, id));
    bench_end(b, 0, RUN_CANCELLED, "CANCELLED");
    bench_until(b, 1000);
    assert_int_equal(bench_runs(b), 1);
    assert_int_equal(b->runs[0].status, RUN_CANCELLED);
    assert_int_equal(bench_dead_letters(b, NULL), 0);
}

static void a_drain_starts_nothing_lets_runs_end_and_hands_back_the_rest(void **state)
{
    struct bench *b = *state;
    struct engine_status s;
    struct job j = bench_every(b, 10);
    bench_insert(b, &j);
    bench_until(b, 21); // two runs in flight
    assert_int_equal(b->n_held, 2);
    engine_stop(b->engine, duration_s(30));
    bench_until(b, 45);
    assert_int_equal(b->started, 2);
    bench_end(b, 0, RUN_SUCCEEDED, NULL);
    bench_until(b, 50.9);
    assert_int_equal(b->cancelled_why, -1);
    bench_until(b, 51);
    assert_int_equal(b->cancelled_why, CANCEL_BY_SHUTDOWN);
    bench_end(b, 0, RUN_CANCELLED, NULL);
    bench_settle(b);
    engine_status(b->engine, &s);
    assert_true(s.draining && s.running == 0);
    assert_int_equal(bench_count(b, RUN_SUCCEEDED), 1);
    assert_int_equal(bench_count(b, RUN_LOST), 1);
    assert_int_equal(bench_count(b, RUN_QUEUED), 1);
    bench_kill(b);
    bench_boot(b); // the next start repeats it
    bench_settle(b);
    bool repeated = false;
    for (size_t i = 0; i < b->n_held; i++)
        repeated |= b->held[i]->number == 2 && b->held[i]->scheduled.us == bench_at(20).us;
    assert_true(repeated);
}

static void the_run_loop_returns_when_a_stopped_engine_is_idle(void **state)
{
    struct bench *b = *state;
    engine_stop(b->engine, duration_s(0));
    engine_run(b->engine); // returns at once: nothing is in flight
    struct engine_status s;
    engine_status(b->engine, &s);
    assert_true(s.draining);
}

// The executor ends attempts on a thread of its own, as runners do; the engine runs on its own, too.
struct other {
    struct bench *b;
    struct attempt_sink *sink;
    struct queue attempts;
};

static struct other *others; // the executor of this test

static void start_elsewhere(struct executor *x, struct attempt **v, size_t n)
{
    (void)x;
    for (size_t i = 0; i < n; i++)
        assert_true(queue_push(&others->attempts, v[i]));
}

static void *end_elsewhere(void *arg)
{
    struct other *o = arg;
    void *v[1];
    while (queue_pop(&o->attempts, v, 1, duration_s(60)) == 1) {
        struct attempt *a = v[0];
        a->sink->log(a->sink, a, LOG_LINE_INFO, STREAM_STDOUT, STR("from another thread"), STR_NONE);
        a->result.status = RUN_SUCCEEDED;
        a->started = clock_now(a->clock);
        a->sink->done(a->sink, a);
    }
    return NULL;
}

static void *run_engine(void *arg)
{
    engine_run(arg);
    return NULL;
}

static void pokes_and_results_reach_a_running_engine_from_other_threads(void **state)
{
    struct bench *b = *state;
    struct other o = {.b = b};
    struct job j = bench_job(b, SCHEDULE_MANUAL);
    others = &o;
    queue_init(&o.attempts, 1000, LOCK_RUNNER);
    b->x.start = start_elsewhere;
    bench_insert(b, &j);
    pthread_t runner = thread_start("runner", end_elsewhere, &o);
    pthread_t engine = thread_start("engine", run_engine, b->engine);
    for (int i = 0; i < 200; i++)
        (void)bench_run_now(b, j.id, PRIORITY_MEDIUM);
    while (bench_count(b, RUN_SUCCEEDED) < 200)
        (void)sched_yield(); // the suite's time limit bounds it
    engine_stop(b->engine, duration_s(0));
    assert_int_equal(pthread_join(engine, NULL), 0);
    queue_close(&o.attempts);
    assert_int_equal(pthread_join(runner, NULL), 0);
    queue_release(&o.attempts);
}

static void the_clock_set_back_repeats_nothing_and_set_forward_follows_the_misfire_policy(void **state)
{
    struct bench *b = *state;
    struct job j = bench_every(b, 60);
    b->end_at_once = true;
    bench_insert(b, &j);
    bench_until(b, 300);
    assert_int_equal(b->started, 5);
    clock_virtual_step(&b->clock, duration_s(-3600));
    bench_until(b, 300);
    assert_int_equal(b->started, 5);
    bench_until(b, 360);
    assert_int_equal(b->started, 6);
    clock_virtual_step(&b->clock, duration_s(3600));
    bench_settle(b);
    assert_int_equal(bench_count(b, RUN_SKIPPED), 1); // the older ones in one row
    assert_int_equal(b->started, 9); // the newest missed one, one late within the threshold, one on time
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_due_plan_runs_once_at_its_instant_and_its_result_is_recorded),
        TEST(the_tick_says_when_it_wants_to_be_called_again),
        TEST(a_one_off_job_fires_once_and_is_forgotten),
        TEST(a_paused_job_stops_and_a_resumed_one_goes_on),
        TEST(an_edit_the_engine_has_not_heard_of_wins_over_its_old_view),
        TEST(a_manual_run_of_a_job_without_schedule_starts_at_once),
        TEST(a_user_cancels_a_run_and_it_is_not_retried),
        TEST(a_drain_starts_nothing_lets_runs_end_and_hands_back_the_rest),
        TEST(the_run_loop_returns_when_a_stopped_engine_is_idle),
        TEST(pokes_and_results_reach_a_running_engine_from_other_threads),
        TEST(the_clock_set_back_repeats_nothing_and_set_forward_follows_the_misfire_policy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
