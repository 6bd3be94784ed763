// SPDX-License-Identifier: Apache-2.0
// The instants of a cron expression in a time zone. Pure: time is an argument.
//
// The set of fires is defined by wall times: every wall time that matches fires at the instant that
// shows it. Where the clock jumps forward (gap) or back (overlap) the policies decide:
//   gap      RUN: all missing ones together at the first instant after; SKIP: none; SHIFT: each later by the
//   gap overlap  FIRST: at the earlier instant; BOTH; AUTO: BOTH when the expression has "*", a range or a
//   step in
//            second, minute or hour, else FIRST
// Never two fires for one instant.
#ifndef SCHED_CRON_NEXT_H
#define SCHED_CRON_NEXT_H

#include "sched/cron.h"
#include "sched/zone.h"

#define CRON_NEVER INT64_MAX
// No wall time of the year 2199 lies after this instant, in any zone.
#define CRON_LAST_S INT64_C(7258291199) // 2200-01-02T23:59:59Z

// A search and its memory; lives on the stack of one thread. Fill the first four, leave the rest zero.
struct cron_search {
    const struct cron *cron;
    const struct zone *zone;
    enum dst_gap gap;
    enum dst_overlap overlap;
    uint32_t hint;  // zone span of the last hit
    uint32_t steps; // months and spans looked at so far: what a search costs
};

// The first fire after the instant `after_s` (exclusive) and not after `until_s` (inclusive), in seconds
// since the epoch; CRON_NEVER when there is none. Costs at most one step a month up to 2199 and one a clock
// change.
int64_t cron_next(struct cron_search *s, int64_t after_s, int64_t until_s);

// The first wall time ≥ from and < to that matches; CRON_NEVER when there is none.
int64_t cron_next_local(const struct cron *c, int64_t from_s, int64_t to_s, uint32_t *steps);

// An overlap runs the expression in both hours (policy applied).
bool cron_runs_twice(const struct cron_search *s);

#endif
