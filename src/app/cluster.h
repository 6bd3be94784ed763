// SPDX-License-Identifier: Apache-2.0
// The cluster as operators see it: its nodes, and asking one of them to hand its jobs over.
#ifndef APP_CLUSTER_H
#define APP_CLUSTER_H

#include "app/app.h"

struct cluster_node {
    struct str name, address, version;
    int state; // enum node_state
    bool drain_wanted, self;
    int64_t slots; // it decides for
    int64_t running;
    struct instant started_at, renewed_at, lease_until; // by the store's clock; INSTANT_NEVER without a lease
    int64_t lease_age_ms, clock_offset_ms;              // FIELD_ABSENT without a lease
};
extern const struct fields cluster_node_fields;

struct cluster_info {
    bool clustered; // other nodes may share this store
    struct str store, node;
    int64_t nodes; // living, this one included
    int64_t slots; // this node decides for
    bool leased, draining;
    int64_t clock_offset_ms;
    bool clock_refused;
    bool
        view_agreed; // every living node divides the jobs among the same nodes, and these are the living ones
};
extern const struct fields cluster_info_fields;

// By name, those that ended in the last hour included. A server that is no member of a cluster lists itself.
bool app_cluster_nodes(struct app *app, const struct caller *c, struct cluster_node **ret, size_t *ret_n,
                       struct arena *a, struct err *err) __attribute__((warn_unused_result));
// Asks a living node to drain, or to take part again; *ret is the node as it is now, before it obeyed.
// ERR_NOT_FOUND when no living node has the name, ERR_CONFLICT when this server is no member of a cluster.
bool app_cluster_want(struct app *app, const struct caller *c, struct str name, bool drain,
                      struct cluster_node *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
bool app_cluster_info(struct app *app, const struct caller *c, struct cluster_info *ret, struct arena *a,
                      struct err *err) __attribute__((warn_unused_result));

#endif
