// SPDX-License-Identifier: Apache-2.0
// The operating system's clocks. The only file that may read them (tests/tidy checks).
#include "base/clock.h"

#include <time.h>

enum { NS_PER_US = 1000 };

static int64_t read_us(clockid_t id)
{
    struct timespec ts;
    must(clock_gettime(id, &ts) == 0);
    return (int64_t)ts.tv_sec * US_PER_S + ts.tv_nsec / NS_PER_US;
}

static struct instant real_now(const struct clock *c)
{
    (void)c;
    return (struct instant){read_us(CLOCK_REALTIME)};
}

// base/sync waits on CLOCK_MONOTONIC with times from here: keep them the same clock.
static struct mono real_mono(const struct clock *c)
{
    (void)c;
    return (struct mono){read_us(CLOCK_MONOTONIC)};
}

const struct clock *clock_real(void)
{
    static const struct clock real = {.now = real_now, .mono = real_mono};
    return &real;
}
