// SPDX-License-Identifier: Apache-2.0
// The scheduling engine: plan → claim → dispatch → attempt → finish → retry or dead letter.
//
// It is a tick: engine_tick does everything that is due now, in batches, never blocks on the outside world
// (only on its store's commit) and says when it wants to be called again. Production calls it from one thread
// (engine_run); the simulator calls it in virtual time. Everything that happens elsewhere reaches it through
// the inbox (pokes, completions, log lines), which is the only part other threads may touch.
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "engine/slots.h"
#include "jobs/job_type.h"
#include "store/store.h"

struct engine;
struct zones; // sched/zones.h

struct engine_config {
    struct str node_name;
    int64_t running_max;      // attempts in flight at most; due work waits in memory beyond it
    int64_t flush_max;        // rows of one kind in one transaction (hold < 10 ms)
    uint64_t seed;            // of the engine's generator; 0 = from the system
    struct zones *zones;      // must outlive the engine; NULL: it keeps its own
    bool ends_apart;          // results are written beside starts, by whoever calls engine_write_ends
};

// What an engine decides for when it is not alone. Without one it decides for every job, for ever.
struct engine_share {
    struct slots slots;
    int64_t token;           // of claims from now on; the store knows it as a living node's
    struct mono lease_until; // nothing is fired or claimed from then on
    int64_t generation;      // rising
};

// What others may want to know after a commit. Called on the engine's thread; must not block.
struct engine_listener {
    void (*run_changed)(void *ctx, struct ulid run_id, struct ulid job_id, int status);
    void (*logs_added)(void *ctx, struct ulid run_id);
    void *ctx;
};

struct engine_status {
    int64_t plans;            // held in memory
    int64_t ready, running;   // due and waiting for room; in flight
    int64_t queued;           // retries and manual runs waiting for their time
    int64_t slots;            // decided for
    struct instant next_wake;
    struct instant last_tick;
    bool store_ok;            // the last flush succeeded
    bool draining;
};

// Owner of store, executor and clock: the caller; they must outlive the engine.
struct engine *engine_new(const struct engine_config *c, struct store *store, struct executor *executor,
                          const struct clock *clock, const struct engine_listener *listener);
// The executor must hold no attempt of it any more (stop the runners first).
void engine_free(struct engine *e);
// Loads plans and unfinished runs; runs of former owners end LOST and get their next attempt. Call once before
// the first tick; may be repeated after an error.
bool engine_recover(struct engine *e, struct err *err) __attribute__((warn_unused_result));
// Does what is due. Returns when it wants to be called again at the latest (INSTANT_NEVER: only when poked).
struct instant engine_tick(struct engine *e);
// Thread body of production: ticks until engine_stop was called and everything in flight has ended or grace is over.
// With ends_apart it starts the thread that writes them.
void engine_run(struct engine *e);
// Writes the results that the engine has given away, if there are any. One thread other than the engine's.
void engine_write_ends(struct engine *e);

// -- from any thread --
// The plans of these jobs changed in the store (insert, edit, pause, resume, delete).
void engine_poke_jobs(struct engine *e, const struct ulid *ids, size_t n);
// As engine_poke_jobs, for jobs that were just inserted; soonest: the first of their next fires. Wakes the engine
// only when that is nearer than its next look at the clock, so that a burst of inserts is taken in by few ticks.
void engine_poke_new_jobs(struct engine *e, const struct ulid *ids, size_t n, struct instant soonest);
// A QUEUED run was committed.
void engine_poke_run(struct engine *e, struct ulid run_id);
// A RUNNING run was marked cancel_requested.
void engine_cancel_run(struct engine *e, struct ulid run_id);
// The zones' data was reloaded and some of it changed: future fires are moved accordingly, in portions. What is due
// already is decided as it stands.
void engine_zones_changed(struct engine *e);
// What somebody wants to be told from the next tick on, of all jobs and of single ones; instead of what was wanted
// before.
void engine_take_interest(struct engine *e, uint32_t all, const struct interest *v, size_t n);
// In a cluster. A share takes effect at the next tick with no flush in the air: slots that are not in it any more are
// left at once, new ones are loaded from the store first. A token other than before means that the lease was lost:
// give an empty share first, so that what is held is forgotten.
void engine_take_share(struct engine *e, const struct engine_share *s);
int64_t engine_share_taken(struct engine *e); // the generation in effect
// The lease was renewed. Before it ends the engine stops what it runs: somebody else may start it after that.
void engine_lease(struct engine *e, struct mono until);
// Look again at everything unfinished in the share, because a node is gone or it is time to; with plans: at them, too.
void engine_sweep(struct engine *e, bool plans);
// While held, no plan is decided: nothing starts by its schedule. Whatever else is to start does, and what came due
// meanwhile is late afterwards.
void engine_hold(struct engine *e, bool held);
// Stop planning and claiming; finish what is in flight within grace, then cancel it and hand it back.
void engine_stop(struct engine *e, struct duration grace);
void engine_status(struct engine *e, struct engine_status *ret);
struct attempt_sink *engine_sink(struct engine *e);

#endif
