// SPDX-License-Identifier: Apache-2.0
// Token buckets by key: each key may do `burst` things at once and `per_second` in the long run. Memory is a
// fixed table: a key that is new takes the place of the one that has used least of its bucket and finds its
// level (as in Space-Saving, Metwally et al. 2005), so that made-up keys can never refill a bucket.
//
// Time is an argument. Lock: LOCK_APP_RATE, inside, one for each part of the table.
#ifndef AUTH_RATE_H
#define AUTH_RATE_H

#include "base/str.h"
#include "base/time.h"

struct rate_terms {
    int64_t per_second; // 0: no bound
    int64_t burst;      // at least one; what a bucket holds
};
enum { RATE_MAX = 1000000 }; // of both

struct rate;
struct rate *rate_new(const struct rate_terms *terms); // a quarter of a MiB
void rate_free(struct rate *r);
const struct rate_terms *rate_terms_of(const struct rate *r);

struct rate_answer {
    bool ok;
    int64_t left;         // whole tokens in the bucket now
    struct duration wait; // when not ok: until there will be enough, > 0
    struct duration full; // until the bucket is full again
};
// Takes n tokens at once, or none when there are not enough. More than the burst never fits.
struct rate_answer rate_take(struct rate *r, struct str key, int64_t n, struct mono now);

#endif
