// SPDX-License-Identifier: Apache-2.0
// Inside of the cluster: cluster.c (the state machine), changes.c (what others changed), cluster_run.c (threads).
#ifndef ENGINE_CLUSTER_CORE_H
#define ENGINE_CLUSTER_CORE_H

#include "base/rng.h"
#include "base/sync.h"
#include "engine/cluster.h"
#include "engine/ids.h"

// Numbers of changes seen beyond the first gap, in order. A gap is a transaction that has not ended, or never will.
struct recent {
    struct recent_seq {
        int64_t seq;
        struct mono seen;
    } *v;
    size_t n, cap;
};
// What a view gives to a node, computed once: it is asked at every look.
struct known_share {
    struct view view;
    int64_t token; // 0: nothing is known here
    struct slots slots;
};
struct nodes_seen {
    struct node *v;
    size_t n;
};

struct cluster {
    struct cluster_config config; // texts are our own
    struct arena texts;
    struct store *store;
    struct engine *engine;
    const struct clock *clock;

    struct mutex lock;
    // Under lock:
    int64_t token;           // written by the watch only, so it reads it freely
    struct mono lease_until, next_beat;
    bool lost;               // the token is dead
    bool drain;
    bool clock_refused;      // written by the watch only, like published_state
    int published_state;
    struct duration offset;
    int64_t nodes, slots;
    bool settled;            // we decide for all that our view gives us

    struct waker beat_waker, watch_waker;
    _Atomic bool stop;
    pthread_t threads[3];
    size_t n_threads;

    int64_t beat_failures; // of the beat's thread

    // Of the watch's thread:
    struct rng rng;
    struct view living;
    struct slots given;      // to the engine, whether it has taken it or not
    bool let_go;             // since the lease was lost, the engine was told to forget everything
    int64_t generation;
    bool clock_warned;
    int64_t watch_failures;
    struct mono next_sweep, next_plan_sweep;
    int64_t low;             // every change up to here was taken
    struct recent recent;
    struct ids changed_jobs; // of one page, told together
    struct known_share known[VIEW_NODES_MAX]; // by token; a later one takes the place
};

// changes.c: from now on; the last ones once more; and all since then.
bool changes_start(struct cluster *c, struct err *err);
void changes_repeat(struct cluster *c);
bool changes_take(struct cluster *c, struct arena *a, struct err *err);

#endif
