// SPDX-License-Identifier: Apache-2.0
// The store in memory: the reference the others are compared with, and the world of the simulator. The same
// calls in the same order give the same state. Thread-safe by one lock. Memory is given back by free only.
#ifndef STORE_MEMORY_STORE_MEMORY_H
#define STORE_MEMORY_STORE_MEMORY_H

#include "base/clock.h"
#include "store/store.h"

struct store *store_memory_new(void);        // exclusive
struct store *store_memory_new_shared(void); // the one store of several nodes
// The store's clock; it must outlive the store. At first it stands still.
void store_memory_set_clock(struct store *s, const struct clock *clock);

// ---- faults ------------------------------------------------------------------------------------

enum store_fault {
    FAULT_NONE,
    FAULT_FAIL,              // ERR_UNAVAILABLE, nothing done
    FAULT_UNKNOWN_COMMITTED, // ERR_UNKNOWN_COMMIT although it was done
    FAULT_UNKNOWN_LOST,      // ERR_UNKNOWN_COMMIT, nothing done
    FAULT_CRASH_BEFORE,      // the process dies before the commit: ERR_UNAVAILABLE from now on
    FAULT_CRASH_AFTER,       // … right after the commit
};
struct store_faults {
    // Decides what happens to this call. op: the member's name in struct store_ops. On reads every fault is a
    // plain failure. Called under the store's lock: must not call the store.
    enum store_fault (*before)(void *ctx, const char *op, bool writes);
    void *ctx;
};
void store_memory_set_faults(struct store *s, struct store_faults f); // before = NULL: none
bool store_memory_crashed(struct store *s);
void store_memory_revive(struct store *s); // the next process finds what was committed

// Protections that mutation tests turn off, to prove that the checkers notice.
struct store_weakness {
    bool no_run_unique; // a second run with the same id is written
    bool no_token;      // finish by a stale owner is recorded
    bool no_version;    // fire ignores that the plan changed
    bool no_fire_cas;   // fire ignores that somebody else decided
    bool no_lease;      // a node whose lease has ended may flush
    bool no_starts;     // what the end of a run is to start may be left out
};
void store_memory_set_weakness(struct store *s, struct store_weakness w);

// A failover to a copy that missed the last commits: jobs, runs, dead letters, nodes and changes become again what they
// were. forgotten is called for every run that differs (it must not call the store); the snapshot remains its owner's.
struct store_snapshot;
struct store_snapshot *store_memory_snapshot(struct store *s);
void store_memory_restore(struct store *s, struct store_snapshot *k, void (*forgotten)(void *ctx, const struct run *r),
                          void *ctx);
void store_snapshot_free(struct store_snapshot *k); // NULL is fine

// ---- inspection (no faults, no copies; the callbacks must not call the store) --------------------

struct job_row {
    struct ulid id, owner_id;
    struct str name, type, definition;
    int64_t version;
    struct instant created_at, updated_at;
    bool deleted;
    struct plan plan; // last_run and run_count stay after deletion
};
void store_memory_each_run(struct store *s, void (*f)(void *ctx, const struct run *r), void *ctx); // by id
void store_memory_each_job(struct store *s, void (*f)(void *ctx, const struct job_row *j),
                           void *ctx); // by id
void store_memory_each_dead_letter(struct store *s, void (*f)(void *ctx, const struct dead_letter *d),
                                   void *ctx);
size_t store_memory_run_count(struct store *s);

#endif
