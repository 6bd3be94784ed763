// SPDX-License-Identifier: Apache-2.0
// A member of the cluster: one running server. Its token is its identity; a server that restarts, or has lost its
// lease, comes back with another one, so a token that ended is dead for ever.
#ifndef MODEL_NODE_H
#define MODEL_NODE_H

#include "base/arena.h"
#include "base/field.h"
#include "base/time.h"
#include "base/ulid.h"

enum node_state {
    NODE_ACTIVE,
    NODE_DRAINING, // decides nothing any more and finishes what it has
    NODE_DEAD,     // never stored: the lease has ended
};
const char *node_state_name(int state); // "ACTIVE", …

struct node {
    int64_t token;
    struct str name;    // unique among the living
    struct str address; // where people reach it
    struct str version;
    struct str process; // tells whether it still runs, to a process of the same machine
    int state;
    bool drain_wanted;   // somebody asked for it; the node obeys
    struct str view;     // the nodes it divides the jobs among (slot_view), as it acts upon it
    int64_t running;     // attempts in flight
    int64_t clock_offset_us; // its clock against the store's
    struct instant started_at, renewed_at, lease_until; // by the store's clock
};

// What a change of the stored data is about; every node reads all changes of the others.
enum change_kind {
    CHANGE_JOB,    // a plan is another one now
    CHANGE_RUN,    // a run was queued, or ended on a node that does not own its job
    CHANGE_CANCEL, // a RUNNING run is to be cancelled
    CHANGE_NODES,  // somebody came, left, or acts upon another view
    CHANGE_BREAKER, // a circuit breaker changed its state
    CHANGE_PING,   // somebody told a job something from outside
    CHANGE_SUBSCRIPTION, // somebody wants to be told other things
};
struct change {
    int64_t seq;       // rising, with gaps; may become visible out of order
    int kind;
    struct ulid subject; // job, run, breaker, subscription, or zero
    int64_t sender;    // token of the node that made it
    struct instant at; // by the store's clock
};

#endif
