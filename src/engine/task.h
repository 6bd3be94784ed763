// SPDX-License-Identifier: Apache-2.0
// A run the engine answers for, from the moment it is known here until its end is recorded.
//
//   QUEUED ──► CLAIMING ──► RUNNING ──► ENDED ──recorded──► (freed; perhaps a new QUEUED task for the retry)
//     │ ▲                                ▲  └─ given up: STRAY until the executor lets go of the attempt
//     ▼ │                                │
//   BLOCKED ── never to start (skipped, job deleted) ─┘
#ifndef ENGINE_TASK_H
#define ENGINE_TASK_H

#include "engine/entry.h"
#include "jobs/job_type.h"

enum task_state {
    TASK_QUEUED,   // the row waits for its instant or its turn
    TASK_BLOCKED,  // the row waits for the end of another run of the job (QUEUE, REPLACE)
    TASK_CLAIMING, // in the batch: it will be ours if the store says so
    TASK_RUNNING,  // ours; the executor has the attempt
    TASK_ENDED,    // result known, not yet recorded
    TASK_STRAY,    // recorded without the executor's word; it still holds the attempt
    TASK_ELSEWHERE, // another living node runs it
};
enum task_load { LOAD_NOT_TRIED, LOAD_DONE, LOAD_GONE, LOAD_FAILED }; // of the job's definition

// A task given up may be heard of while its end is still being recorded: it then stands in two queues.
enum queue_link { QUEUE_HEARD, QUEUE_ENDED, QUEUE_LINKS };

struct log_tail;

struct task {
    struct agenda_node node; // first member
    struct entry *entry;
    struct task *prev, *next;  // of the entry's runs
    struct task *queued_behind[QUEUE_LINKS]; // struct task_queue
    struct ulid id, run_key;
    struct instant scheduled;
    struct instant due;        // QUEUED: when it may start
    struct instant start, end;
    int64_t attempt, lost_count, job_version;
    int64_t token;             // the row's; 0 while QUEUED, a former owner's for lost runs
    struct str inputs;         // own copy, or absent
    int cancel_why;            // −1, or enum cancel_why once asked
    uint8_t state, trigger, priority;
    bool late;                 // counts towards the share of late work
    bool timed_out;            // past its timeout: the executor was told
    bool given_up;             // past timeout and grace; the executor did not let go
    bool handed_back;          // ended by our own shutdown
    struct attempt_result result; // ENDED; strings live in the attempt or are constant
    struct ulid in_way;        // SKIPPED by overlap

    // While the executor has it. Written on its threads, read here after done().
    struct attempt *attempt_ref;
    int load;                  // enum task_load
    struct str definition;     // as loaded, in the attempt's arena
    int64_t definition_version;
    struct log_tail *tail;     // under the inbox lock
    struct instant done_at;    // when it called done(); under the inbox lock
    int64_t log_dropped;       // lines dropped since the last one written; under the inbox lock
    int64_t log_mark;          // log lines of this engine accepted when it ended; under the inbox lock
};

struct tasks {
    struct map by_id;
    struct slab slab;     // struct task
    struct slab attempts; // struct attempt
};

void tasks_init(struct tasks *ts);
void tasks_release(struct tasks *ts); // frees what is left; the executor must hold no attempt any more
struct task *tasks_find(const struct tasks *ts, struct ulid run_id);
// A task in the state QUEUED, linked to the entry. inputs is copied. ids: not held yet.
struct task *task_new(struct tasks *ts, struct entry *e, const struct run *r);
// Leaves map and entry. Must stand in no list of the agenda.
void task_free(struct tasks *ts, struct task *t);
// Gives the task an attempt to execute / takes it back.
void task_attempt_take(struct tasks *ts, struct task *t);
void task_attempt_give(struct tasks *ts, struct task *t);

static inline bool task_in_way(const struct task *t) // for other starts of its job
{
    return t->state == TASK_CLAIMING || t->state == TASK_RUNNING || t->state == TASK_ELSEWHERE;
}
static inline bool task_waits(const struct task *t)
{
    return t->state == TASK_QUEUED || t->state == TASK_BLOCKED;
}

// First in, first out.
struct task_queue {
    enum queue_link link;
    struct task *head, *tail;
    size_t n;
};
static inline struct task_queue task_queue_of(enum queue_link link) { return (struct task_queue){.link = link}; }
void task_queue_push(struct task_queue *q, struct task *t);
struct task *task_queue_pop(struct task_queue *q); // NULL when empty
// Puts all of `from`, of the same link, behind q's; empties it.
void task_queue_join(struct task_queue *q, struct task_queue *from);

#endif
