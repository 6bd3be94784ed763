// SPDX-License-Identifier: Apache-2.0
// Keeps history flat: removes what is older than it is to be kept, in paced batches, on one node at a time.
#ifndef ENGINE_RETENTION_H
#define ENGINE_RETENTION_H

#include "engine/cluster.h"

struct retention;
struct retention_config {
    int64_t keep_days;       // > 0
    struct cluster *cluster; // whose node holds the duty; NULL on a store that nobody shares
};

// One round of work: holds the duty and removes one batch. Returns how long to wait before the next: short while there
// is more to remove, long otherwise. A failure is logged, and the next round comes after the long pause.
struct duration retention_round(struct retention *r);

// Store, cluster and clock must outlive it. Without a thread until retention_start.
struct retention *retention_new(const struct retention_config *c, struct store *store, const struct clock *clock);
void retention_start(struct retention *r);
// Ends the thread and gives the duty back.
void retention_free(struct retention *r);

#endif
