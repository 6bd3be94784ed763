// SPDX-License-Identifier: Apache-2.0
// The delay is a keyed hash of job and instant, scaled to the window.
#include "sched/jitter.h"

#include "base/rng.h"

struct instant jitter_apply(struct instant at, struct duration jitter, struct instant next, uint64_t job_seed)
{
    static const uint8_t key[16] = "chronos jitter\1";
    if (jitter.us <= 0 || instant_is_never(at))
        return at;
    int64_t window = jitter.us;
    if (!instant_is_never(next) && next.us - at.us < window)
        window = next.us - at.us;
    if (window <= 0)
        return at;
    uint64_t in[2] = {job_seed, (uint64_t)at.us};
    // A shorter window shrinks the delay in proportion instead of cutting it: a cut would pile starts up at
    // its end.
    unsigned __int128 scaled = (unsigned __int128)hash_bytes(key, in, sizeof in) * (uint64_t)window;
    return instant_add(at, (struct duration){(int64_t)(scaled >> 64)});
}
