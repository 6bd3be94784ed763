// SPDX-License-Identifier: Apache-2.0
// Time, jobs and runs of the bench for several nodes. Part of bench_nodes.h.
#ifndef TESTS_SIM_BENCH_NODES_JOBS_H
#define TESTS_SIM_BENCH_NODES_JOBS_H

#include "../tests/sim/bench_nodes.h"

static UNUSED void node_tick(struct bench_node *o)
{
    const struct clock_virtual *k = &o->bench->clock;
    struct instant wake = {0};
    for (int n = 0; n < 1000 && wake.us <= k->wall.us; n++)
        wake = engine_tick(o->engine);
    assert_true(wake.us > k->wall.us); // it comes to rest
    o->engine->inbox.waker.woken = false;
    o->tick = instant_is_never(wake) ? (struct mono){INT64_MAX} : mono_add(k->mono, instant_since(wake, k->wall));
}

static UNUSED void node_runs(struct bench_node *o)
{
    if (!o->engine || o->stopped)
        return;
    struct mono now = o->bench->clock.mono;
    if (o->beat.us <= now.us)
        o->beat = cluster_beat(o->cluster);
    if (o->watch.us <= now.us || o->cluster->watch_waker.woken) {
        o->cluster->watch_waker.woken = false;
        o->watch = cluster_watch(o->cluster);
    }
    if (o->tick.us <= now.us || o->engine->inbox.waker.woken)
        node_tick(o);
}

// Lets time pass, in steps of a hundredth of a second.
static UNUSED void nodes_run(struct nodes_bench *b, double seconds)
{
    for (int64_t steps = (int64_t)(seconds * 100); steps >= 0; steps--) {
        for (int i = 0; i < BENCH_NODES; i++)
            node_runs(&b->nodes[i]);
        if (steps > 0)
            clock_virtual_advance(&b->clock, duration_ms(10));
    }
}

static UNUSED struct slots node_slots(const struct bench_node *o) { return o->engine->entries.slots; }

// ---- jobs -----------------------------------------------------------------------------------------

// A job without a schedule in a slot of the node; nobody is told but through the store.
static UNUSED struct job node_job(struct nodes_bench *b, int node, int concurrency)
{
    struct job j;
    struct plan p = {.state = JOB_STATE_ACTIVE, .next_fire = INSTANT_NEVER};
    struct slots own = node_slots(&b->nodes[node]);
    struct err err = {0};
    field_defaults(&job_fields, &j);
    do
        j.id = ulid_new(clock_now(&b->clock.base), &b->rng);
    while (!slots_has(&own, slot_of(j.id)));
    j.name = STR("job");
    j.type = STR("DUMMY");
    j.payload = STR("{}");
    j.schedule.kind = SCHEDULE_MANUAL;
    j.version = 1;
    j.created_at = j.updated_at = clock_now(&b->clock.base);
    j.concurrency_policy = concurrency;
    plan_of_job(&j, &p);
    assert_true(b->store->ops->jobs_insert(b->store, &j, &p, 1, &err));
    return j;
}

// A run of it, due now.
static UNUSED struct ulid node_run(struct nodes_bench *b, const struct job *j)
{
    struct instant now = clock_now(&b->clock.base);
    struct ulid key = ulid_new(now, &b->rng);
    struct run r = {.id = run_id_of(j->id, now, key, 1), .job_id = j->id, .scheduled = now, .first_scheduled = now,
                    .occurrences = 1, .due = now, .start = INSTANT_NEVER, .end = INSTANT_NEVER, .attempt = 1,
                    .status = RUN_QUEUED, .trigger = TRIGGER_MANUAL, .exit_code = FIELD_ABSENT, .run_key = key};
    struct err err = {0};
    assert_true(b->store->ops->run_insert(b->store, &r, &err));
    return r.id;
}

static UNUSED int node_run_status(struct nodes_bench *b, struct ulid id)
{
    struct arena a CLEANUP(arena_release);
    struct run r;
    struct err err = {0};
    arena_init(&a, SIZE_MAX);
    assert_true(b->store->ops->run_get(b->store, id, &r, &a, &err));
    return r.status;
}

#endif
