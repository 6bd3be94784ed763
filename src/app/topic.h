// SPDX-License-Identifier: Apache-2.0
// Who is to be woken when a run or a job changes or a run has new log lines: publish and subscribe for event streams.
// Holds no text: a woken reader reads the store. The last TOPIC_CHANGES_MAX changes are kept, from the first time that
// anybody followed all of them, so that a reader who comes back finds his place; one who is further behind learns that
// he missed some.
//
// Our own engine tells of what it does; what other nodes do is found by looking.
//
// Invariant: wake is never called after topic_leave returned. Lock: LOCK_TOPIC, held while waking.
#ifndef APP_TOPIC_H
#define APP_TOPIC_H

#include "base/sync.h"
#include "base/ulid.h"

enum { TOPIC_CHANGES_MAX = 4096, TOPIC_SUBSCRIBERS_MAX = 4096 };

struct topic;
struct subscriber;

struct run_change {
    int64_t seq; // rising within this process
    struct ulid run_id, job_id; // run_id zero: the job was created, changed or deleted
    int status;
};
// Tells the sequence of this process from those of others and of its earlier lives.
uint64_t topic_epoch(const struct topic *t);

struct topic *topic_new(void);
void topic_free(struct topic *t); // must have no subscribers

// Joins: changes of one run (run_id given) or of all (zero). wake(ctx) may be called from any thread from now on and
// must not block or call back. NULL when TOPIC_SUBSCRIBERS_MAX are there already.
struct subscriber *topic_join(struct topic *t, struct ulid run_id, void (*wake)(void *ctx), void *ctx);
void topic_leave(struct topic *t, struct subscriber *s); // NULL is allowed
// Somebody who follows all goes on behind the change `after`. When that place is not known any more, he is told so.
void topic_resume(struct topic *t, struct subscriber *s, int64_t after);
// Moves up to max changes out, oldest first. *ret_missed: some were dropped before these.
size_t topic_take(struct topic *t, struct subscriber *s, struct run_change *v, size_t max, bool *ret_missed);

// Called after the commit, from the engine's thread or a use case.
void topic_run_changed(struct topic *t, struct ulid run_id, struct ulid job_id, int status);
void topic_logs_added(struct topic *t, struct ulid run_id);
void topic_job_changed(struct topic *t, struct ulid job_id);

// Called by who looks at what other nodes do (app/watch.h). A change that was told already, or that later ones have
// overtaken, is not told again.
void topic_run_found(struct topic *t, struct ulid run_id, struct ulid job_id, int status);
void topic_missed(struct topic *t);   // some changes were not found: whoever follows all runs is told so
bool topic_listened(struct topic *t); // somebody follows all runs
void topic_unwatched(struct topic *t); // nobody looks from now on: what is kept so far is no place to go on from
// Wakes those who follow one run, so that they look for themselves: at most max at a time, by turns; those whose run
// is our own engine's, only now and then.
void topic_look(struct topic *t, size_t max);

#endif
