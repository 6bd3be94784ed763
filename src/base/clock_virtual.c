// SPDX-License-Identifier: Apache-2.0
// A clock for tests and the simulator: it moves only when told. Not thread-safe; the one who moves
// it makes sure that nobody reads meanwhile.
#include "base/clock.h"

static const struct clock_virtual *self(const struct clock *c)
{
    return (const struct clock_virtual *)c; // base is the first member
}

static struct instant virtual_now(const struct clock *c)
{
    return self(c)->wall;
}

static struct mono virtual_mono(const struct clock *c)
{
    return self(c)->mono;
}

void clock_virtual_init(struct clock_virtual *c, struct instant start)
{
    *c = (struct clock_virtual){
        .base = {.now = virtual_now, .mono = virtual_mono},
        .wall = start,
    };
}

void clock_virtual_advance(struct clock_virtual *c, struct duration d)
{
    must(d.us >= 0);
    c->wall = instant_add(c->wall, d);
    c->mono = mono_add(c->mono, d);
}

void clock_virtual_step(struct clock_virtual *c, struct duration d)
{
    c->wall = instant_add(c->wall, d);
}
