// SPDX-License-Identifier: Apache-2.0
// How a plan is scheduled, shared by all plans whose schedule means the same: a million jobs "every day at two"
// hold one compiled schedule. Counted by use; the last user frees it. Engine's thread only.
#ifndef ENGINE_RULE_H
#define ENGINE_RULE_H

#include "base/map.h"
#include "model/plan.h"
#include "sched/misfire.h"

struct rule {
    struct ulid key;
    uint32_t refs;
    int kind, anchor, misfire_policy;
    struct duration misfire_threshold;
    int64_t max_catch_up;
    struct schedule *schedule;
};

struct rules {
    struct map by_key;
    struct zones *zones;
};

void rules_init(struct rules *rs, struct zones *zones);
void rules_release(struct rules *rs); // every rule must have been put back
// The rule of the plan, one use more; never one whose time zone data was superseded. *ret_phase: the plan's occurrences
// are the schedule's, so much later (intervals on grids of their own share one schedule). ERR_INVALID when the schedule
// cannot be understood.
bool rules_take(struct rules *rs, const struct plan *p, struct rule **ret, struct duration *ret_phase, struct err *err)
    __attribute__((warn_unused_result));
void rules_put(struct rules *rs, struct rule *r);

// misfire_decide for a plan of that phase.
bool rule_decide(const struct rule *r, struct duration phase, uint64_t seed, struct instant due, struct instant now,
                 struct misfire_decision *ret, struct arena *a, struct err *err) __attribute__((warn_unused_result));

static inline bool rule_waits_for_end(const struct rule *r)
{
    return r->kind == SCHEDULE_INTERVAL && r->anchor == ANCHOR_END;
}

#endif
