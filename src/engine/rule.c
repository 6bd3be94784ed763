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

// A one-off job knows its only instant from plan.next_fire already. Leaving it out of the schedule lets a
// million of them share one rule.
static struct schedule_spec shared_spec(const struct plan *p)
{
    struct schedule_spec spec = p->schedule;
    if (spec.kind == SCHEDULE_ONCE) {
        spec.run_at = (struct instant){0};
        spec.start_at = spec.end_at = INSTANT_NEVER;
    }
    return spec;
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

bool rules_take(struct rules *rs, const struct plan *p, struct rule **ret, struct err *err)
{
    struct schedule_spec spec = shared_spec(p);
    uint64_t seed = schedule_seed(p->job_id);
    struct ulid key = rule_key(&spec, p->anchor_at, seed);
    struct rule *r = map_get(&rs->by_key, key);
    if (r) {
        r->refs++;
        *ret = r;
        return true;
    }
    struct schedule *schedule;
    if (!schedule_compile(rs->zones, &spec, p->anchor_at, seed, &schedule, NULL, err))
        return false;
    r = rule_new(&spec, key, schedule);
    (void)map_put(&rs->by_key, key, r);
    *ret = r;
    return true;
}

void rules_put(struct rules *rs, struct rule *r)
{
    if (!r || --r->refs > 0)
        return;
    (void)map_remove(&rs->by_key, r->key);
    schedule_unref(r->schedule);
    mem_free(r);
}
