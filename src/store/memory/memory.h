// SPDX-License-Identifier: Apache-2.0
// Inside of the memory store. Rows and strings live in one arena until the store is freed and strings never
// change, so answers may point into it. Everything is under mem.lock; functions named mem_* are the store's
// operations, the others expect the lock to be held.
#ifndef STORE_MEMORY_MEMORY_H
#define STORE_MEMORY_MEMORY_H

#include "base/map.h"
#include "base/sync.h"
#include "store/memory/operations.h"
#include "store/memory/store_memory.h"
#include "store/notes.h"
#include "store/rows.h"

// Pointers to rows that begin with their id, sorted by it. Almost all inserts are at the end.
struct row_list {
    void **v;
    size_t n, cap;
};
void row_list_add(struct row_list *l, void *row);
void row_list_remove(struct row_list *l, struct ulid id);
size_t row_list_after(const struct row_list *l, struct ulid id); // first place with a greater id

struct run_row {
    struct run r; // first
    struct log_line *logs;
    size_t n_logs, cap_logs;
};

// What is kept in the order in which it was written.
struct mem_rows {
    void *v;
    size_t n, cap, size;
    int64_t seq; // of the newest
};
void *mem_rows_add(struct mem_rows *r); // zeroed; valid until the next one
void mem_rows_remove(struct mem_rows *r, size_t at, size_t n);

struct subscription_row {
    struct ulid id, job_id;
    int64_t version;
    uint32_t wants;
    struct str body;
};

struct duty {
    struct str name;
    int64_t token, term;
    struct instant lease_until;
};

struct mem {
    struct store base; // first
    struct mutex lock;
    struct arena arena;
    struct map strings;
    struct map jobs, runs, dlq, users, sessions, settings, secrets, memos, identities;
    struct row_list jobs_by_id, runs_by_id, unfinished, dlq_by_id, audit_by_id;
    struct mem_rows nodes, changes, duties, outbox; // struct node, change, duty, outbox_event
    struct mem_rows subscriptions, notices, marks, deliveries;
    struct mem_rows breakers;                       // struct breaker_row
    struct mem_rows once;                           // of memory/once.c
    struct row_list keys, teams;                    // struct api_key, team
    struct mem_rows memberships;                    // struct membership
    struct mem_rows audit_marks;                    // struct audit_mark
    struct ulid trimmed;                            // where history_trim goes on
    bool events;
    struct clock_virtual still; // the clock until there is another
    const struct clock *clock;
    struct store_faults faults;
    struct store_weakness weak;
    bool crashed;
};

// One call of the store: lock and fault.
struct mem_call {
    struct mem *m;
    enum store_fault fault;
    bool writes;
    struct notes notes; // go along when it succeeds
};
// False (unlocked) when the call is to fail before anything is done.
bool call_begin(struct mem_call *c, struct store *s, const char *op, bool writes, struct err *err);
// Unlocks; turns success into the fault that was drawn. On success the notes are written first.
bool call_end(struct mem_call *c, bool ok, struct err *err);

// Allocation from the store's arena; never NULL.
void *mem_take(struct mem *m, size_t count, size_t size);
// The store's own copy of a text; equal texts are kept once.
struct str mem_text(struct mem *m, struct str s);

struct job_row *job_live(struct mem *m, struct ulid id); // NULL when absent or deleted
// Puts the run in front of the job's chain. The id must be free (or uniqueness is off).
void run_chain(struct mem *m, struct job_row *j, struct run *r);
bool run_taken(struct mem *m, struct ulid id);
// Call after a change of status.
void run_status_changed(struct mem *m, struct run_row *r, int from);
void run_answer(struct mem *m, const struct run_row *row, struct run *ret);
void memos_remove(struct mem *m, struct ulid job_id);
// ERR_CONFLICT: the e-mail address is taken.
bool user_put(struct mem *m, const struct user *u, struct err *err);
// Noted records, with the write they came with.
void audit_put_notes(struct mem *m, const struct notes *v);
void dead_letter_put(struct mem *m, const struct dead_letter *d);

// Notices of a flush that is decided; of a job that was paused; and what goes with a job.
void notices_of_flush(struct mem *m, const struct flush *f);
void notice_of_pause(struct mem *m, struct ulid job_id, struct instant now);
void mem_subscriptions_forget(struct mem *m, struct ulid job_id, struct instant now);

// A change other nodes are to hear of; nothing in an exclusive store.
void change_add(struct mem *m, int kind, struct ulid subject, int64_t sender);
// Whether a node's lease lasts.
bool node_leased(struct mem *m, int64_t token);
// Events for readers outside, when they are turned on.
void event_add_job(struct mem *m, int what, struct ulid job_id, int64_t version);
void event_add_run(struct mem *m, const struct run *r);

#endif
