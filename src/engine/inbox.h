// SPDX-License-Identifier: Apache-2.0
// Everything that reaches the engine from other threads. They add under one lock and wake it; the engine takes
// the whole content at the start of a tick.
//
// Bounds: pokes are identifiers of rows that were just committed, so the store paces them. Log lines are copied into
// a buffer of LOG_BACKLOG_MAX bytes; the engine writes one buffer while the other fills. When both are full because
// the store does not keep up, lines are dropped and the run's log says how many: waiting instead would let a
// chatty job stop the threads that carry all others.
#ifndef ENGINE_INBOX_H
#define ENGINE_INBOX_H

#include "base/sync.h"
#include "engine/engine.h"
#include "engine/ids.h"
#include "engine/notice.h"
#include "engine/task.h"

enum { LOG_BACKLOG_MAX = 32 * 1024 * 1024 };

struct log_buffer {
    struct arena arena;
    struct log_line *v;
    size_t n, cap;
    size_t sent; // lines of v that are in the store
};

// What a tick takes out.
struct inbox_content {
    struct ids jobs, runs, cancels;
    struct task_queue heard; // of the executor: attempts it gave back
    bool zones;              // time zone data changed
};

// What the cluster wants of the engine.
struct share_order {
    bool given, sweep, sweep_plans;
    struct engine_share share;
    struct mono lease_until;
    int64_t taken; // generation in effect
};

struct inbox {
    struct mutex lock;
    struct waker waker;
    // Under lock:
    struct inbox_content content;
    struct log_buffer buffers[2];
    int filling;           // index of the buffer that takes lines; the other one is the engine's
    int64_t log_seq;       // lines accepted so far, over all runs
    bool stopping;
    struct duration grace;
    struct interest_order interest;
    struct share_order share; // written by engine_take_share and its kin, taken by share_apply
};

void inbox_init(struct inbox *b);
void inbox_release(struct inbox *b);

enum inbox_list { INBOX_JOBS, INBOX_RUNS, INBOX_CANCELS };
// Adds without waking; inbox_poke wakes the engine too.
void inbox_leave(struct inbox *b, enum inbox_list list, const struct ulid *ids, size_t n);
void inbox_poke(struct inbox *b, enum inbox_list list, const struct ulid *ids, size_t n);
// Adds a line of the task's run at the instant. message and context are copied.
void inbox_log(struct inbox *b, struct task *t, const struct log_line *line);
// The attempt has ended: writes the held back end of its log and queues the task.
void inbox_done(struct inbox *b, struct task *t, struct instant at);
void inbox_zones(struct inbox *b);
void inbox_stop(struct inbox *b, struct duration grace);

// -- engine's thread --
// Appends the content to *c. Says whether inbox_stop was called, and its grace.
bool inbox_take(struct inbox *b, struct inbox_content *c, struct duration *ret_grace);
// The lines to be written next (not yet marked sent); swaps the buffers when the engine's own is used up.
struct log_buffer *inbox_logs(struct inbox *b);

#endif
