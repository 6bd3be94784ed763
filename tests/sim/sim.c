// SPDX-License-Identifier: Apache-2.0
// A virtual day: the loop that lets the engines and the world take turns.
#include "tests/sim/hosts.h"

#include "base/log.h"
#include "base/mem.h"

enum { START_S = 1790000000, QUIET_S = 2 * 3600, QUIET_CLUSTER_S = 45 * 60, SPIN_MAX = 100000, POKE_AGAIN_MS = 500 };

static void event_set_pos(void *e, int pos)
{
    ((struct happening *)e)->pos = pos;
}

// Ticks until the engine wants to wait; returns until when.
static struct instant tick(struct sim *s, struct proc *p)
{
    struct instant wake = INSTANT_NEVER;
    for (int i = 0; i < SPIN_MAX; i++) {
        wake = engine_tick(p->engine);
        if (wake.us > sim_wall(s).us || store_memory_crashed(s->store))
            return wake;
    }
    sim_violation(s, "the engine never comes to rest");
    s->quiet = true;
    return INSTANT_NEVER;
}

static void died(struct sim *s)
{
    sim_trace(s, "crash", NULL, 0);
    if (s->old)
        proc_kill(s, s->old);
    if (s->now)
        proc_kill(s, s->now);
    (void)event_add(s, duration_ms(sim_between(s, 100, 60000)), EVENT_BOOT);
}

// A drained engine has ended by itself.
static void drained(struct sim *s)
{
    struct engine_status status;
    engine_status(s->now->engine, &status);
    if (!s->now->draining || status.running > 0)
        return;
    sim_trace(s, "drained", NULL, 0);
    proc_kill(s, s->now);
    (void)event_add(s, duration_ms(sim_between(s, 100, 5000)), EVENT_BOOT);
}

// Lets the engines do what is due; returns when the first of them wants to go on.
static struct instant engines_tick(struct sim *s)
{
    struct instant wake = INSTANT_NEVER;
    if (s->old && !s->old->frozen)
        wake = tick(s, s->old);
    if (s->now) {
        struct instant w = tick(s, s->now);
        wake = w.us < wake.us ? w : wake;
    }
    if (store_memory_crashed(s->store)) {
        died(s);
        return INSTANT_NEVER;
    }
    if (s->now)
        drained(s);
    return wake;
}

static void poke_engine(struct engine *engine, const struct happening *e)
{
    if (e->kind == EVENT_POKE_JOB)
        engine_poke_jobs(engine, &e->id, 1);
    else if (e->kind == EVENT_POKE_RUN)
        engine_poke_run(engine, e->id);
    else
        engine_cancel_run(engine, e->id);
}

// The node that served the user; the others hear of it through the store.
static void poke_host(struct sim *s, const struct happening *e)
{
    struct host *h = host_addressed(s, e);
    if (!h)
        return; // it is gone
    if (h->proc->frozen) {
        struct happening *later = event_add(s, duration_ms(POKE_AGAIN_MS), e->kind);
        later->id = e->id;
        later->host = e->host;
        later->proc = e->proc;
        return;
    }
    poke_engine(h->proc->engine, e);
}

static void poke(struct sim *s, const struct happening *e)
{
    struct proc *procs[] = {s->now, s->old};
    if (s->cluster)
        poke_host(s, e);
    for (size_t i = 0; i < 2; i++)
        if (procs[i]) // nobody to tell: the next start reads everything
            poke_engine(procs[i]->engine, e);
}

static void begin(struct sim *s, struct flight *f)
{
    f->end = NULL;
    if (!f->proc->frozen) {
        attempt_begin(f);
        return;
    }
    f->end = event_add(s, duration_ms(POKE_AGAIN_MS), EVENT_BEGIN);
    f->end->flight = f;
}

void operate_again(struct sim *s)
{
    int64_t mean_ms = 60 * 1000 * 200 / s->o.jobs; // a job is touched every few hours
    if (!s->quiet)
        (void)event_add(s, duration_ms(sim_between(s, 0, 2 * mean_ms)), EVENT_OPERATION);
}

static void happen(struct sim *s, struct happening *e)
{
    switch (e->kind) {
    case EVENT_END: flight_end(s, e->flight); break;
    case EVENT_OPERATION:
        if (!s->quiet)
            users_operate(s, e->id);
        if (ulid_is_zero(e->id))
            operate_again(s);
        break;
    case EVENT_POKE_JOB:
    case EVENT_POKE_RUN:
    case EVENT_POKE_CANCEL: poke(s, e); break;
    case EVENT_BEGIN: begin(s, e->flight); break;
    case EVENT_HOST: host_happen(s, e); break;
    default:
        if (!s->quiet || e->kind == EVENT_BOOT || e->kind == EVENT_THAW_OVER || e->kind == EVENT_OUTAGE_OVER)
            fault_happen(s, e);
        break;
    }
}

void sim_happen(struct sim *s)
{
    struct happening *next;
    while ((next = heap_top(&s->events)) != NULL && next->at.us <= sim_mono(s).us) {
        (void)heap_pop(&s->events);
        happen(s, next);
        mem_free(next);
    }
}

static void world_until(struct sim *s, struct mono end)
{
    while (sim_mono(s).us < end.us) {
        struct instant wake = engines_tick(s);
        struct happening *next = heap_top(&s->events);
        struct duration wait = mono_since(end, sim_mono(s));
        if (next && next->at.us - sim_mono(s).us < wait.us)
            wait = mono_since(next->at, sim_mono(s));
        if (wake.us - sim_wall(s).us < wait.us)
            wait = instant_since(wake, sim_wall(s));
        clock_virtual_advance(&s->clock, wait.us > 0 ? wait : (struct duration){0});
        if (sim_wall(s).us > s->latest.us)
            s->latest = sim_wall(s);
        sim_happen(s);
    }
}

static void sim_init(struct sim *s, const struct sim_options *o)
{
    *s = (struct sim){.o = *o};
    log_configure(o->verbose ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR + 1, LOG_FORMAT_TEXT);
    clock_virtual_init(&s->clock, instant_s(START_S));
    rng_init(&s->rng, o->seed);
    rng_init(&s->fault_rng, ~o->seed);
    s->narrow = sim_chance(s, 0.25);
    s->running_max = s->narrow ? o->jobs / 10 + 2 : 2000;
    s->flush_max = sim_chance(s, 0.25) ? sim_between(s, 1, 5) : 200;
    s->zones = zones_new(NULL);
    s->store = o->nodes > 0 ? store_memory_new_shared() : store_memory_new();
    store_memory_set_clock(s->store, &s->clock.base);
    heap_init(&s->events, event_set_pos);
    map_init(&s->job_index);
    map_init(&s->told);
    s->jobs = mem_array((size_t)o->jobs, sizeof *s->jobs);
}

static void sim_release(struct sim *s)
{
    struct happening *e;
    hosts_free(s);
    if (s->old)
        proc_kill(s, s->old);
    if (s->now)
        proc_kill(s, s->now);
    while ((e = heap_pop(&s->events)) != NULL) {
        late_flush_free(e->late);
        mem_free(e);
    }
    heap_release(&s->events);
    map_release(&s->job_index);
    map_release(&s->told);
    s->store->ops->free(s->store);
    zones_free(s->zones);
    mem_free(s->jobs);
    mem_free(s->starts);
    mem_free(s->troubles);
}

static void day_alone(struct sim *s, struct duration day)
{
    faults_install(s);
    users_insert_jobs(s);
    proc_boot(s);
    operate_again(s);
    faults_plan(s);
    world_until(s, mono_add(sim_mono(s), day));
    s->quiet = true; // faults and users stop; what is left undone now is lost
    s->outage = false;
    if (s->old)
        s->old->frozen = false;
    if (s->o.faults)
        (void)event_add(s, duration_s(1), EVENT_THAW_OVER);
    world_until(s, mono_add(sim_mono(s), duration_s(QUIET_S)));
}

static void day_of_cluster(struct sim *s, struct duration day)
{
    store_memory_set_weakness(s->store, s->o.weak);
    hosts_new(s);
    users_insert_jobs(s);
    operate_again(s);
    host_faults_plan(s);
    hosts_until(s, mono_add(sim_mono(s), day));
    s->quiet = true;
    hosts_heal(s);
    hosts_until(s, mono_add(sim_mono(s), duration_s(QUIET_CLUSTER_S)));
    check_step_last(s);
}

struct sim_result sim_run(const struct sim_options *o)
{
    struct sim s;
    struct duration day = duration_ms((int64_t)(o->hours * 3600e3));
    sim_init(&s, o);
    if (o->nodes > 0)
        day_of_cluster(&s, day);
    else
        day_alone(&s, day);
    check_all(&s);
    s.result.starts = (int64_t)s.n_starts;
    s.result.runs = (int64_t)store_memory_run_count(s.store);
    sim_release(&s);
    return s.result;
}
