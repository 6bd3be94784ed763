// SPDX-License-Identifier: Apache-2.0
// The part of a job that decides when it fires: one small row beside the wide definition, so that
// the hot path touches nothing else (store: table plans). The engine holds all active plans in memory.
#ifndef MODEL_PLAN_H
#define MODEL_PLAN_H

#include "model/job.h"

struct plan {
    struct ulid job_id;
    int64_t version; // of the definition this plan was made from; every edit counts it up
    int state;       // enum job_state
    bool enabled;
    struct instant next_fire; // oldest occurrence without a decision; INSTANT_NEVER = none
    struct ulid last_run;     // newest run: head of the chain run.prev_run
    int64_t run_count;        // length of that chain as ever written
    struct instant anchor_at; // origin of an interval's grid (startAt, else creation)
    int priority;
    int concurrency;
    struct duration timeout;
    struct str type; // for metrics and capacity
    struct schedule_spec schedule;
};

// Fills everything that follows from the definition; next_fire, last_run and run_count are the caller's.
// Strings are shared with *j. anchor_at = startAt or created_at.
void plan_of_job(const struct job *j, struct plan *ret);

// Enumerations of a plan packed into one integer column, and back.
int64_t plan_options_pack(const struct plan *p);
void plan_options_unpack(int64_t options, struct plan *p);

#endif
