// SPDX-License-Identifier: Apache-2.0
// The engine's inside, shared by its files. Everything here belongs to the engine's thread, except the inbox and
// the published status. One file per step of a tick, in this order:
//
//   engine.c   what a tick does            poke.c     takes in what others changed
//   plan.c     due plans → fires           claim.c    queued runs → claims; the concurrency rule
//   finish.c   results → finishes          flush.c    one transaction, and acting on its flags
//   chain.c    ends → runs of other jobs
//   unknown.c  a commit nobody knows of    dispatch.c attempts → executor; deadlines
//   recover.c  start-up                    sink.c     what attempts call, on the executor's threads
//   rezone.c   time zone data changed   share.c    which jobs are ours, and until when
//   ends.c     results beside the starts   notice.c   what people want to be told
#ifndef ENGINE_CORE_H
#define ENGINE_CORE_H

#include "engine/batch.h"
#include "engine/ends.h"
#include "engine/engine.h"
#include "engine/rezone.h"
#include "engine/share.h"

enum batch_state { BATCH_IDLE, BATCH_UNKNOWN };

struct engine {
    struct engine_config config;
    struct str node_name; // own copy
    struct store *store;
    struct executor *executor;
    const struct clock *clock;
    struct engine_listener listener;
    struct engine_sink {
        struct attempt_sink base; // first member
        struct engine *engine;
    } sink;
    struct zones *own_zones; // when the configuration gave none
    struct rng rng;
    int64_t token; // fences this engine from all others, former selves included
    struct entries entries;
    struct tasks tasks;
    struct agenda agenda;
    struct inbox inbox;

    struct inbox_content todo; // taken from the inbox, or found to be looked up in the store again
    struct task_queue ended;   // results not yet recorded
    struct rezone rezone;
    struct interests interests;
    struct batch batch;
    enum batch_state batch_state;
    struct ends ends;
    struct attempt **starting; // won by the last flush, [running_max]
    size_t n_starting;
    int64_t in_flight, late_in_flight; // CLAIMING, RUNNING, or given up while the executor still has them
    int64_t queued;                    // QUEUED and BLOCKED tasks
    int64_t logs_sent;                 // lines in the store, against task.log_mark

    struct mono store_retry; // not before this after a failure
    int64_t store_failures;  // in a row
    atomic_bool hold; // by any thread
    bool holding;     // what this tick goes by
    bool draining, cancelled_all;
    struct mono drain_until;
    struct share share;
    struct ids asks;          // runs elsewhere that are to be cancelled
    struct instant last_wall; // clock check; never = no tick yet
    struct mono last_mono;

    struct engine_status status; // under inbox.lock
};

// A moment of both clocks; asked once per step, never kept across the store.
struct moment {
    struct instant wall;
    struct mono mono;
};
struct moment engine_now(const struct engine *e);
static inline bool engine_has_room(const struct engine *e) { return e->in_flight < e->config.running_max; }
// The share of room that late work may take.
bool engine_has_late_room(const struct engine *e);
void engine_report_run(struct engine *e, struct ulid run_id, struct ulid job_id, int status);

// -- engine.c
bool engine_at_rest(const struct engine *e); // nothing runs, and every end is in the store
// The store's health:
void store_failed(struct engine *e, const char *doing, const struct err *err);
void store_worked(struct engine *e);
bool store_resting(const struct engine *e, struct mono now); // waits after a failure

// -- plan.c
// Decides all that is due of the plan into the batch.
void plan_decide(struct engine *e, struct entry *p, bool late, struct moment now);
// Puts the plan where it belongs in the agenda, or forgets it when nothing keeps it.
void plan_settle(struct engine *e, struct entry *p);

// -- claim.c
enum overlap { OVERLAP_START, OVERLAP_SKIP, OVERLAP_WAIT };
// The concurrency rule for a start of this job now; *ret_in_way (may be NULL) is a run in the way.
enum overlap overlap_rule(const struct entry *p, bool patient, const struct task **ret_in_way);
void claim_decide(struct engine *e, struct task *t, struct moment now);
// Makes a known QUEUED run wait for its instant or its turn.
void task_enqueue(struct engine *e, struct task *t, struct moment now);
void task_postpone(struct engine *e, struct task *t, struct moment now); // asks again in a second
// A queued run that is not to start: its end is recorded by the next flush.
void task_end_unstarted(struct engine *e, struct task *t, int status, struct str error_class, struct str message);
void task_forget(struct engine *e, struct task *t); // and what waited for it may go on
// After a run of the job left the way.
void overlap_release(struct engine *e, struct entry *p);
void task_reserve(struct engine *e, struct task *t, bool late); // → CLAIMING, takes room
void task_unreserve(struct engine *e, struct task *t);          // gives the room back

// -- dispatch.c
void dispatch_add(struct engine *e, struct task *t, struct moment now); // won: hand to the executor after the flush
void dispatch_go(struct engine *e);
void dispatch_cancel(struct engine *e, struct task *t, enum cancel_why why);
void deadlines_check(struct engine *e, struct mono now);

// -- finish.c
void finish_take(struct engine *e, struct task *t, struct moment now); // the executor gave it back
void finish_fill(struct engine *e);                                    // ended runs → batch
void finish_act(struct engine *e, struct finish *f, struct task *t, struct moment now);

// -- flush.c, unknown.c
bool flush_run(struct engine *e); // true when the store did something
void flush_act(struct engine *e, struct batch *b);
void flush_abandon(struct engine *e, struct batch *b); // nothing of the batch was written
bool unknown_resolve(struct engine *e, struct batch *b); // false: the store cannot tell now

// -- poke.c
void poke_apply(struct engine *e);
// Reads the plans of these jobs again, and puts each where it belongs now.
bool poke_reload(struct engine *e, const struct ulid *ids, size_t n, struct err *err);
bool poke_load_plans(struct engine *e, const struct ulid *ids, size_t n, struct err *err);
void poke_take_run(struct engine *e, const struct run *r);

// -- recover.c
// All unfinished runs of these slots: queued ones wait here, those of dead nodes end LOST, others are in the way.
bool recover_runs(struct engine *e, const struct slots *s, size_t *ret_lost, size_t *ret_queued, struct err *err);
// The next page of plans after *place; *ret_end: there are no more.
bool recover_plans(struct engine *e, const struct slots *s, struct ulid *place, bool *ret_end, struct err *err);

// -- rezone.c
// A portion of the walk; true while there is more to do.
bool rezone_step(struct engine *e);
void rezone_fill(struct engine *e, struct moment now); // moves → batch
// What became of a fire. Without effect on plans that were not to move.
void rezone_won(struct engine *e, struct entry *p);
void rezone_again(struct engine *e, struct entry *p); // not written
// A plan that was just loaded: was its next fire made from other zone data?
void rezone_recovered(struct engine *e, const struct entry *p, const struct plan *plan, struct instant now);

#endif
