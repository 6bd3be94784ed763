// SPDX-License-Identifier: Apache-2.0
// The life of nodes, and the loop in which their threads and the world take turns.
#include "tests/sim/hosts.h"

#include "base/mem.h"
#include "engine/cluster_core.h"
#include "engine/core.h"

enum { SLEEP_MAX_MS = 1000, JOIN_AGAIN_MS = 1000, LEAVE_AGAIN_MS = 1, SPINS_MAX = 100000, DRAIN_EXTRA_S = 10 };
enum { SKEW_SMALL_MS = 200, SKEW_MOST_MS = 59000, SKEW_FAR_S = 600 };

// ---- clocks --------------------------------------------------------------------------------------

static struct instant host_now(const struct clock *c)
{
    const struct host_clock *k = (const struct host_clock *)c;
    return instant_add(sim_wall(k->sim), k->ahead);
}

static struct mono host_mono(const struct clock *c) { return sim_mono(((const struct host_clock *)c)->sim); }

struct instant hosts_wall(const struct sim *s)
{
    struct instant latest = sim_wall(s);
    for (int i = 0; i < s->cluster->n; i++) {
        const struct host *h = &s->cluster->hosts[i];
        struct instant now = clock_now(&h->clock.base);
        if (!host_off(h) && now.us > latest.us)
            latest = now;
    }
    return latest;
}

static void draw_skews(struct sim *s)
{
    struct cluster_world *c = s->cluster;
    double dice = rng_unit(&s->rng);
    int64_t most = dice < 0.5 ? SKEW_SMALL_MS : dice < 0.75 ? SKEW_MOST_MS / 12 : SKEW_MOST_MS;
    bool far = sim_chance(s, 0.1); // this one never takes part
    for (int i = 0; i < c->n && s->o.faults; i++)
        c->hosts[i].skew = far && i == 0 ? duration_s(sim_chance(s, 0.5) ? SKEW_FAR_S : -SKEW_FAR_S)
                                         : duration_ms(sim_between(s, -most, most));
    for (int i = 0; i < c->n; i++)
        c->hosts[i].clock.ahead = c->hosts[i].skew;
    spread_note(s);
}

// ---- turns of the threads ------------------------------------------------------------------------

static void sleep_until(struct host_thread *t, struct mono until)
{
    struct mono most = mono_add(sim_mono(t->host->sim), duration_ms(SLEEP_MAX_MS));
    t->wake = until.us < most.us ? until : most;
}

static void join(struct host *h)
{
    struct err err = {0};
    sleep_until(&h->threads[THREAD_MAIN], mono_add(sim_mono(h->sim), duration_ms(JOIN_AGAIN_MS)));
    if (!cluster_join(h->cluster, &err))
        return;
    if (!engine_recover(h->proc->engine, &err)) {
        h->doomed = true; // the server ends
        return;
    }
    h->joined = true;
    for (int i = 0; i < HOST_THREADS; i++)
        h->threads[i].wake = sim_mono(h->sim);
    sim_trace(h->sim, "joined", &h->proc->id, sizeof h->proc->id);
}

static bool drained(const struct host *h)
{
    const struct engine *e = h->proc->engine;
    if (!e->draining)
        return false;
    return engine_at_rest(e) || sim_mono(h->sim).us >= e->drain_until.us + DRAIN_EXTRA_S * US_PER_S;
}

static void leave(struct host *h)
{
    if (fiber_idle(h->threads[THREAD_BEAT].fiber) && fiber_idle(h->threads[THREAD_WATCH].fiber)) {
        cluster_leave(h->cluster);
        h->doomed = true;
        sim_trace(h->sim, "left", &h->proc->id, sizeof h->proc->id);
    } else {
        h->threads[THREAD_MAIN].wake = mono_add(sim_mono(h->sim), duration_ms(LEAVE_AGAIN_MS));
    }
}

static void main_turn(void *arg)
{
    struct host_thread *t = arg;
    struct host *h = t->host;
    if (!h->joined) {
        join(h);
        return;
    }
    if (h->leaving) {
        leave(h);
        return;
    }
    struct instant wake = engine_tick(h->proc->engine);
    struct duration wait = instant_is_never(wake) ? duration_ms(SLEEP_MAX_MS)
                                                  : instant_since(wake, clock_now(&h->clock.base));
    sleep_until(t, mono_add(sim_mono(h->sim), wait));
    if (drained(h)) {
        h->leaving = true;
        t->wake = sim_mono(h->sim);
    }
}

static void ends_turn(void *arg)
{
    struct host_thread *t = arg;
    engine_write_ends(t->host->proc->engine);
    sleep_until(t, (struct mono){INT64_MAX});
}

static void beat_turn(void *arg)
{
    struct host_thread *t = arg;
    sleep_until(t, cluster_beat(t->host->cluster));
}

static void watch_turn(void *arg)
{
    struct host_thread *t = arg;
    sleep_until(t, cluster_watch(t->host->cluster));
}

static bool *woken(struct host *h, int thread)
{
    return thread == THREAD_MAIN   ? &h->proc->engine->inbox.waker.woken
           : thread == THREAD_ENDS ? &h->proc->engine->ends.waker.woken
           : thread == THREAD_BEAT ? &h->cluster->beat_waker.woken
                                   : &h->cluster->watch_waker.woken;
}

static bool runnable(const struct host *h, int thread)
{
    if (!h->proc || h->proc->frozen || h->doomed)
        return false;
    return !fiber_idle(h->threads[thread].fiber) || thread == THREAD_MAIN || (h->joined && !h->leaving);
}

static bool is_due(struct host *h, int thread)
{
    const struct host_thread *t = &h->threads[thread];
    if (!runnable(h, thread))
        return false;
    return t->wake.us <= sim_mono(h->sim).us || (fiber_idle(t->fiber) && *woken(h, thread));
}

static void run(struct host *h, int thread)
{
    struct host_thread *t = &h->threads[thread];
    if (fiber_idle(t->fiber))
        *woken(h, thread) = false;
    h->sim->cluster->thread = t;
    fiber_resume(t->fiber);
    h->sim->cluster->thread = NULL;
    if (thread == THREAD_MAIN && ++h->spins > SPINS_MAX) {
        sim_violation(h->sim, "the engine of %s never comes to rest", h->name);
        h->dying = true;
    }
}

static void hosts_run(struct sim *s)
{
    for (bool again = true; again;) {
        again = false;
        for (int i = 0; i < s->cluster->n; i++) {
            struct host *h = &s->cluster->hosts[i];
            for (int k = 0; k < HOST_THREADS; k++)
                if (is_due(h, k)) {
                    run(h, k);
                    again = true;
                }
            if (h->proc && (h->dying || h->doomed))
                host_ended(h, h->dying);
        }
    }
}

// ---- beginning and end ---------------------------------------------------------------------------

static bool process_gone(void *ctx, struct str process)
{
    struct host *h = ctx;
    char own[32];
    (void)snprintf(own, sizeof own, "%s-%d", h->name, h->proc->id);
    return !h->elsewhere && !str_is(process, own); // it was alone on its machine
}

void host_boot(struct host *h)
{
    struct sim *s = h->sim;
    struct proc *p = mem_new(struct proc);
    void (*const turns[])(void *) = {main_turn, ends_turn, beat_turn, watch_turn};
    char process[32];
    p->x = world_executor();
    p->sim = s;
    p->clock = &h->clock.base;
    p->host = h;
    p->id = ++s->procs;
    s->result.boots++;
    h->proc = p;
    h->joined = h->leaving = h->dying = h->doomed = h->wanted_away = false;
    h->elsewhere = sim_chance(s, 0.2);
    (void)snprintf(process, sizeof process, "%s-%d", h->name, p->id);
    struct engine_listener listener = world_listener(s);
    struct engine_config e = {.node_name = str_of(h->name), .running_max = s->running_max, .flush_max = s->flush_max,
                              .seed = s->o.seed * 1000003 + (uint64_t)p->id, .zones = s->zones, .ends_apart = true};
    struct cluster_config k = {.name = str_of(h->name), .address = STR("-"), .version = STR("1"),
                               .process = str_of(process), .process_gone = process_gone, .ctx = h,
                               .seed = s->o.seed * 1000033 + (uint64_t)p->id};
    p->engine = engine_new(&e, &h->link.base, &p->x, p->clock, &listener);
    h->cluster = cluster_new(&k, &h->link.base, p->engine, p->clock);
    for (int i = 0; i < HOST_THREADS; i++)
        h->threads[i] = (struct host_thread){
            .host = h, .fiber = fiber_new(turns[i], &h->threads[i]), .wake = sim_mono(s)};
    s->cluster->disturbed = sim_mono(s);
    sim_trace(s, "boot", h->name, sizeof h->name);
}

void host_kill(struct host *h)
{
    h->dying = true;
    for (int i = 0; i < HOST_THREADS; i++) { // what it was doing has no effect any more; only its memory is given back
        while (!fiber_idle(h->threads[i].fiber))
            fiber_resume(h->threads[i].fiber);
        fiber_free(TAKE(h->threads[i].fiber));
    }
    flights_drop(h->proc);
    cluster_free(TAKE(h->cluster));
    engine_free(h->proc->engine);
    mem_free(TAKE(h->proc));
    h->sim->cluster->disturbed = sim_mono(h->sim);
    sim_trace(h->sim, "gone", h->name, sizeof h->name);
}

void hosts_new(struct sim *s)
{
    static const char *const names[HOSTS_MAX] = {"n1", "n2", "n3", "n4", "n5"};
    struct cluster_world *c = s->cluster = mem_new(struct cluster_world);
    c->n = s->o.nodes;
    map_init(&c->forgotten);
    for (int i = 0; i < c->n; i++) {
        struct host *h = &c->hosts[i];
        *h = (struct host){.sim = s, .index = i, .clock = {{host_now, host_mono}, s, {0}},
                           .off_since = {INT64_MAX}, .fit_since = {INT64_MAX}};
        (void)snprintf(h->name, sizeof h->name, "%s", names[i]);
        link_init(&h->link, h);
    }
    draw_skews(s);
    for (int i = 0; i < c->n; i++)
        host_boot(&c->hosts[i]);
}

void hosts_free(struct sim *s)
{
    struct cluster_world *c = s->cluster;
    if (!c)
        return;
    for (int i = 0; i < c->n; i++)
        if (c->hosts[i].proc)
            host_kill(&c->hosts[i]);
    store_snapshot_free(c->snapshot);
    mem_free(c->promised);
    map_release(&c->forgotten);
    mem_free(c->tenures);
    mem_free(c->excuses);
    mem_free(TAKE(s->cluster));
}

// ---- the loop ------------------------------------------------------------------------------------

bool host_fit(const struct host *h)
{
    return h->proc && !h->proc->frozen && !h->dying && !link_bad(&h->link);
}

static struct mono next_wake(const struct sim *s, struct mono end)
{
    struct mono wake = end;
    const struct happening *next = heap_top(&s->events);
    if (next && next->at.us < wake.us)
        wake = next->at;
    for (int i = 0; i < s->cluster->n; i++) {
        const struct host *h = &s->cluster->hosts[i];
        for (int k = 0; k < HOST_THREADS; k++)
            if (runnable(h, k) && h->threads[k].wake.us < wake.us)
                wake = h->threads[k].wake;
    }
    return wake;
}

static void note_latest(struct sim *s)
{
    for (int i = 0; i < s->cluster->n; i++) {
        struct instant now = clock_now(&s->cluster->hosts[i].clock.base);
        if (s->cluster->hosts[i].joined && now.us > s->latest.us)
            s->latest = now;
    }
}

void hosts_until(struct sim *s, struct mono end)
{
    while (sim_mono(s).us < end.us) {
        hosts_run(s);
        check_step(s);
        struct duration wait = mono_since(next_wake(s, end), sim_mono(s));
        clock_virtual_advance(&s->clock, wait.us > 0 ? wait : (struct duration){0});
        for (int i = 0; i < s->cluster->n && wait.us > 0; i++)
            s->cluster->hosts[i].spins = 0;
        note_latest(s);
        sim_happen(s);
    }
}
