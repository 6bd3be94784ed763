// SPDX-License-Identifier: Apache-2.0
// Inside of struct zone, for zone.c and zone_parse.c only.
#ifndef SCHED_ZONE_DATA_H
#define SCHED_ZONE_DATA_H

#include <stdatomic.h>

#include "sched/zone.h"

enum { ZONE_ABBR_MAX = 16 };

struct zone_type {
    int32_t offset_s;
    bool dst;
    char abbr[ZONE_ABBR_MAX];
};

//      span 0      |   span 1   |   span 2   …   |  span n
//  −∞            at[0]        at[1]            at[n−1]       ∞
// Span i has the type types[kind[i]]. From cycle_s on, the spans repeat those of 400 years before.
struct zone {
    _Atomic uint32_t refs;
    _Atomic bool superseded;
    char name[ZONE_NAME_MAX + 1];
    uint32_t n;              // transitions
    int64_t cycle_s;         // INT64_MAX: no repetition
    struct zone_type *types; // the arrays lie behind the struct, in one allocation
    int64_t *at;             // n, rising
    uint16_t *kind;          // n + 1
};

// 146,097 days: after them dates and weekdays repeat.
#define ZONE_CYCLE_S (INT64_C(146097) * 86400)

#endif
