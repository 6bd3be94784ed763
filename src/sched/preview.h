// SPDX-License-Identifier: Apache-2.0
// What people see of a schedule before it runs: its next fires with notes about clock changes, and
// warnings about what is probably not meant. Built on schedule_next, so it cannot disagree with the engine.
#ifndef SCHED_PREVIEW_H
#define SCHED_PREVIEW_H

#include "sched/next_fire.h"

struct fire {
    struct instant at;
    int32_t offset_s; // local − UTC in the schedule's zone (0 without one)
    struct str abbr;  // "CEST", "UTC"
    struct str note;  // about a clock change between the fire before (or `from`) and this one; "" when none
};
struct fires {
    struct fire *v;
    size_t n;
};

enum { PREVIEW_MAX = 10000 };

// The next n (≤ PREVIEW_MAX) fires after `from` (exclusive); fewer when the schedule ends. ERR_FULL when the
// arena is exhausted.
bool schedule_preview(const struct schedule *s, struct instant from, size_t n, struct fires *ret,
                      struct arena *a, struct err *err) __attribute__((warn_unused_result));

// Sentences about a valid schedule: it never fires, either day field matches, days that short months lack,
// uneven steps, nothing for more than a year. Empty when there is nothing to say or the arena is exhausted.
struct strs schedule_warnings(const struct schedule *s, struct instant from, struct arena *a);

#endif
