// SPDX-License-Identifier: Apache-2.0
// Inside of the simulator: jobs and what was promised, the journal of starts, happenings, processes, the world.
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "base/heap.h"
#include "base/map.h"
#include "base/sync.h"
#include "engine/engine.h"
#include "sched/next_fire.h"
#include "tests/sim/sim.h"

enum sim_schedule { SIM_EVERY, SIM_AFTER_END, SIM_CRON, SIM_ONCE, SIM_MANUAL };

// A stretch of time in which one schedule was followed: its occurrences from `from` until before `to`.
struct era {
    struct instant from, to; // to: INSTANT_NEVER while open
    struct duration step;    // between two occurrences; zero: only `from`
};
enum { ERAS_MAX = 64, SIM_LIST_MAX = 64 };
struct sim_job {
    struct job job;
    enum sim_schedule kind;
    bool deleted, paused;
    bool rewound; // its plan said once more what had been decided, or may have since the clock was set back
    struct era eras[ERAS_MAX];
    size_t n_eras;
    const struct sim_job *on_success, *on_failure;     // an earlier one that its ends start, or NULL
    char success[SIM_LIST_MAX], failure[SIM_LIST_MAX]; // the lists in job
};

// One real start of an attempt.
struct start {
    struct ulid run_id, run_key;
    size_t job;
    int64_t number;
    int trigger;
    struct instant scheduled, wall;
    struct mono at, end; // end: of the world's work, whoever heard of it
    int64_t token;       // it was claimed under
    int proc;
    int status;          // what the attempt told the engine; −1: nothing (its process died)
    bool over_time;      // went on past its timeout and the engine's patience
};

enum event_kind {
    EVENT_END, EVENT_OPERATION, EVENT_POKE_JOB, EVENT_POKE_RUN, EVENT_POKE_CANCEL, EVENT_KILL, EVENT_BOOT,
    EVENT_DRAIN, EVENT_FREEZE, EVENT_THAW, EVENT_THAW_OVER, EVENT_STEP, EVENT_OUTAGE, EVENT_OUTAGE_OVER,
    EVENT_BEGIN, EVENT_HOST // of a cluster only
};
struct happening {
    struct mono at;
    uint64_t order; // of creation: ties are broken the same way always
    int pos;
    enum event_kind kind;
    struct flight *flight;
    struct ulid id;
    // Of a cluster: which host, which of its processes (0: any), what happens to it (hosts.h).
    int host, proc, what;
    int64_t number;
    struct late_flush *late;
};

struct sim;
struct host;
// A process that runs an engine, and its attempts.
struct proc {
    struct executor x; // first member
    struct sim *sim;
    struct engine *engine;
    const struct clock *clock;
    struct host *host; // of a cluster
    int id;
    bool draining, frozen;
    struct flight *flights;
};
struct flight {
    struct flight *prev, *next;
    struct proc *proc;
    struct attempt *attempt;
    struct happening *end;
    size_t start; // index in the journal
    bool stuck;   // does not hear a cancel
    bool begun;   // the world's work is under way
    bool over;    // … and has ended, but the frozen process has not heard of it
};

struct sim {
    struct sim_options o;
    struct sim_result result;
    struct clock_virtual clock;
    struct rng rng;        // of the world
    struct rng fault_rng;  // of the store's faults
    struct zones *zones;
    struct store *store;
    struct proc *now, *old; // the owner; a frozen or thawed former one
    int procs;
    int64_t running_max, flush_max; // drawn: also narrow ones
    bool narrow;                    // work may have to wait for room
    struct heap events;
    uint64_t orders;
    struct sim_job *jobs;
    struct map job_index;   // id → struct sim_job
    struct start *starts;
    size_t n_starts, cap_starts;
    struct map told;        // run id → final status + 1, as the listener told
    struct instant latest; // wall time as late as it ever was
    struct mono *troubles;  // moments of faults, in order
    size_t n_troubles, cap_troubles;
    bool calm;              // no store faults now: the world's own calls
    bool outage;
    bool quiet;             // the day is over: no new faults and operations
    struct cluster_world *cluster; // NULL: one engine that is alone
};

// world.c
static inline struct instant sim_wall(const struct sim *s) { return s->clock.wall; }
static inline struct mono sim_mono(const struct sim *s) { return s->clock.mono; }
void sim_trace(struct sim *s, const char *what, const void *bytes, size_t n);
void sim_violation(struct sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct happening *event_add(struct sim *s, struct duration in, enum event_kind kind);
void event_drop(struct sim *s, struct happening *e);
void proc_boot(struct sim *s);
void proc_kill(struct sim *s, struct proc *p);
void attempt_begin(struct flight *f);
void flight_end(struct sim *s, struct flight *f);
void flights_drop(struct proc *p); // their process is gone
struct executor world_executor(void);
struct engine_listener world_listener(struct sim *s);
int64_t sim_between(struct sim *s, int64_t low, int64_t high);
bool sim_chance(struct sim *s, double p);
// faults.c
void faults_install(struct sim *s);
void faults_plan(struct sim *s);
void fault_happen(struct sim *s, struct happening *e);
void sim_trouble(struct sim *s);
// sim.c, users.c
void sim_happen(struct sim *s);       // what is due now
void operate_again(struct sim *s);    // plans the next operation of a user
void users_insert_jobs(struct sim *s);
void users_operate(struct sim *s, struct ulid job); // zero: any
struct sim_job *users_job(const struct sim *s, struct ulid id);
struct instant users_wall(const struct sim *s); // as late as any clock that counts
// check.c, check_decisions.c
void check_all(struct sim *s);
void check_overlaps(struct sim *s);
void check_decisions(struct sim *s, const struct run *rows, size_t n);
void check_chains(struct sim *s, const struct run *rows, size_t n, const struct map *dead);

#endif
