// SPDX-License-Identifier: Apache-2.0
// What to do with occurrences whose time has come: one rule for lateness, pause and resume, enable,
// edit, restore and clock jumps (semantics.md §3).
//
//        due                                    now − threshold              now
//     ───┼───────┼───────┼───────┼───────┼──────────┼─────────┼──────┼────────┼──→
//        misfired: the policy decides                late: each runs          not yet
//
// An occurrence more than the threshold late (jitter counted in) is misfired; one exactly the threshold
// late is not. Late ones each run even when a misfired one runs too: they are on time by promise, and only
// the misfired past is subject to the policy.
#ifndef SCHED_MISFIRE_H
#define SCHED_MISFIRE_H

#include "sched/next_fire.h"

struct misfire_question {
    const struct schedule *schedule;
    uint64_t seed;      // of the job, for jitter
    struct instant due; // oldest occurrence without a decision; need not be one of the schedule (it may have
                        // been edited since): past identities never change
    struct instant now;
    enum misfire_policy policy;
    struct duration threshold; // < 0 counts as 0
    int64_t catch_up_max;      // FIRE_ALL; 1 … SCHEDULE_CATCH_UP_MAX
};

enum misfire_fate {
    FATE_NONE,      // nothing was dropped
    FATE_COALESCED, // FIRE_NOW: older than the one that runs for them
    FATE_MISSED,    // RESCHEDULE, IGNORE: all; FIRE_ALL: those past catch_up_max (the newest)
};

struct misfire_decision {
    struct instant *run; // to be run, oldest first; arena
    size_t run_n;
    size_t catch_up_n;      // the first so many of run[] are misfired: pace them (trigger CATCH_UP)
    enum misfire_fate fate; // of the dropped ones
    int64_t dropped_n;
    bool dropped_estimated; // cron, more than MISFIRE_COUNT_MAX dropped: dropped_n is an estimate
    struct instant dropped_first, dropped_last;
    struct instant
        next; // oldest occurrence left without a decision; ≤ now only when more than MISFIRE_LATE_MAX
              // were late: ask again. INSTANT_NEVER: none, or known after the run's end (anchor END)
};

enum { MISFIRE_LATE_MAX = 1000, MISFIRE_COUNT_MAX = 100000 };

// Decides every occurrence from due to now. Costs O(runs) for intervals however many were missed, and at most
// MISFIRE_COUNT_MAX searches for cron. ERR_FULL when the arena is exhausted.
bool misfire_decide(const struct misfire_question *q, struct misfire_decision *ret, struct arena *a,
                    struct err *err) __attribute__((warn_unused_result));

#endif
