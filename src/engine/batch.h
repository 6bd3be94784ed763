// SPDX-License-Identifier: Apache-2.0
// One flush under construction: the rows that go to the store together, and what each of them is about.
//
// The rows live in the batch's arena and are thrown away after the flush was acted upon. When the commit's outcome is
// unknown the batch stays as it is until the store has told what became of it (unknown.c).
#ifndef ENGINE_BATCH_H
#define ENGINE_BATCH_H

#include "engine/inbox.h"
#include "store/store.h"

struct batch {
    struct arena arena;
    struct flush flush;
    size_t max;               // fires, claims, finishes: each at most so many
    size_t starts;            // runs of other jobs, started by finishes: closed to more finishes beyond max
    size_t rows_max, rows;    // runs written by fires: closed to more plans beyond
    // About each row, in the order of flush.fires, claims, finishes:
    struct entry **planned;
    struct task ***started;   // [fire][run]: the task of a RUNNING row; NULL for other rows
    struct task **claimed;
    struct task **finished;
    struct change *changes;   // flush.changes
    struct flush_notice *notices; // flush.notices
    size_t notices_cap;
    struct log_buffer *logs;  // flush.logs are its lines from `sent` on
};

void batch_init(struct batch *b, size_t max);
void batch_release(struct batch *b);
void batch_clear(struct batch *b);
bool batch_empty(const struct batch *b);
// Room for one more plan, claim or finish.
bool batch_open(const struct batch *b);
bool batch_open_finishes(const struct batch *b);
// The next fire with room for so many runs (n_runs is 0 still). NULL when the arena is used up.
struct fire *batch_fire(struct batch *b, struct entry *p, size_t runs_max);
// The next run of the fire made last. task: of a RUNNING row, else NULL.
struct run *batch_fire_run(struct batch *b, const struct run *r, struct task *task);
// The next claim or finish; the run row is zeroed. NULL when the arena is used up.
struct claim *batch_claim(struct batch *b, struct task *t);
struct finish *batch_finish(struct batch *b, struct task *t);
// Something people want to be told if row `at` of a part is won. Left out when the arena is used up: rows come first.
void batch_notice(struct batch *b, enum flush_part part, size_t at, const struct notice *n);
// Tells other nodes, at most three times for each finish and once for each run that it starts.
void batch_change(struct batch *b, enum change_kind kind, struct ulid subject);
// Takes the next lines of the log within bounds of count and bytes.
void batch_logs(struct batch *b, struct log_buffer *logs);

#endif
