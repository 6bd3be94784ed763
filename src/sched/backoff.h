// SPDX-License-Identifier: Apache-2.0
// How long to wait before the next attempt (semantics.md §4).
#ifndef SCHED_BACKOFF_H
#define SCHED_BACKOFF_H

#include "base/rng.h"
#include "base/time.h"
#include "model/job.h"

// Wait after the attempt of that number (1 = the first) failed: b, or b · 2^(attempt − 1), at most
// maxBackoffSeconds (≤ 0: RETRY_BACKOFF_CAP_S). A negative b counts as 0. With an rng the wait is uniform in
// 0 … that ("full jitter"; M. Brooker, Exponential Backoff And Jitter, 2015); NULL = without, whatever the
// policy says. Never overflows.
struct duration backoff_wait(const struct retry_policy *p, int64_t attempt, struct rng *rng);

#endif
