// SPDX-License-Identifier: Apache-2.0
// One node's part in the cluster: its lease, who the others are, and which slots it decides for.
//
// Rules, all by the store's clock:
//   - A node decides for a slot when the view it has published gives it the slot and no other living node has
//     published a view that gives the slot to that other one. It publishes before it looks. So two living nodes never
//     decide for the same slot, and when views differ a slot waits for its former owner to let go (or to die).
//   - Before it publishes a view that takes slots from it, its engine has stopped deciding for them.
//   - A lease that ended is dead for ever: the node stops its runs before that, and comes back under a new token.
// None of this decides whether something runs twice: the conditions on the rows do. It decides who tries.
//
// cluster_beat and cluster_watch are two threads in production, so that a slow store delays no heartbeat; the
// simulator calls them in virtual time.
#ifndef ENGINE_CLUSTER_H
#define ENGINE_CLUSTER_H

#include "engine/engine.h"

enum {
    CLUSTER_LEASE_S = 30,
    CLUSTER_HEARTBEAT_S = 10,
    CLUSTER_POLL_MS = 1000,
    CLUSTER_CLOCK_WARN_S = 5,
    CLUSTER_CLOCK_REFUSE_S = 60,
};

struct cluster;
struct cluster_config {
    struct str name, address, version;
    struct str process; // of struct node
    // Whether a process of an earlier node of our name is gone for certain (so that its lease need not be waited
    // for). NULL: never known.
    bool (*process_gone)(void *ctx, struct str process);
    void *ctx;
    void (*breaker_changed)(void *arg); // on another node; NULL: nobody wants to know. On the cluster's thread
    void *breaker_arg;
    void (*pinged)(void *arg, struct ulid job_id); // a job, by way of another node. As above
    void *ping_arg;
    void (*subscription_changed)(void *arg); // likewise
    void *subscription_arg;
    struct duration lease, heartbeat, poll; // zero: as above
    uint64_t seed; // of new tokens; 0 = from the system
};

// Store, engine and clock are the caller's and must outlive it. The engine must not tick before cluster_join.
struct cluster *cluster_new(const struct cluster_config *c, struct store *store, struct engine *engine,
                            const struct clock *clock);
void cluster_free(struct cluster *c);
// Registers, and gives the engine its first share: all of it when there is nobody else. ERR_CONFLICT: a living node
// has our name, try again until its lease has ended. Changes made from now on are heard of.
bool cluster_join(struct cluster *c, struct err *err) __attribute__((warn_unused_result));

// Renews the lease when it is time to. Returns when it wants to be called again.
struct mono cluster_beat(struct cluster *c);
// Looks at nodes and changes, and acts upon them. Returns when it wants to be called again.
struct mono cluster_watch(struct cluster *c);

// Threads of production: both run until cluster_stop.
void cluster_start(struct cluster *c);
// From any thread: something changed, look now.
void cluster_wake(struct cluster *c);
// Gives all slots away (the engine keeps finishing what it has) or takes part again. From any thread.
void cluster_drain(struct cluster *c, bool drain);
// Ends the threads; then leaves, when the engine has nothing in flight any more, so that nobody waits for the lease.
void cluster_stop(struct cluster *c);
void cluster_leave(struct cluster *c);

struct cluster_status {
    int64_t token;
    int64_t nodes;             // living, ourselves included
    int64_t slots;             // we decide for
    struct duration offset;    // of our clock against the store's
    bool leased;               // the lease holds
    bool settled;              // all that our view gives us is ours alone
    bool draining;
    bool clock_refused;        // too far from the store's: nothing is claimed
};
void cluster_status(struct cluster *c, struct cluster_status *ret);

#endif
