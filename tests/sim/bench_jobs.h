// SPDX-License-Identifier: Apache-2.0
// The bench's jobs, time and runs. Part of bench.h.
#ifndef TESTS_SIM_BENCH_JOBS_H
#define TESTS_SIM_BENCH_JOBS_H

#include "../tests/sim/bench.h"

// A job of the type DUMMY with all defaults and one attempt; change it, then bench_insert.
static UNUSED struct job bench_job(struct bench *b, int kind)
{
    struct job j;
    field_defaults(&job_fields, &j);
    j.id = ulid_new(clock_now(&b->clock.base), &b->rng);
    j.name = STR("job");
    j.type = STR("DUMMY");
    j.payload = STR("{}");
    j.schedule.kind = kind;
    j.version = 1;
    j.created_at = j.updated_at = clock_now(&b->clock.base);
    j.retry_policy.max_attempts = 1;
    return j;
}

static UNUSED struct job bench_every(struct bench *b, int64_t seconds)
{
    struct job j = bench_job(b, SCHEDULE_INTERVAL);
    j.schedule.interval_seconds = seconds;
    return j;
}

static UNUSED struct plan bench_plan(struct bench *b, const struct job *j)
{
    struct plan p = {.state = JOB_STATE_ACTIVE, .next_fire = INSTANT_NEVER};
    struct schedule *s;
    struct err err = {0};
    plan_of_job(j, &p);
    if (schedule_compile(b->zones, &j->schedule, p.anchor_at, schedule_seed(j->id), &s, NULL, &err)) {
        p.next_fire = schedule_next(s, clock_now(&b->clock.base));
        schedule_unref(s);
    }
    return p;
}

static UNUSED void bench_insert_planned(struct bench *b, const struct job *j, const struct plan *p)
{
    struct err err = {0};
    assert_true(b->store->ops->jobs_insert(b->store, j, p, 1, &err));
    engine_poke_jobs(b->engine, &j->id, 1);
}

static UNUSED void bench_insert(struct bench *b, const struct job *j)
{
    struct plan p = bench_plan(b, j);
    bench_insert_planned(b, j, &p);
}

// A manual run, due now.
static UNUSED struct ulid bench_run_now(struct bench *b, struct ulid job_id, int priority)
{
    struct instant now = clock_now(&b->clock.base);
    struct ulid key = ulid_new(now, &b->rng);
    struct run r = {.id = run_id_of(job_id, now, key, 1), .job_id = job_id, .scheduled = now, .first_scheduled = now,
                    .occurrences = 1, .due = now, .start = INSTANT_NEVER, .end = INSTANT_NEVER, .attempt = 1,
                    .status = RUN_QUEUED, .trigger = TRIGGER_MANUAL, .priority = priority,
                    .exit_code = FIELD_ABSENT, .run_key = key};
    struct err err = {0};
    assert_true(b->store->ops->run_insert(b->store, &r, &err));
    engine_poke_run(b->engine, r.id);
    return r.id;
}

// Ticks until nothing is left to do at this moment.
static UNUSED void bench_settle(struct bench *b)
{
    for (int i = 0; i < 10000; i++)
        if (engine_tick(b->engine).us > clock_now(&b->clock.base).us && i > 0)
            return;
    fail_msg("the engine does not come to rest");
}

// Lets time pass until the second s after the start; the engine is called when it wants to be.
static UNUSED void bench_until(struct bench *b, double s)
{
    struct instant end = bench_at(s);
    for (;;) {
        struct instant now = clock_now(&b->clock.base), wake = engine_tick(b->engine);
        if (wake.us <= now.us)
            continue;
        if (now.us >= end.us)
            return;
        clock_virtual_advance(&b->clock, instant_since(wake.us < end.us ? wake : end, now));
    }
}

static UNUSED void bench_each_run(void *ctx, const struct run *r)
{
    struct bench *b = ctx;
    assert_true(b->n_runs < BENCH_RUNS_MAX);
    b->runs[b->n_runs++] = *r;
}

// All runs by id (scheduled instant, then chance).
static UNUSED size_t bench_runs(struct bench *b)
{
    b->n_runs = 0;
    store_memory_each_run(b->store, bench_each_run, b);
    return b->n_runs;
}

static UNUSED size_t bench_count(struct bench *b, int status)
{
    size_t n = 0;
    (void)bench_runs(b);
    for (size_t i = 0; i < b->n_runs; i++)
        n += b->runs[i].status == status;
    return n;
}

static UNUSED struct run bench_run_get(struct bench *b, struct ulid id)
{
    struct run r;
    struct err err = {0};
    assert_true(b->store->ops->run_get(b->store, id, &r, &b->arena, &err));
    return r;
}

static UNUSED void bench_count_dead(void *ctx, const struct dead_letter *d)
{
    struct dead_letter *last = ctx;
    int64_t n = last->attempts; // counts in this member
    *last = *d;
    last->attempts = n + 1;
}

// How many dead letters there are; *ret_last is the newest.
static UNUSED int64_t bench_dead_letters(struct bench *b, struct dead_letter *ret_last)
{
    struct dead_letter d = {0};
    store_memory_each_dead_letter(b->store, bench_count_dead, &d);
    if (ret_last)
        *ret_last = d;
    return d.attempts;
}

#endif
