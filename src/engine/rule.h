// SPDX-License-Identifier: Apache-2.0
// How a plan is scheduled, shared by all plans whose schedule means the same: a million jobs "every day at two"
// hold one compiled schedule. Counted by use; the last user frees it. Engine's thread only.
#ifndef ENGINE_RULE_H
#define ENGINE_RULE_H

#include "base/map.h"
#include "model/plan.h"
#include "sched/next_fire.h"

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
// The rule of the plan, one use more. ERR_INVALID when the schedule cannot be understood.
bool rules_take(struct rules *rs, const struct plan *p, struct rule **ret, struct err *err)
    __attribute__((warn_unused_result));
void rules_put(struct rules *rs, struct rule *r);

static inline bool rule_waits_for_end(const struct rule *r)
{
    return r->kind == SCHEDULE_INTERVAL && r->anchor == ANCHOR_END;
}

#endif
