// SPDX-License-Identifier: Apache-2.0
// Inside of the sql store: connections for writing, each behind a group commit, some for reading, operations
// by noun. Functions named sql_* are the store's operations.
#ifndef STORE_SQL_SQL_H
#define STORE_SQL_SQL_H

#include "store/notes.h"
#include "store/rows.h"
#include "store/sql/columns.h"
#include "store/sql/group.h"
#include "store/sql/meters.h"
#include "store/sql/operations.h"
#include "store/sql/store_queries.h"
#include "store/sql/user_memory.h"

enum { READERS_MAX = 64 };

// Who waits for whom: writes of one lane share commits and a connection. A file has one lane for all.
enum sql_lane {
    LANE_ENGINE,  // the engine's flush, so that no other write delays it
    LANE_ENDS,    // its results, when they come apart
    LANE_LEASE,   // the renewal of the node's lease
    LANE_WRITES,  // everything else,
    LANE_WRITES2, // by turns
    LANES
};

struct sql {
    struct store base; // first
    struct connector connector;
    struct group lanes[LANES];
    size_t n_lanes; // 1 or LANES
    _Atomic unsigned turn;
    struct mutex readers_lock;
    // under readers_lock:
    struct db *idle[READERS_MAX];
    size_t n_idle, n_open;
    struct cond returned;
    _Atomic unsigned readers_lost; // counts connections for reading that were lost
    struct user_memory users;      // exclusive stores only; has its own lock
    struct db *listener;           // under readers_lock: hears of changes while nobody waits; or NULL
    struct ulid trimmed;           // under readers_lock: where history_trim goes on
    _Atomic int64_t sender;        // token of this process as a node; 0 = none yet
    _Atomic bool events;           // for readers outside are written
    // constant:
    size_t readers_max;
    void (*closed)(void *ctx); // called last
};

extern const struct store_ops sqlite_store_ops, postgres_store_ops, mysql_store_ops;
struct sql_config {
    const struct store_ops *ops;
    struct db *first; // a connection for writing, migrated already; taken over
    connect_fn open;
    void (*closed)(void *ctx);
    void *ctx;
    const struct clock *clock; // of a server; NULL: a file of this process alone
    size_t readers;            // at most READERS_MAX
};
struct store *sql_new(const struct sql_config *c);

// The statement of a query on a connection.
bool sql_query(struct db *d, enum store_query q, struct db_stmt **ret, struct err *err);
// Runs fn in a shared transaction; sql_write chooses among the lanes of LANE_WRITES.
bool sql_write_in(struct store *s, enum sql_lane lane, group_fn fn, void *arg, size_t weight,
                  struct err *err);
bool sql_write(struct store *s, group_fn fn, void *arg, size_t weight, struct err *err);
// A reading connection for this thread alone, until given back; waits for one. NULL: *err says why.
struct db *sql_reader(struct store *s, struct err *err);
void sql_reader_done(struct store *s, struct db *d);
// A query on a reader: sql_read_end must follow when it returned true, also after a failed step.
struct sql_read {
    struct store *store;
    struct db *db;
    struct db_stmt *s;
    struct mono begun;
};
bool sql_read(struct sql_read *r, struct store *s, enum store_query q, struct err *err);
void sql_read_end(struct sql_read *r);
// Whether the dialect has a use for the statement.
static inline bool sql_has(const struct db *d, enum store_query q) { return store_sql[d->dialect][q].n > 1; }
// A statement for each of some ids, or all of them at once where the dialect can.
bool sql_run_ids(struct db *d, enum store_query one, enum store_query rows, const struct ulid *ids, size_t n,
                 struct err *err);
// Steps to the first row of a statement; without one ERR_NOT_FOUND: «what» "subject" does not exist. Reset it
// afterwards.
bool sql_only_row(struct db_stmt *s, struct err *err, const char *what, const char *subject);
bool sql_no_memory(struct err *err);

// A write together with what was noted for it (group_fn; arg is a struct noted_write).
struct noted_write {
    group_fn fn;
    void *arg;
    struct notes notes;
};
bool noted_write(struct db *d, void *arg, struct err *err);

// ---- parts of transactions (flush.c, job.c, run.c) ------------------------------------------------

// Puts a run in front of the chain of its job, whose head is *head. *ret_put false: the id is taken.
bool run_row_put(struct db *d, const struct run *r, bool *ret_put, struct err *err);
// The same with the head looked up and advanced. *ret_job false: the job is gone; nothing was written.
bool run_put_first(struct db *d, struct run *r, bool *ret_job, bool *ret_put, struct err *err);
// The same for a QUEUED run that somebody asked for, with what others are told. ERR_NOT_FOUND, ERR_CONFLICT.
bool run_put_told(struct store *st, struct db *d, struct run *r, struct err *err);
// New jobs with their plans, on a server. ERR_CONFLICT when an id exists.
bool jobs_put_rows(struct db *d, const struct job *jobs, const struct plan *plans, const struct str *texts,
                   size_t n, struct err *err);
// ERR_CONFLICT: the e-mail address is taken.
bool user_row_put(struct store *st, struct db *d, const struct user *u, struct err *err);
bool letter_put(struct db *d, const struct dead_letter *v, struct err *err);
// Tells the other nodes, in the transaction of the change (kind and subject). sender: token of a node; 0 = of
// the one that registered through this store.
bool change_put(struct store *st, struct db *d, int kind, struct ulid subject, int64_t sender,
                struct err *err);
bool changes_put(struct store *st, struct db *d, const struct change *v, size_t n, int64_t sender,
                 struct err *err);
// Events for readers outside, after the rows themselves were written, from which they take the rest: a change
// of a job (enum outbox_job), and of the status of runs. Nothing unless they are turned on.
bool events_on(struct store *s);
bool event_put_job(struct store *st, struct db *d, int what, const struct ulid *job_id, struct err *err);
// Notices of a flush that is decided; of a job that was paused; and what goes with a job.
bool flush_notices(struct db *d, const struct flush *f, struct err *err);
bool notice_put_paused(struct db *d, const struct ulid *job_id, struct instant now, struct err *err);
bool subscriptions_of_job_remove(struct db *d, const struct ulid *job_id, struct instant now, struct err *err);
bool delivery_put(struct db *d, const struct delivery *v, struct err *err);
bool events_put_runs(struct store *st, struct db *d, const struct ulid *ids, size_t n, struct err *err);

#endif
