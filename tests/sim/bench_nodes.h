// SPDX-License-Identifier: Apache-2.0
// A test bench for several nodes: engines and clusters on one shared memory store, one virtual clock, executors whose
// attempts end when the test says so. Included by src/engine/*_test.c; every function is static.
#ifndef TESTS_SIM_BENCH_NODES_H
#define TESTS_SIM_BENCH_NODES_H

// cmocka wants these first
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/sync.h"
#include "engine/cluster_core.h"
#include "engine/core.h"
#include "store/memory/store_memory.h"

#define UNUSED __attribute__((unused))

enum { BENCH_NODES = 3, NODE_HELD_MAX = 64, NODES_SEED = 7 };
#define BENCH_START_S INT64_C(1790000000) // a whole minute in 2026

struct bench_node {
    struct executor x; // first member
    struct nodes_bench *bench;
    struct engine *engine; // NULL: not there
    struct cluster *cluster;
    struct attempt *held[NODE_HELD_MAX]; // started and not ended, oldest first
    size_t n_held;
    int64_t started;
    int cancelled_why; // −1: none
    struct mono beat, watch, tick;
    bool stopped;      // no thread of it moves
};
struct nodes_bench {
    struct clock_virtual clock;
    struct zones *zones;
    struct store *store;
    struct rng rng;
    struct bench_node nodes[BENCH_NODES];
};

static UNUSED void node_start(struct executor *x, struct attempt **v, size_t n)
{
    struct bench_node *o = (struct bench_node *)x;
    for (size_t i = 0; i < n; i++) {
        assert_true(o->n_held < NODE_HELD_MAX);
        o->held[o->n_held++] = v[i];
        o->started++;
    }
}

static UNUSED void node_cancel(struct executor *x, struct ulid id, enum cancel_why why)
{
    (void)id;
    ((struct bench_node *)x)->cancelled_why = (int)why;
}

// Ends the oldest attempt.
static UNUSED void node_end(struct bench_node *o, int status)
{
    assert_true(o->n_held > 0);
    struct attempt *a = o->held[0];
    memmove((void *)o->held, (void *)(o->held + 1), --o->n_held * sizeof o->held[0]);
    a->result.status = status;
    a->sink->done(a->sink, a);
}

static UNUSED bool gone_always(void *ctx, struct str process)
{
    (void)ctx;
    return process.n > 0;
}

// Node i: "n0", "n1", …; joins at once. gone: of struct cluster_config.
static UNUSED bool node_joins(struct nodes_bench *b, int i, bool (*gone)(void *ctx, struct str process))
{
    static const char *const names[BENCH_NODES] = {"n0", "n1", "n2"};
    static uint64_t seed = NODES_SEED;
    struct bench_node *o = &b->nodes[i];
    struct err err = {0};
    if (!o->engine) {
        *o = (struct bench_node){.x = {node_start, node_cancel}, .bench = b, .cancelled_why = -1};
        struct engine_config e = {.node_name = str_of(names[i]), .running_max = NODE_HELD_MAX, .flush_max = 50,
                                  .seed = ++seed, .zones = b->zones};
        struct cluster_config c = {.name = str_of(names[i]), .address = STR("a"), .version = STR("1"),
                                   .process = STR("p"), .process_gone = gone, .seed = ++seed};
        o->engine = engine_new(&e, b->store, &o->x, &b->clock.base, NULL);
        o->cluster = cluster_new(&c, b->store, o->engine, &b->clock.base);
    }
    o->stopped = true;
    if (!cluster_join(o->cluster, &err))
        return false;
    assert_true(engine_recover(o->engine, &err));
    o->stopped = false;
    o->beat = o->watch = o->tick = b->clock.mono;
    return true;
}

static UNUSED void node_dies(struct nodes_bench *b, int i)
{
    struct bench_node *o = &b->nodes[i];
    cluster_free(TAKE(o->cluster));
    engine_free(TAKE(o->engine));
}

static UNUSED int nodes_setup(void **state)
{
    struct nodes_bench *b = test_calloc(1, sizeof *b);
    log_configure(LOG_LEVEL_ERROR + 1, LOG_FORMAT_TEXT);
    clock_virtual_init(&b->clock, instant_s(BENCH_START_S));
    rng_init(&b->rng, 1);
    b->zones = zones_new(NULL);
    b->store = store_memory_new_shared();
    store_memory_set_clock(b->store, &b->clock.base);
    *state = b;
    return 0;
}

static UNUSED int nodes_teardown(void **state)
{
    struct nodes_bench *b = *state;
    for (int i = 0; i < BENCH_NODES; i++)
        if (b->nodes[i].engine)
            node_dies(b, i);
    b->store->ops->free(b->store);
    zones_free(b->zones);
    test_free(b);
    return 0;
}

#include "../tests/sim/bench_nodes_jobs.h"

#define NODES_TEST(name) cmocka_unit_test_setup_teardown(name, nodes_setup, nodes_teardown)

#endif
