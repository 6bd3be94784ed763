// SPDX-License-Identifier: Apache-2.0
// A test bench for the engine: memory store, virtual clock and an executor whose attempts end when the test says
// so. Included by src/engine/*_test.c; every function is static, so that a test stays one file.
#ifndef TESTS_SIM_BENCH_H
#define TESTS_SIM_BENCH_H

// cmocka wants these first
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/log.h"
#include "base/sync.h"
#include "engine/engine.h"
#include "sched/next_fire.h"
#include "store/memory/store_memory.h"

#define UNUSED __attribute__((unused))

enum { BENCH_HELD_MAX = 4096, BENCH_RUNS_MAX = 4096 };
#define BENCH_START_S INT64_C(1790000000) // a whole minute in 2026

struct bench {
    struct executor x; // first member
    struct clock_virtual clock;
    struct zones *zones;
    struct store *store;
    struct engine *engine;
    struct engine_config config;
    struct rng rng;
    struct arena arena;
    struct attempt *held[BENCH_HELD_MAX]; // started and not ended, oldest first
    size_t n_held;
    int64_t started;
    bool end_at_once;              // every attempt succeeds in start()
    struct ulid cancelled;         // the last one asked to end
    int cancelled_why;             // −1: none
    struct run runs[BENCH_RUNS_MAX]; // bench_runs
    size_t n_runs;
};

static struct instant bench_at(double s) { return (struct instant){BENCH_START_S * US_PER_S + (int64_t)(s * 1e6)}; }

// As the runner does: load, decode, start.
static UNUSED void bench_load(struct attempt *a)
{
    struct str text;
    json_t *doc;
    struct faults faults;
    struct err err = {0};
    a->started = clock_now(a->clock);
    if (!a->sink->load(a->sink, a, &text, &a->job_version, &err))
        return;
    faults_init(&faults, &a->arena);
    assert_true(json_parse(text, &doc, &err));
    assert_true(field_decode(&job_fields, doc, FIELD_DECODE_STORED, STR(""), &a->job, &a->arena, &faults));
    json_decref(doc);
}

// Ends an attempt that is held. error_class NULL: none.
static UNUSED void bench_end(struct bench *b, size_t i, int status, const char *error_class)
{
    struct attempt *a = b->held[i];
    assert_true(i < b->n_held);
    memmove(&b->held[i], &b->held[i + 1], (--b->n_held - i) * sizeof b->held[0]);
    a->result.status = status;
    a->result.error_class = str_of(error_class);
    a->sink->done(a->sink, a);
}

static UNUSED void bench_start(struct executor *x, struct attempt **v, size_t n)
{
    struct bench *b = (struct bench *)x;
    for (size_t i = 0; i < n; i++) {
        bench_load(v[i]);
        b->started++;
        assert_true(b->n_held < BENCH_HELD_MAX);
        b->held[b->n_held++] = v[i];
        if (b->end_at_once)
            bench_end(b, b->n_held - 1, RUN_SUCCEEDED, NULL);
    }
}

static UNUSED void bench_cancel(struct executor *x, struct ulid id, enum cancel_why why)
{
    struct bench *b = (struct bench *)x;
    b->cancelled = id;
    b->cancelled_why = (int)why;
}

// A new engine on the same store: the old one must be gone.
static UNUSED void bench_boot(struct bench *b)
{
    struct err err = {0};
    b->config.seed++;
    b->engine = engine_new(&b->config, b->store, &b->x, &b->clock.base, NULL);
    assert_true(engine_recover(b->engine, &err));
}

static UNUSED void bench_kill(struct bench *b)
{
    engine_free(TAKE(b->engine));
    b->n_held = 0; // its attempts died with it
}

static UNUSED int bench_setup(void **state)
{
    struct bench *b = test_calloc(1, sizeof *b);
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    clock_virtual_init(&b->clock, bench_at(0));
    rng_init(&b->rng, 1);
    arena_init(&b->arena, 64 * 1024 * 1024);
    b->x = (struct executor){bench_start, bench_cancel};
    b->zones = zones_new(NULL);
    b->store = store_memory_new();
    b->cancelled_why = -1;
    b->config = (struct engine_config){.node_name = STR("n1"), .running_max = 100, .flush_max = 50, .seed = 1,
                                       .zones = b->zones};
    bench_boot(b);
    *state = b;
    return 0;
}

static UNUSED int bench_teardown(void **state)
{
    struct bench *b = *state;
    engine_free(b->engine);
    b->store->ops->free(b->store);
    zones_free(b->zones);
    arena_release(&b->arena);
    test_free(b);
    return 0;
}

#include "../tests/sim/bench_jobs.h"

#endif
