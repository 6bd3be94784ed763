// SPDX-License-Identifier: Apache-2.0
// Waits between attempts, in microseconds without overflow. Pure but for the generator given.
#include "sched/backoff.h"

// Seconds from outside, as microseconds without overflow.
static int64_t bounded_us(int64_t seconds)
{
    if (seconds <= 0)
        return 0;
    return seconds > INT64_MAX / US_PER_S ? INT64_MAX : seconds * US_PER_S;
}

struct duration backoff_wait(const struct retry_policy *p, int64_t attempt, struct rng *rng)
{
    int64_t max = bounded_us(p->max_backoff_seconds > 0 ? p->max_backoff_seconds : RETRY_BACKOFF_CAP_S);
    int64_t wait = bounded_us(p->backoff_seconds);
    int64_t doublings = p->backoff_strategy == BACKOFF_EXPONENTIAL && attempt > 1 ? attempt - 1 : 0;
    // Doubles only below half of the cap, so it ends after at most 63 rounds and cannot overflow.
    while (doublings-- > 0 && wait > 0 && wait < max)
        wait = wait > max / 2 ? max : wait * 2;
    if (wait > max)
        wait = max;
    if (rng && wait > 0 && wait < INT64_MAX)
        wait = (int64_t)rng_below(rng, (uint64_t)wait + 1);
    return (struct duration){wait};
}
