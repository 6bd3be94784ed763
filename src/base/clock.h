// SPDX-License-Identifier: Apache-2.0
// The only way to the time of day. Production holds clock_real(); tests and the simulator hold a
// virtual clock that moves only when told, also backwards (a clock step).
// Never keep a `now` across a blocking call: ask again.
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/time.h"

struct clock {
    struct instant (*now)(const struct clock *c);
    struct mono (*mono)(const struct clock *c); // never goes back
};

static inline struct instant clock_now(const struct clock *c) { return c->now(c); }
static inline struct mono clock_mono(const struct clock *c) { return c->mono(c); }

const struct clock *clock_real(void); // CLOCK_REALTIME and CLOCK_MONOTONIC

struct clock_virtual {
    struct clock base; // must be first
    struct instant wall;
    struct mono mono;
};
void clock_virtual_init(struct clock_virtual *c, struct instant start);
void clock_virtual_advance(struct clock_virtual *c, struct duration d); // both, d ≥ 0
void clock_virtual_step(struct clock_virtual *c, struct duration d);    // wall only, any sign

#endif
