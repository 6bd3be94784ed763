// SPDX-License-Identifier: Apache-2.0
// The line protocol of `chronos schedule next --jsonl` (api.md §6): one JSON request in, one JSON line out.
//
//     {"id":7,"expr":"30 2 * * *","tz":"Europe/Berlin","from":"2027-03-27T12:00:00Z","count":2}
//     {"id":7,"valid":true,"next":["2027-03-28T03:00:00+02:00","2027-03-29T02:30:00+02:00"]}
//     {"id":7,"valid":false,"error":"minute: expected 0-59 …","position":0}
//
// Absent: tz = UTC, count = 5, from = the caller's now. Unknown keys are ignored, so that a line may carry
// remarks of its own. position is null when the fault is not in the expression.
#ifndef SCHED_ANSWER_H
#define SCHED_ANSWER_H

#include "base/map.h"
#include "base/sbuf.h"
#include "sched/next_fire.h"

enum { ANSWER_COUNT_DEFAULT = 5, ANSWER_COUNT_MAX = 10000, ANSWER_CACHE_MAX = 4096 };

// Compiled expressions kept between lines. One thread at a time.
struct answer_cache {
    struct zones *zones; // borrowed
    struct instant now;  // used when a request has no "from"; INSTANT_NEVER: "from" is required
    struct map compiled; // schedule_key → struct schedule; emptied when ANSWER_CACHE_MAX are in it
};

void answer_cache_init(struct answer_cache *c, struct zones *zones, struct instant now);
void answer_cache_release(struct answer_cache *c);

// Appends the answer and a newline. Every line gets one, however wrong it is.
void schedule_answer(struct str line, struct sbuf *out, struct answer_cache *c);

#endif
