// SPDX-License-Identifier: Apache-2.0
// What nodes share besides the store, for speed only: answers that are asked for again and again, counts of sign-in
// tries, and a way to wake each other. A struct app without one works the same.
//
// Promise: what a write changed is never served from here after that write was answered to anybody, on any node.
//   - Reader and filler: a miss gives a ticket. A value is kept only if the ticket's lease stands when it comes, and
//     every write of the place removes the lease. So a value that was read before a write is not kept after it.
//   - Writer: before_write removes value and leases and bars the place; then the store commits; then after_write
//     removes what may stand there by now and lifts the bar, and only when it has returned true the write is
//     answered. The bar is for a writer that dies in between: nothing is kept there until it has run out, longer
//     than a commit can take.
//   - A writer that cannot reach the cache: after_write then makes every node stop using the cache, through the
//     store, and returns when it knows that they have (cache_guard.h tells how). It returns false only when the
//     store cannot be reached either; the caller answers ERR_UNKNOWN_COMMIT, so nothing was acknowledged.
//   - Every value also ends by itself, within CACHE_LIFE_S.
//
// Not kept here: jobs as GET /jobs/{id} shows them, and lists, because their status and next fire change with every
// run, in the engine's commits, which must not wait for a cache; and a definition alone saves nothing, since the live
// part must be read anyway. Statistics are in each node's memory already. Passwords and sessions never leave the store.
#ifndef APP_CACHE_H
#define APP_CACHE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/time.h"
#include "base/ulid.h"

enum { CACHE_LIFE_S = 5, CACHE_VALUE_MAX = 4096, CACHE_ERA_MAX = 17 };

enum cache_kind {
    CACHE_CALLER,    // of a user: what a request is judged by
    CACHE_JOB_OWNER, // of a job that is not deleted
};
struct cache_place {
    enum cache_kind kind;
    struct ulid id;
};
// Belongs to the cache; callers hand it back as it is.
struct cache_ticket {
    char era[CACHE_ERA_MAX];
    uint64_t instance, lease;
    bool given;
};

struct cache;
// Thread-safe. None blocks for longer than a few hundredths of a second, after_write apart (cache_guard.h).
struct cache_ops {
    // True: *ret is the value, in the arena. Else *ret_ticket is for put.
    bool (*get)(struct cache *c, struct cache_place p, struct cache_ticket *ret_ticket, struct str *ret,
                struct arena *a);
    // The value was read from the store after the ticket was given. ≤ CACHE_VALUE_MAX bytes.
    void (*put)(struct cache *c, struct cache_place p, const struct cache_ticket *t, struct str value);

    void (*before_write)(struct cache *c, struct cache_place p, struct cache_ticket *ret_ticket);
    bool (*after_write)(struct cache *c, struct cache_place p, const struct cache_ticket *t, struct err *err);

    // As throttle_take, over all nodes. *ret_counted: whether the try was counted; if not, there is nothing to give
    // back.
    struct duration (*tries_take)(struct cache *c, struct str account, struct str address, bool *ret_counted);
    void (*tries_give_back)(struct cache *c, struct str account, struct str address);

    // Other nodes look for changes in the store soon. Never waits.
    void (*wake_others)(struct cache *c);
};
struct cache {
    const struct cache_ops *ops;
};

#endif
