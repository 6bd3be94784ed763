// SPDX-License-Identifier: Apache-2.0
// Plans in memory.
#include "engine/entry.h"

#include "engine/meters.h"

void entries_init(struct entries *es, struct zones *zones)
{
    map_init(&es->by_id);
    slab_init(&es->slab, sizeof(struct entry));
    rules_init(&es->rules, zones);
    slots_fill(&es->slots);
}

void entries_release(struct entries *es)
{
    void *e = NULL;
    for (size_t i = 0; (i = map_next(&es->by_id, i, &e)) != 0;)
        rules_put(&es->rules, ((struct entry *)e)->rule);
    map_release(&es->by_id);
    rules_release(&es->rules);
    slab_release(&es->slab);
}

struct entry *entries_find(const struct entries *es, struct ulid job_id)
{
    return map_get(&es->by_id, job_id);
}

struct entry *entries_add(struct entries *es, struct ulid job_id)
{
    struct entry *e = entries_find(es, job_id);
    if (e)
        return e;
    e = slab_take(&es->slab);
    node_init(&e->node, NODE_ENTRY);
    e->job_id = job_id;
    e->next_fire = INSTANT_NEVER;
    e->priority = PRIORITY_MEDIUM;
    e->gone = true;
    e->foreign = !slots_has(&es->slots, slot_of(job_id));
    (void)map_put(&es->by_id, job_id, e);
    return e;
}

bool entry_load(struct entries *es, struct entry *e, const struct plan *p, struct err *err)
{
    if (!e->gone && p->version < e->version)
        return true;
    e->gone = false;
    e->version = p->version;
    e->next_fire = p->next_fire;
    e->timeout = p->timeout;
    e->priority = (uint8_t)p->priority;
    e->concurrency = (uint8_t)p->concurrency;
    e->type = meter_type(p->type);
    e->follows = p->enabled && p->state == JOB_STATE_ACTIVE;
    struct rule *r = NULL;
    bool ok = rules_take(&es->rules, p, &r, &e->phase, err);
    rules_put(&es->rules, e->rule);
    e->rule = r;
    e->follows = e->follows && ok;
    return ok;
}

void entries_remove(struct entries *es, struct entry *e)
{
    must(e->node.list == AGENDA_NONE && e->tasks == NULL);
    (void)map_remove(&es->by_id, e->job_id);
    rules_put(&es->rules, e->rule);
    e->job_id = ULID_ZERO;
    slab_give(&es->slab, e);
}

struct instant entry_wake(const struct entry *e)
{
    if (!e->follows || e->gone || e->foreign || instant_is_never(e->next_fire))
        return INSTANT_NEVER;
    return schedule_due(e->rule->schedule, schedule_seed(e->job_id), e->next_fire);
}

bool entry_stalled(const struct entry *e)
{
    bool idle = e->follows && !e->gone && !e->foreign && !e->tasks;
    return idle && instant_is_never(e->next_fire) && rule_waits_for_end(e->rule);
}
