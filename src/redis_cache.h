// SPDX-License-Identifier: Apache-2.0
// The cache of app/cache.h in Redis. Values are sealed with a key derived from the installation's (auth/seal.h), so
// Redis holds nothing readable but identifiers; accounts and addresses of sign-in tries are hashed with another one.
// Places: "c:<era>:<kind>:<id>", tries: "t:<a or i>:<hash>", all behind the prefix.
#ifndef REDIS_CACHE_H
#define REDIS_CACHE_H

#include "app/cache.h"
#include "auth/token.h"
#include "base/clock.h"
#include "net/redis.h"
#include "store/store.h"

struct redis_cache_options {
    struct redis *redis; // NULL: this node has none, and only sees to it that others serve nothing stale
    struct store *store;
    const struct token_key *key;
    const struct clock *clock;
    struct duration hold; // of struct cache_guard_options
};
// Everything given must outlive it. Owner: caller.
struct cache *redis_cache_new(const struct redis_cache_options *o);
void redis_cache_free(struct cache *c); // NULL is allowed

#endif
