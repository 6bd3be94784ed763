// SPDX-License-Identifier: Apache-2.0
// What goes wrong in the world, all drawn from the seed: the store fails, forgets to say whether it committed, the
// process dies around a commit or between, is restarted, is frozen while another one takes over; clocks jump.
#include "base/mem.h"
#include "tests/sim/world.h"

static const double chance_unknown = 0.002, chance_fail = 0.002, chance_crash = 0.0001;
enum {
    MINUTE_S = 60,
    KILL_EVERY_S = 3 * 3600,
    DRAIN_EVERY_S = 6 * 3600,
    FREEZE_EVERY_S = 8 * 3600,
    STEP_EVERY_S = 5 * 3600,
    OUTAGE_EVERY_S = 4 * 3600,
};

void sim_trouble(struct sim *s)
{
    if (s->n_troubles == s->cap_troubles) {
        s->cap_troubles = s->cap_troubles ? 2 * s->cap_troubles : 256;
        s->troubles = mem_resize(s->troubles, s->cap_troubles, sizeof *s->troubles);
    }
    s->troubles[s->n_troubles++] = sim_mono(s);
}

static enum store_fault store_call(void *ctx, const char *op, bool writes)
{
    struct sim *s = ctx;
    (void)op;
    if (s->calm || s->quiet)
        return FAULT_NONE;
    double dice = rng_unit(&s->fault_rng);
    enum store_fault fault = FAULT_NONE;
    if (s->outage || dice < chance_fail)
        fault = FAULT_FAIL;
    else if (writes && (dice -= chance_fail) < chance_unknown)
        fault = dice < chance_unknown / 2 ? FAULT_UNKNOWN_COMMITTED : FAULT_UNKNOWN_LOST;
    else if (writes && (dice -= chance_unknown) < chance_crash)
        fault = dice < chance_crash / 2 ? FAULT_CRASH_BEFORE : FAULT_CRASH_AFTER;
    if (fault != FAULT_NONE) {
        s->result.store_faults++;
        sim_trouble(s);
    }
    return fault;
}

void faults_install(struct sim *s)
{
    if (s->o.faults)
        store_memory_set_faults(s->store, (struct store_faults){store_call, s});
    store_memory_set_weakness(s->store, s->o.weak);
}

static void again(struct sim *s, int64_t every_s, enum event_kind kind)
{
    if (!s->quiet)
        (void)event_add(s, duration_ms(sim_between(s, 0, 2 * every_s * 1000)), kind);
}

void faults_plan(struct sim *s)
{
    if (!s->o.faults)
        return;
    again(s, KILL_EVERY_S, EVENT_KILL);
    again(s, DRAIN_EVERY_S, EVENT_DRAIN);
    again(s, FREEZE_EVERY_S, EVENT_FREEZE);
    again(s, STEP_EVERY_S, EVENT_STEP);
    again(s, OUTAGE_EVERY_S, EVENT_OUTAGE);
}

static void boot_soon(struct sim *s, int64_t most_s)
{
    (void)event_add(s, duration_ms(sim_between(s, 100, most_s * 1000)), EVENT_BOOT);
}

static void kill_now(struct sim *s)
{
    if (s->now) {
        proc_kill(s, s->now);
        boot_soon(s, sim_chance(s, 0.1) ? 2 * 3600 : MINUTE_S);
    }
    again(s, KILL_EVERY_S, EVENT_KILL);
}

static void drain(struct sim *s)
{
    if (s->now && !s->now->draining) {
        s->now->draining = true;
        engine_stop(s->now->engine, duration_s(sim_between(s, 0, MINUTE_S)));
    }
    again(s, DRAIN_EVERY_S, EVENT_DRAIN);
}

// The owner stops moving (SIGSTOP, a long pause of the machine), another one takes over, the old one wakes up.
static void freeze(struct sim *s)
{
    if (s->now && !s->now->draining && !s->old) {
        s->old = s->now;
        s->old->frozen = true;
        s->now = NULL;
        (void)event_add(s, duration_s(sim_between(s, 1, MINUTE_S)), EVENT_BOOT);
        (void)event_add(s, duration_s(sim_between(s, MINUTE_S, 2 * MINUTE_S)), EVENT_THAW);
    }
    again(s, FREEZE_EVERY_S, EVENT_FREEZE);
}

static void thaw_over(struct sim *s)
{
    if (s->old)
        proc_kill(s, s->old);
    if (s->now) // it knows nothing of what the old one claimed after waking up
        proc_kill(s, s->now);
    boot_soon(s, MINUTE_S);
}

static void step(struct sim *s)
{
    static const int64_t steps_s[] = {30, -30, 5, -5, 3600, -3600, 7};
    struct duration d = duration_s(steps_s[sim_between(s, 0, sizeof steps_s / sizeof steps_s[0] - 1)]);
    clock_virtual_step(&s->clock, d);
    s->result.clock_steps++;
    again(s, STEP_EVERY_S, EVENT_STEP);
}

void fault_happen(struct sim *s, struct happening *e)
{
    sim_trouble(s);
    switch (e->kind) {
    case EVENT_KILL: kill_now(s); break;
    case EVENT_DRAIN: drain(s); break;
    case EVENT_FREEZE: freeze(s); break;
    case EVENT_THAW:
        if (s->old)
            s->old->frozen = false;
        (void)event_add(s, duration_s(sim_between(s, 1, MINUTE_S)), EVENT_THAW_OVER);
        break;
    case EVENT_THAW_OVER: thaw_over(s); break;
    case EVENT_STEP: step(s); break;
    case EVENT_OUTAGE:
        s->outage = true;
        (void)event_add(s, duration_s(sim_between(s, 1, 5 * MINUTE_S)), EVENT_OUTAGE_OVER);
        break;
    case EVENT_OUTAGE_OVER:
        s->outage = false;
        again(s, OUTAGE_EVERY_S, EVENT_OUTAGE);
        break;
    case EVENT_BOOT:
        if (!s->now)
            proc_boot(s);
        break;
    default: must(e->kind == EVENT_BOOT); break; // not an event of the faults
    }
}
