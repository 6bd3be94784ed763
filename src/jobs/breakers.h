// SPDX-License-Identifier: Apache-2.0
// The circuit breakers of all targets: who asks before a call, what calls tell about their targets, and how
// nodes share it. Types use attempt_target (jobs/runner.h).
//
// Every node counts on its own. Where several nodes use one store, a change of state is written there under a
// condition and the others adopt it: of all nodes one lets a probe through, because its write decides. While
// the store is away nothing is probed.
#ifndef JOBS_BREAKERS_H
#define JOBS_BREAKERS_H

#include "base/clock.h"
#include "model/breaker.h"

struct attempt;
struct breakers;

enum {
    BREAKERS_MAX = 1024,       // targets known to a node; the closed one used longest ago leaves
    BREAKER_PROBE_S_MAX = 600, // a probe is given up after this, or after its timeout and a grace
};

// What nodes tell each other, as the layers above offer it.
struct breaker_share {
    void *ctx;
    // Writes the row when the one in the store still has the version `expect` (0: there is none). since and
    // until are the store's now, and `wait` later.
    bool (*put)(void *ctx, const struct breaker_row *row, int64_t expect, struct duration wait, bool *ret_won,
                struct err *err);
    bool (*list)(void *ctx, struct breaker_row **ret, size_t *ret_n, struct instant *ret_now, struct arena *a,
                 struct err *err);
    struct str node; // our name
};

// share NULL: this node alone. It and the clock must outlive the breakers.
struct breakers *breakers_new(const struct clock *clock, const struct breaker_share *share);
void breakers_free(struct breakers *b);  // every attempt has ended
void breakers_start(struct breakers *b); // the thread that shares; none when there is nobody to share with
void breakers_wake(struct breakers *b);  // from any thread: another node changed something
// Adopts what others changed, then tells what changed here. The thread does it; tests call it.
bool breakers_sync(struct breakers *b, struct err *err);

// All known, by target. ERR_UNAVAILABLE when the shared ones cannot be read.
bool breakers_list(struct breakers *b, struct breaker_row **ret, size_t *ret_n, struct arena *a,
                   struct err *err);
// Closes it on every node. ERR_NOT_FOUND.
bool breakers_reset(struct breakers *b, struct ulid id, struct err *err);

// The attempt has ended: judges its targets by its result. Called by attempt_end.
void breakers_judge(struct attempt *a);

#endif
