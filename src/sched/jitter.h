// SPDX-License-Identifier: Apache-2.0
// Jitter: spreads the starts of many jobs that share an instant. A pure function of job and instant,
// so that every node and every restart computes the same start; the occurrence keeps its identity.
#ifndef SCHED_JITTER_H
#define SCHED_JITTER_H

#include "base/time.h"

// When the occurrence is due: at … at + jitter, always before `next` (the occurrence after it,
// INSTANT_NEVER when none), so that jittered occurrences keep their order. jitter ≤ 0: at.
struct instant jitter_apply(struct instant at, struct duration jitter, struct instant next,
                            uint64_t job_seed);

#endif
