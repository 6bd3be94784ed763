// SPDX-License-Identifier: Apache-2.0
// The thread of the audit trail: writes what waits, gives records their places in the chain within about a
// second, makes checkpoints, and removes what is older than it is to be kept. Every node has one; those of a
// cluster seal by turns, as the duty has it, and the row of the head fences them: whoever finds another head
// than he read writes nothing.
//
// A checkpoint is kept in the store, in a file beside the data of the node that made it, and in the log of
// the server, so that who cuts off the tail of the trail together with the head is found out.
#ifndef APP_AUDIT_KEEPER_H
#define APP_AUDIT_KEEPER_H

#include "app/app.h"

#define AUDIT_CHECKPOINTS_FILE "audit-checkpoints"

struct cluster;
struct cluster_status;
struct audit_keeper;
struct audit_keeper_config {
    int64_t keep_days;       // 0: for ever
    const char *file;        // of checkpoints; NULL: none
    struct cluster *cluster; // whose node holds the duty; NULL on a store that nobody shares
};

// The app and the texts must outlive it. Without a thread until audit_keeper_start.
struct audit_keeper *audit_keeper_new(const struct audit_keeper_config *c, struct app *app);
void audit_keeper_start(struct audit_keeper *k);
// One round: everything that waits now. False: *err says why, and the next round tries again.
bool audit_keeper_round(struct audit_keeper *k, struct err *err);
// Ends the thread, seals what is left, makes the last checkpoint, gives the duty back. NULL is allowed.
void audit_keeper_free(struct audit_keeper *k);

#endif
