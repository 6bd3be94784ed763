// SPDX-License-Identifier: Apache-2.0
// What jobs call, as circuit breakers know it: its name, and what the end of an attempt says about it.
#ifndef JOBS_TARGET_H
#define JOBS_TARGET_H

#include "jobs/breaker.h"
#include "jobs/job_type.h"

// Lower case, and without what stands before an @. Absent: too long, or no memory.
struct str target_clean(struct str target, struct arena *a);
// down: the type said that it could not be reached.
enum breaker_verdict target_verdict(const struct attempt_result *r, bool down);

#endif
