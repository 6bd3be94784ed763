// SPDX-License-Identifier: Apache-2.0
// How a plan follows from a job, and the packed form of its enumerations.
#include "model/plan.h"

void plan_of_job(const struct job *j, struct plan *p)
{
    p->job_id = j->id;
    p->version = j->version;
    p->enabled = j->enabled;
    p->priority = j->priority;
    p->concurrency = j->concurrency_policy;
    p->timeout = duration_s(j->timeout_seconds);
    p->type = j->type;
    p->schedule = j->schedule;
    p->anchor_at = instant_is_never(j->schedule.start_at) ? j->created_at : j->schedule.start_at;
}

// Stored integers: never reorder or narrow; a new enumeration takes the next free bits.
//
//   bits  0–2  kind      3  anchor    4–6  misfire     7–8  dst gap    9–10 dst overlap
//        11–12 day match 13–14 dialect 15–16 priority 17–18 concurrency
struct packing {
    size_t offset;
    unsigned shift, bits;
};
#define PACK(member, at, width) {offsetof(struct plan, member), (at), (width)}
static const struct packing packings[] = {
    PACK(schedule.kind, 0, 3),        PACK(schedule.anchor, 3, 1),      PACK(schedule.misfire_policy, 4, 3),
    PACK(schedule.dst_gap, 7, 2),     PACK(schedule.dst_overlap, 9, 2), PACK(schedule.day_match, 11, 2),
    PACK(schedule.dialect, 13, 2),    PACK(priority, 15, 2),            PACK(concurrency, 17, 2),
};
enum { PACKINGS = sizeof packings / sizeof packings[0] };

int64_t plan_options_pack(const struct plan *p)
{
    int64_t options = 0;
    for (size_t i = 0; i < PACKINGS; i++) {
        int value;
        memcpy(&value, (const char *)p + packings[i].offset, sizeof value);
        must(value >= 0 && value < (1 << packings[i].bits));
        options |= (int64_t)value << packings[i].shift;
    }
    return options;
}

void plan_options_unpack(int64_t options, struct plan *p)
{
    for (size_t i = 0; i < PACKINGS; i++) {
        int value = (int)(options >> packings[i].shift) & ((1 << packings[i].bits) - 1);
        memcpy((char *)p + packings[i].offset, &value, sizeof value);
    }
}
