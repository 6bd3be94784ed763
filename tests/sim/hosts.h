// SPDX-License-Identifier: Apache-2.0
// A cluster in the simulator: hosts with clocks of their own run nodes that share one store. Each node has four
// threads (one boots and ticks the engine, one writes results, one renews the lease, one looks at the others); they
// stop in calls of the store and go on later, so that everything may come in between. The store's clock is the world's.
#ifndef TESTS_SIM_HOSTS_H
#define TESTS_SIM_HOSTS_H

#include "engine/cluster.h"
#include "tests/sim/fiber.h"
#include "tests/sim/world.h"

enum { HOSTS_MAX = 5, VIEW_TEXT_MAX = 128, HOST_NAME = 3 };

struct host_clock {
    struct clock base; // first member
    const struct sim *sim;
    struct duration ahead; // of the store's clock
};

// A node's way to the store.
struct link {
    struct store base; // first member
    struct host *host;
    bool cut;  // nothing gets through
    bool deaf; // what is sent arrives, answers do not
    bool slow;
    bool stops; // its process stands still in the middle of the next claim
    // sim_options.late_publish: what it says it has published
    int64_t late_token;
    int late_state;
    char late_view[VIEW_TEXT_MAX];
};

enum host_thread_kind { THREAD_MAIN, THREAD_ENDS, THREAD_BEAT, THREAD_WATCH, HOST_THREADS };
struct host_thread {
    struct host *host;
    struct fiber *fiber;
    struct mono wake;
};

struct host {
    struct sim *sim;
    int index;
    char name[HOST_NAME];
    struct host_clock clock;
    struct duration skew; // ahead, while nobody sets the clock
    struct link link;
    struct proc *proc; // NULL: down
    struct cluster *cluster;
    struct host_thread threads[HOST_THREADS];
    bool joined;       // its engine ticks
    bool leaving;      // only the main thread goes on, to leave
    bool dying;        // nothing it does has an effect any more
    bool doomed;       // it ends when its threads stand still
    bool elsewhere;    // this process runs on another machine than the one before
    bool wanted_away;  // an administrator drains it
    int64_t spins;     // turns of the main thread at this moment
    struct mono off_since; // its clock is too far from the store's; INT64_MAX: is not
    struct mono fit_since; // alive, moving and connected; INT64_MAX: is not
};

// How long a token was a living node's.
struct tenure {
    int64_t token;
    int host, proc;
    struct mono until; // its lease, or when it left
    bool left;
};

// While one of these lasts, starts may be late.
struct excuse {
    int64_t from, to;     // monotonic, µs
    struct duration slack; // no more than this; 0: until it is over
};

// What happens to a host, or to all of them.
enum host_event {
    HOST_BOOT, HOST_KILL, HOST_ROLL, HOST_DRAIN, HOST_WANT, HOST_UNWANT, HOST_FREEZE, HOST_THAW, HOST_CUT, HOST_DEAF,
    HOST_SLOW, HOST_HEAL, HOST_STEP, HOST_STEP_BACK, HOST_OUTAGE, HOST_OUTAGE_OVER, HOST_SNAPSHOT, HOST_FAILOVER,
    HOST_PUBLISH, HOST_LATE
};

struct cluster_world {
    struct host hosts[HOSTS_MAX];
    int n;
    struct host_thread *thread; // of the fiber that runs
    int serving;                // the host that takes the operation of a user
    struct tenure *tenures;
    size_t n_tenures, cap_tenures;
    struct excuse *excuses;
    size_t n_excuses, cap_excuses;
    struct duration spread;      // between the two clocks that differ most, of those that count
    struct mono spread_since;
    bool troubled;               // a node is lost and its lease lasts, or there is none that could decide
    struct mono troubled_since;
    struct mono disturbed;       // when something happened last that nodes have to settle after
    struct mono unsure_until;    // a failover forgot something that nodes believe
    struct mono next_look;       // at what costs time
    struct store_snapshot *snapshot; // taken: a failover comes
    struct sim_job *promised;        // as the snapshot knows the jobs
    struct map forgotten;        // ids and keys of runs → something
};

// hosts.c
void hosts_new(struct sim *s);
void hosts_free(struct sim *s);
void host_boot(struct host *h);
void host_kill(struct host *h);
void hosts_until(struct sim *s, struct mono end);
bool host_fit(const struct host *h); // alive, moving, connected
static inline bool host_off(const struct host *h) // its clock is too far from the store's
{
    return llabs(h->clock.ahead.us) > CLUSTER_CLOCK_REFUSE_S * US_PER_S;
}
struct instant hosts_wall(const struct sim *s); // the latest of the clocks that count
// link.c
void link_init(struct link *l, struct host *h);
void link_publish_late(struct link *l);
bool link_bad(const struct link *l);
struct tenure *tenure_of(const struct sim *s, int64_t token); // NULL: of nobody
void tenures_refresh(struct sim *s);                          // from the rows, after a failover
// late.c
struct late_flush *late_flush_new(const struct flush *f, int host);
void late_flush_arrive(struct sim *s, struct late_flush *l); // and is gone
void late_flush_free(struct late_flush *l);
// host_faults.c
void host_faults_plan(struct sim *s);
void host_happen(struct sim *s, struct happening *e);
void hosts_heal(struct sim *s);                         // everything, for the quiet end
enum store_fault host_fault_draw(struct host *h, bool writes);
bool host_flush_late(struct host *h, const struct flush *f); // the store gets it some time
void host_freeze(struct host *h, struct duration lasts);
void spread_note(struct sim *s); // of the time since it changed
void excuse_add(struct sim *s, struct mono from, struct mono to, struct duration slack);
void host_ended(struct host *h, bool crashed); // its process: boots again some time
// Operations of users: which node takes them and who is poked.
bool hosts_serve(struct sim *s);
void hosts_address(struct sim *s, struct happening *e);
struct host *host_addressed(struct sim *s, const struct happening *e);
// check_nodes.c
void check_step(struct sim *s);
void check_step_last(struct sim *s); // what lasts is over
void check_start(struct sim *s, const struct flight *f);
void check_flush(struct sim *s, const struct link *l, const struct flush *f);
bool check_forgotten(const struct sim *s, struct ulid id);
bool excused_late(const struct sim *s, struct mono due, struct mono at);

#endif
