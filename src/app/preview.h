// SPDX-License-Identifier: Apache-2.0
// What sched/preview tells, without its names: it calls a fire "struct fire", as store.h calls a decision, so the two
// headers cannot meet in one file. The same function answers the command line.
#ifndef APP_PREVIEW_H
#define APP_PREVIEW_H

#include "sched/next_fire.h"

// One instant to come.
struct occurrence {
    struct instant at;
    int32_t offset_s; // of the schedule's zone at that instant
    struct str note;  // about a clock change, or absent
};
// Up to count occurrences after the instant, in the arena; *ret is NULL when the arena is full.
size_t preview_occurrences(const struct schedule *s, struct instant after, size_t count, struct occurrence **ret,
                           struct arena *a);
// Sentences about a valid schedule that is probably not what was meant.
struct strs preview_warnings(const struct schedule *s, struct instant from, struct arena *a);

#endif
