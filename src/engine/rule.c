// SPDX-License-Identifier: Apache-2.0
// Interned schedules.
#include "engine/rule.h"

#include "base/mem.h"

void rules_init(struct rules *rs, struct zones *zones)
{
    *rs = (struct rules){.zones = zones};
    map_init(&rs->by_key);
}

void rules_release(struct rules *rs)
{
    must(rs->by_key.n == 0);
    map_release(&rs->by_key);
}

// What makes a plan's schedule its own although a million others mean the same is taken out: the instant of a one-off
// job, which plan.next_fire tells already, and the origin of an interval's grid, which becomes the phase.
struct shared {
    struct schedule_spec spec;
    struct instant anchor_at;
    struct duration phase;
};

static struct shared share(const struct plan *p)
{
    struct shared s = {.spec = p->schedule, .anchor_at = p->anchor_at};
    int64_t step = schedule_interval(&s.spec).us;
    bool bounded = !instant_is_never(s.spec.start_at) || !instant_is_never(s.spec.end_at);
    if (s.spec.kind == SCHEDULE_ONCE) {
        s.spec.run_at = (struct instant){0};
        s.spec.start_at = s.spec.end_at = INSTANT_NEVER;
    } else if (step > 0 && !bounded && s.spec.jitter_seconds == 0 && !instant_is_never(s.anchor_at)) {
        s.phase.us = s.spec.anchor == ANCHOR_START ? s.anchor_at.us % step : 0; // jitter depends on the instant itself
        s.anchor_at = (struct instant){0};
    }
    return s;
}

static struct ulid rule_key(const struct schedule_spec *spec, struct instant anchor_at, uint64_t seed)
{
    struct {
        struct ulid schedule;
        int64_t numbers[3];
    } in = {schedule_key(spec, anchor_at, seed),
            {spec->misfire_policy, spec->misfire_threshold_seconds, spec->max_catch_up}};
    return map_key(&in, sizeof in);
}

static struct rule *rule_new(const struct schedule_spec *spec, struct ulid key, struct schedule *schedule)
{
    struct rule *r = mem_new(struct rule);
    *r = (struct rule){
        .key = key,
        .refs = 1,
        .kind = spec->kind,
        .anchor = spec->anchor,
        .misfire_policy = spec->misfire_policy,
        .misfire_threshold = duration_s(spec->misfire_threshold_seconds),
        .max_catch_up = spec->max_catch_up,
        .schedule = schedule,
    };
    return r;
}

bool rules_take(struct rules *rs, const struct plan *p, struct rule **ret, struct duration *ret_phase, struct err *err)
{
    struct shared s = share(p);
    uint64_t seed = schedule_seed(p->job_id);
    struct ulid key = rule_key(&s.spec, s.anchor_at, seed);
    struct rule *r = map_get(&rs->by_key, key);
    if (r && !schedule_stale(r->schedule)) {
        r->refs++;
    } else {
        struct schedule *schedule;
        if (!schedule_compile(rs->zones, &s.spec, s.anchor_at, seed, &schedule, NULL, err))
            return false;
        r = rule_new(&s.spec, key, schedule);
        (void)map_put(&rs->by_key, key, r); // a stale one leaves the map and lives on with its users
    }
    *ret = r;
    *ret_phase = s.phase;
    return true;
}

void rules_put(struct rules *rs, struct rule *r)
{
    if (!r || --r->refs > 0)
        return;
    if (map_get(&rs->by_key, r->key) == r)
        (void)map_remove(&rs->by_key, r->key);
    schedule_unref(r->schedule);
    mem_free(r);
}

static struct instant shift(struct instant t, int64_t us)
{
    return instant_is_never(t) ? t : (struct instant){t.us + us};
}

bool rule_decide(const struct rule *r, struct duration phase, uint64_t seed, struct instant due, struct instant now,
                 struct misfire_decision *ret, struct arena *a, struct err *err)
{
    struct misfire_question q = {
        .schedule = r->schedule,
        .seed = seed,
        .due = shift(due, -phase.us),
        .now = shift(now, -phase.us),
        .policy = (enum misfire_policy)r->misfire_policy,
        .threshold = r->misfire_threshold,
        .catch_up_max = r->max_catch_up,
    };
    struct misfire_decision d;
    if (!misfire_decide(&q, &d, a, err))
        return false;
    for (size_t i = 0; i < d.run_n; i++)
        d.run[i] = shift(d.run[i], phase.us);
    d.dropped_first = shift(d.dropped_first, phase.us);
    d.dropped_last = shift(d.dropped_last, phase.us);
    d.next = shift(d.next, phase.us);
    *ret = d;
    return true;
}
