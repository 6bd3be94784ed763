// SPDX-License-Identifier: Apache-2.0
// Who may use the shared cache, agreed upon through the store, so that a node which cannot reach the cache can still
// change things at once and nobody serves what it changed.
//
// The setting "cache.state" names an era (by chance, in every key of the cache) and the instance of the Redis server
// all nodes are to use. Every node reads it each POLL. Whoever writes a new state ends the era.
//   Use: a node uses the cache only when its last reading began at most TRUST ago, the instance is the one it is
//     connected to, and HOLD has passed since it first saw this state.
//   Write: a writer that removed a value needs no more, if it did so in the present era, at the present instance, its
//     last reading is not older than TRUST, and SETTLE has passed since it saw this state (then nobody is left in the era
//     before). Should a newer state exist that it has not read, nobody uses that one before HOLD has passed.
//   A writer that could not remove a value writes a new state and waits SETTLE: by then every node has read it or
//     stopped trusting its last reading, and none uses the new era before HOLD has passed since. While that lasts
//     (quiet), all its further writes need nothing. A node without Redis renews it before it ends, so the wait is paid
//     once, and mostly by this part's thread before anybody writes.
//   TRUST < SETTLE < HOLD/2, all on monotonic clocks of one node each, so nodes need not agree on the time.
// A Redis server that came back with an old snapshot, a replica that took over, two nodes with different redis.url: other
// instances, so a new state or none that fits. A node without redis.url on a shared store keeps the instance at none.
// On a store that only this process uses there is nobody to agree with: the era is in memory, and a failure ends it.
#ifndef CACHE_GUARD_H
#define CACHE_GUARD_H

#include "app/cache.h"
#include "base/clock.h"
#include "store/store.h"

enum { CACHE_POLL_MS = 250, CACHE_TRUST_MS = 750, CACHE_SETTLE_MS = 1000, CACHE_HOLD_MS = 10000 };

struct cache_guard;
struct cache_guard_options {
    struct store *store;
    const struct clock *clock;
    // The Redis server we are connected to; 0: none now. NULL: this node has no Redis.
    uint64_t (*instance)(void *ctx);
    void *ctx;
    struct duration hold; // zero: CACHE_HOLD_MS
};
struct cache_guard *cache_guard_new(const struct cache_guard_options *o); // starts its thread
void cache_guard_free(struct cache_guard *g);

struct cache_era {
    char name[CACHE_ERA_MAX];
    uint64_t instance;
    bool usable;
};
void cache_guard_era(struct cache_guard *g, struct cache_era *ret);
// After the commit of a write, before it is answered. instance: where its value was removed in the era of that name; 0:
// nowhere. Returns true when no node serves the value any more, after SETTLE at most while the store answers.
bool cache_guard_settle(struct cache_guard *g, const char *era, uint64_t instance, struct err *err)
    __attribute__((warn_unused_result));

// For a program that changes a shared store without being a node: ends the era if there is one, and waits.
bool cache_guard_end_era(struct store *s, const struct clock *clock, struct err *err) __attribute__((warn_unused_result));

#endif
