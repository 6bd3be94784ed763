// SPDX-License-Identifier: Apache-2.0
// Group commit: writes that arrive together share one transaction.
//
// Leader and followers: the first thread that comes leads; it takes everything that is queued (bounded by
// weight), runs it in one transaction on the group's connection, wakes the others with their own results,
// and hands the lead to the next one waiting. No timer: a group is what arrived during the last commit. An
// operation that fails takes nothing of the others with it. On servers a group that lost its connection
// before the commit runs again on a new one, and one that met a deadlock runs again after a pause.
#ifndef STORE_SQL_GROUP_H
#define STORE_SQL_GROUP_H

#include "store/sql/connect.h"

enum { GROUP_WEIGHT_MAX = 1000 };

// Runs inside the transaction. It may be run again from the start when another operation of its group broke
// the transaction, so it must set all its results each time. False: nothing it wrote stays.
typedef bool (*group_fn)(struct db *d, void *arg, struct err *err);

struct group_op;
struct group {
    struct connector *connector; // constant
    struct db *db;               // owned; NULL = not open; used by the leader only
    struct rng rng;              // used by the leader only
    struct metric *meter;        // of a transaction's time; NULL: nobody counts. Set before the first operation
    struct mutex lock;
    // under lock:
    struct group_op *first, *last;
    bool led;
    int64_t backlog;     // db_backlog after the last group
    int64_t groups;      // counted up with each
    struct cond changed; // a group ended with some backlog, or stop
    bool stop;
    bool tidies; // constant: there is a tidier
    pthread_t tidier;
};

// Takes d over; NULL: it is opened when it is needed. Of a file, starts the thread that moves the log into
// it.
void group_init(struct group *g, struct connector *c, struct db *d);
void group_release(struct group *g); // no operation may be under way; closes the connection
// Returns after the commit that holds the operation. weight: rows, about.
bool group_run(struct group *g, group_fn fn, void *arg, size_t weight, struct err *err)
    __attribute__((warn_unused_result));

#endif
