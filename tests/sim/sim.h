// SPDX-License-Identifier: Apache-2.0
// The simulator: the production engine on the memory store in virtual time, in a world that fails.
//
// The world is outside the store: it journals every real start and end of an attempt, and what the users were
// told. The checkers compare that journal with the store (semantics.md §1). Everything is drawn from one seed and
// runs on one thread, so a seed replays exactly; the trace hash proves it.
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "store/memory/store_memory.h"

struct sim_options {
    uint64_t seed;
    int jobs;
    double hours;
    bool faults;               // crashes, failing stores, clock steps, second owners, stuck attempts
    struct store_weakness weak; // protections turned off on purpose
    bool verbose;              // prints every event
    int nodes;                 // 0: one engine that is alone with its store; 3 to 5: a cluster (hosts.h)
    bool late_publish;         // a node's view is published after it says so, on purpose
};
struct sim_result {
    uint64_t trace;            // hash of everything that happened
    int64_t runs, starts, boots, store_faults, clock_steps, operations;
    int64_t violations;
    char first[320];           // the first violation in words
};
// Simulates, checks, and tells.
struct sim_result sim_run(const struct sim_options *o);

#endif
