// SPDX-License-Identifier: Apache-2.0
// Who may use the shared cache, agreed upon through the store, so that a node which cannot reach the cache can still
// change things at once and nobody serves what it changed.
//
// The setting "cache.state" names an era (by chance; it is part of every key) and the instance of the Redis server all
// nodes are to use. Every node reads it each POLL. A new state ends the era.
//   - Use: a node uses the cache only while its last reading began at most TRUST ago, HOLD has passed since it first
//     saw this state, and the instance is the one it is connected to.
//   - Write with Redis: the value was removed in the present era at the present instance, the last reading began at
//     most TRUST ago, and SETTLE has passed since this state was first seen. Then nobody uses an earlier era any more,
//     and nobody uses a later one yet, should there be one that we have not read: it holds still for HOLD.
//   - Write without Redis: write a new state and wait SETTLE. By then every node has read it or trusts no reading any
//     more, and none uses the new era before HOLD. While that lasts nobody uses any era, and writes need nothing at
//     all. The thread of a node without Redis renews the state at half of HOLD, so the wait is paid at most once, and
//     mostly before anybody writes.
// TRUST < SETTLE < HOLD / 2, each measured by one node on its own monotonic clock, so nodes need not agree on the time.
//
// A Redis server that came back with an old snapshot, a replica that took over, nodes with different redis.url: other
// instances, so a new era, or none that fits. A node without redis.url on a shared store keeps the instance at none. On
// a store that only this process uses the era is in memory and a failure ends it: there is nobody to wait for.
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
// After the commit of a write, before it is answered. instance: where its value was removed in the era of that
// name; 0: nowhere. Returns true when no node serves the value any more, after SETTLE at most while the store
// answers.
bool cache_guard_settle(struct cache_guard *g, const char *era, uint64_t instance, struct err *err)
    __attribute__((warn_unused_result));

// For a program that changes a shared store without being a node: ends the era if there is one, and waits.
bool cache_guard_end_era(struct store *s, const struct clock *clock, struct err *err)
    __attribute__((warn_unused_result));

#endif
