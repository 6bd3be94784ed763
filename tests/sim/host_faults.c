// SPDX-License-Identifier: Apache-2.0
// What goes wrong with a cluster, all drawn from the seed: processes that end or stand still, links that are cut, slow
// or lose answers, clocks that are set, stores that do not answer or forget; and what is no fault: nodes that come and
// go.
#include "base/mem.h"
#include "tests/sim/hosts.h"

static const double chance_fail = 0.0003, chance_unknown = 0.003, chance_crash = 0.0002, chance_late = 0.003;
enum {
    MINUTE_S = 60,
    HOUR_S = 3600,
    LINK_FAULT_S = 8,     // until a call that failed was repeated, and all that follows from it
    REFUSE_S = 10,        // until a node has seen that its clock is wrong and others have taken over
    LATE_S = 20,          // a transaction that was lost on its way may arrive so long after
    SWEEP_S = 70,         // until a node has looked at everything that is unfinished
    UNSURE_S = 45,        // lease, heartbeat and 5 s
    FORGET_MS = 1500,
    FORGET_OPERATIONS = 6,
    FAILOVER_MS = 1500,   // at least: nobody fails over without a look of the nodes failing
    AGAIN_MS = 500,
};

void excuse_add(struct sim *s, struct mono from, struct mono to, struct duration slack)
{
    struct cluster_world *c = s->cluster;
    if (c->n_excuses == c->cap_excuses) {
        c->cap_excuses = c->cap_excuses ? 2 * c->cap_excuses : 256;
        c->excuses = mem_resize(c->excuses, c->cap_excuses, sizeof *c->excuses);
    }
    c->excuses[c->n_excuses++] = (struct excuse){from.us, to.us, slack};
}

static void excuse_now(struct sim *s, int64_t seconds)
{
    excuse_add(s, sim_mono(s), mono_add(sim_mono(s), duration_s(seconds)), (struct duration){0});
    s->cluster->disturbed = sim_mono(s);
}

enum store_fault host_fault_draw(struct host *h, bool writes)
{
    struct sim *s = h->sim;
    if (s->calm || s->quiet || !s->o.faults || !h->proc || !h->joined)
        return FAULT_NONE;
    double dice = rng_unit(&s->fault_rng);
    enum store_fault fault = FAULT_NONE;
    if (dice < chance_fail)
        fault = FAULT_FAIL;
    else if (writes && (dice -= chance_fail) < chance_unknown)
        fault = dice < chance_unknown / 2 ? FAULT_UNKNOWN_COMMITTED : FAULT_UNKNOWN_LOST;
    else if (writes && fiber_inside() && (dice -= chance_unknown) < chance_crash)
        fault = dice < chance_crash / 2 ? FAULT_CRASH_BEFORE : FAULT_CRASH_AFTER;
    if (fault != FAULT_NONE) {
        s->result.store_faults++;
        excuse_now(s, LINK_FAULT_S);
    }
    return fault;
}

bool host_flush_late(struct host *h, const struct flush *f)
{
    struct sim *s = h->sim;
    if (s->calm || s->quiet || !s->o.faults || rng_unit(&s->fault_rng) >= chance_late)
        return false;
    struct happening *e = event_add(s, duration_ms(sim_between(s, 1, LATE_S * 1000)), EVENT_HOST);
    e->what = HOST_LATE;
    e->host = h->index;
    e->late = late_flush_new(f, h->index);
    s->result.store_faults++;
    excuse_now(s, LATE_S + SWEEP_S); // a run that was claimed and is nobody's is found by the next sweep
    return true;
}

// ---- events --------------------------------------------------------------------------------------

static struct happening *plan(struct sim *s, struct duration in, int what, int host)
{
    struct happening *e = event_add(s, in, EVENT_HOST);
    e->what = what;
    e->host = host;
    return e;
}

static struct duration some_time(struct sim *s, int64_t most_s)
{
    return duration_ms(sim_between(s, 100, most_s * 1000));
}

static const struct {
    int what;
    int64_t every_s;
    bool fault;
} causes[] = {
    {HOST_KILL, 90 * MINUTE_S, true},   {HOST_ROLL, 2 * HOUR_S, false},     {HOST_DRAIN, 2 * HOUR_S, false},
    {HOST_WANT, 3 * HOUR_S, false},     {HOST_FREEZE, 90 * MINUTE_S, true}, {HOST_CUT, 90 * MINUTE_S, true},
    {HOST_DEAF, 3 * HOUR_S, true},      {HOST_SLOW, 3 * HOUR_S, true},      {HOST_STEP, 2 * HOUR_S, true},
    {HOST_OUTAGE, 4 * HOUR_S, true},    {HOST_SNAPSHOT, 4 * HOUR_S, true},
};

static void again(struct sim *s, int what)
{
    for (size_t i = 0; i < sizeof causes / sizeof causes[0] && !s->quiet; i++)
        if (causes[i].what == what && (s->o.faults || !causes[i].fault))
            (void)plan(s, some_time(s, 2 * causes[i].every_s), what, -1);
}

void host_faults_plan(struct sim *s)
{
    for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++)
        again(s, causes[i].what);
}

void host_ended(struct host *h, bool crashed)
{
    struct sim *s = h->sim;
    host_kill(h);
    bool long_time = crashed && !s->quiet && sim_chance(s, 0.15);
    (void)plan(s, some_time(s, long_time ? HOUR_S / 2 : crashed ? MINUTE_S : 5), HOST_BOOT, h->index);
}

static void drain(struct host *h)
{
    if (!h->joined || h->proc->draining || h->proc->frozen)
        return;
    h->proc->draining = true;
    cluster_drain(h->cluster, true);
    engine_stop(h->proc->engine, duration_s(sim_between(h->sim, 0, MINUTE_S)));
    h->sim->cluster->disturbed = sim_mono(h->sim);
    sim_trace(h->sim, "drain", h->name, sizeof h->name);
}

// One node after the other, as an upgrade does it.
static void roll(struct sim *s)
{
    for (int i = 0; i < s->cluster->n; i++)
        (void)plan(s, duration_ms(i * 20000 + sim_between(s, 0, 20000)), HOST_DRAIN, i);
}

static void want(struct host *h, bool away)
{
    struct sim *s = h->sim;
    struct err err = {0};
    if (!s->store->ops->node_want(s->store, str_of(h->name), away, &err))
        return; // it is gone
    h->wanted_away = away;
    s->cluster->disturbed = sim_mono(s);
    sim_trace(s, away ? "want away" : "want back", h->name, sizeof h->name);
    if (away)
        (void)plan(s, some_time(s, 5 * MINUTE_S), HOST_UNWANT, h->index);
}

static void set_link(struct host *h, int what)
{
    struct sim *s = h->sim;
    bool *flag = what == HOST_CUT ? &h->link.cut : what == HOST_DEAF ? &h->link.deaf : &h->link.slow;
    if (*flag)
        return;
    *flag = true;
    sim_trace(s, what == HOST_CUT ? "cut" : what == HOST_DEAF ? "deaf" : "slow", h->name, sizeof h->name);
    plan(s, some_time(s, 90), HOST_HEAL, h->index)->number = what;
}

static void heal(struct host *h, int64_t what)
{
    bool *flag = what == HOST_CUT ? &h->link.cut : what == HOST_DEAF ? &h->link.deaf : &h->link.slow;
    *flag = false;
    sim_trace(h->sim, "heal", h->name, sizeof h->name);
}

static void cut(struct sim *s, struct host *h)
{
    bool halves = sim_chance(s, 0.3);
    set_link(h, HOST_CUT);
    for (int i = 0; halves && i < s->cluster->n; i++)
        if (sim_chance(s, 0.5))
            set_link(&s->cluster->hosts[i], HOST_CUT);
}

// Who takes slots over from a node whose clock goes behind its own finds them overdue by that much.
void spread_note(struct sim *s)
{
    struct cluster_world *c = s->cluster;
    int64_t low = INT64_MAX, high = INT64_MIN;
    if (c->spread.us > 0)
        excuse_add(s, c->spread_since, mono_add(sim_mono(s), duration_s(REFUSE_S)), c->spread);
    for (int i = 0; i < c->n; i++) {
        int64_t ahead = c->hosts[i].clock.ahead.us;
        if (host_off(&c->hosts[i]))
            continue;
        low = ahead < low ? ahead : low;
        high = ahead > high ? ahead : high;
    }
    c->spread.us = high > low ? high - low : 0;
    c->spread_since = sim_mono(s);
}

static void clock_set(struct host *h, struct duration ahead)
{
    struct sim *s = h->sim;
    struct duration by = {llabs(ahead.us - h->clock.ahead.us)};
    h->clock.ahead = ahead;
    s->result.clock_steps++;
    if (by.us > 0) // what it decides until it notices may look that late to it
        excuse_add(s, sim_mono(s), mono_add(sim_mono(s), duration_s(REFUSE_S)), by);
    spread_note(s);
    excuse_now(s, REFUSE_S);
    sim_trace(s, "clock", &ahead, sizeof ahead);
}

static void step(struct host *h)
{
    static const int64_t steps_s[] = {5, -5, 30, -30, 45, -45, 600, -600, 3600, -3600, 86400, -86400};
    struct sim *s = h->sim;
    struct duration by = duration_s(steps_s[sim_between(s, 0, sizeof steps_s / sizeof steps_s[0] - 1)]);
    if (h->clock.ahead.us != h->skew.us)
        return;
    clock_set(h, (struct duration){h->skew.us + by.us});
    (void)plan(s, some_time(s, 10 * MINUTE_S), HOST_STEP_BACK, h->index);
}

static void forget(void *ctx, const struct run *r)
{
    struct sim *s = ctx;
    (void)map_put(&s->cluster->forgotten, r->id, s);
    (void)map_put(&s->cluster->forgotten, r->run_key, s);
    (void)map_remove(&s->told, r->id);
}

// What is committed from now on is forgotten. Better when there is something: nodes come and go.
static void take_snapshot(struct sim *s)
{
    static const int worth[] = {HOST_DRAIN, HOST_WANT, HOST_KILL};
    s->cluster->snapshot = store_memory_snapshot(s->store);
    s->cluster->promised = mem_array((size_t)s->o.jobs, sizeof *s->jobs);
    memcpy(s->cluster->promised, s->jobs, (size_t)s->o.jobs * sizeof *s->jobs);
    (void)plan(s, duration_ms(sim_between(s, 1, FORGET_MS)), HOST_FAILOVER, -1);
    for (int64_t i = sim_between(s, 0, FORGET_OPERATIONS); i > 0; i--)
        users_operate(s, s->jobs[sim_between(s, 0, s->o.jobs - 1)].job.id);
    if (sim_chance(s, 0.6))
        (void)plan(s, duration_ms(sim_between(s, 1, FORGET_MS / 4)), worth[sim_between(s, 0, 2)],
                   (int)sim_between(s, 0, s->cluster->n - 1));
}

// The store's other copy takes over; it had not heard of the last commits.
static void failover(struct sim *s)
{
    if (!s->cluster->snapshot)
        return; // the day is over
    store_memory_restore(s->store, s->cluster->snapshot, forget, s);
    store_snapshot_free(TAKE(s->cluster->snapshot));
    memcpy(s->jobs, s->cluster->promised, (size_t)s->o.jobs * sizeof *s->jobs); // what was promised since is forgotten
    mem_free(TAKE(s->cluster->promised));
    tenures_refresh(s);
    s->cluster->unsure_until = mono_add(sim_mono(s), duration_s(UNSURE_S));
    s->outage = true;
    sim_trace(s, "failover", NULL, 0);
    (void)plan(s, duration_ms(sim_between(s, FAILOVER_MS, 10 * FAILOVER_MS)), HOST_OUTAGE_OVER, -1);
}

void host_freeze(struct host *h, struct duration lasts)
{
    if (h->proc->frozen)
        return;
    h->proc->frozen = true;
    sim_trace(h->sim, "freeze", h->name, sizeof h->name);
    plan(h->sim, lasts, HOST_THAW, h->index)->proc = h->proc->id;
}

// To a host, of those that live when it has to.
static void happen_to(struct host *h, struct happening *e)
{
    struct sim *s = h->sim;
    switch ((enum host_event)e->what) {
    case HOST_BOOT:
        if (!h->proc)
            host_boot(h);
        break;
    case HOST_KILL:
        if (h->proc)
            host_ended(h, true);
        break;
    case HOST_DRAIN:
        if (h->proc)
            drain(h);
        break;
    case HOST_WANT: want(h, true); break;
    case HOST_UNWANT: want(h, false); break;
    case HOST_FREEZE:
        if (h->proc && sim_chance(s, 0.5))
            h->link.stops = true;
        else if (h->proc)
            host_freeze(h, some_time(s, 90));
        break;
    case HOST_THAW:
        if (h->proc && h->proc->id == e->proc)
            h->proc->frozen = false;
        break;
    case HOST_CUT: cut(s, h); break;
    case HOST_DEAF:
    case HOST_SLOW: set_link(h, e->what); break;
    case HOST_HEAL: heal(h, e->number); break;
    case HOST_STEP: step(h); break;
    case HOST_STEP_BACK: clock_set(h, h->skew); break;
    case HOST_PUBLISH: link_publish_late(&h->link); break;
    case HOST_LATE: late_flush_arrive(s, TAKE(e->late)); break;
    default: must(e->what == HOST_PUBLISH); break; // it happens to all
    }
}

static void happen_to_all(struct sim *s, struct happening *e)
{
    switch ((enum host_event)e->what) {
    case HOST_ROLL: roll(s); break;
    case HOST_OUTAGE:
        s->outage = true;
        sim_trace(s, "outage", NULL, 0);
        (void)plan(s, some_time(s, 5 * MINUTE_S), HOST_OUTAGE_OVER, -1);
        break;
    case HOST_OUTAGE_OVER:
        s->outage = false;
        sim_trace(s, "outage over", NULL, 0);
        break;
    case HOST_SNAPSHOT:
        if (s->cluster->snapshot || s->outage)
            break;
        take_snapshot(s);
        break;
    case HOST_FAILOVER: failover(s); break;
    default: happen_to(&s->cluster->hosts[sim_between(s, 0, s->cluster->n - 1)], e); break;
    }
}

void host_happen(struct sim *s, struct happening *e)
{
    bool ends = e->what == HOST_BOOT || e->what == HOST_PUBLISH || e->what == HOST_LATE;
    if (s->quiet && !ends)
        return;
    if (e->host < 0)
        happen_to_all(s, e);
    else
        happen_to(&s->cluster->hosts[e->host], e);
    if (e->host < 0)
        again(s, e->what);
}

void hosts_heal(struct sim *s)
{
    failover(s);
    s->outage = false;
    for (int i = 0; i < s->cluster->n; i++) {
        struct host *h = &s->cluster->hosts[i];
        h->link.cut = h->link.deaf = h->link.slow = h->link.stops = false;
        if (h->proc)
            h->proc->frozen = false;
        else
            (void)plan(s, some_time(s, MINUTE_S), HOST_BOOT, h->index);
        if (h->wanted_away)
            want(h, false);
        h->skew = (struct duration){h->skew.us / 100};
        clock_set(h, h->skew);
    }
}

// ---- operations of users -------------------------------------------------------------------------

bool hosts_serve(struct sim *s)
{
    struct cluster_world *c = s->cluster;
    if (!c)
        return true;
    c->serving = (int)sim_between(s, 0, c->n - 1);
    const struct host *h = &c->hosts[c->serving];
    return host_fit(h) && h->joined && !h->leaving;
}

void hosts_address(struct sim *s, struct happening *e)
{
    if (!s->cluster)
        return;
    e->host = s->cluster->serving;
    e->proc = s->cluster->hosts[e->host].proc->id;
}

struct host *host_addressed(struct sim *s, const struct happening *e)
{
    struct host *h = &s->cluster->hosts[e->host];
    return h->proc && h->proc->id == e->proc ? h : NULL;
}
