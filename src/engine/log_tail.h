// SPDX-License-Identifier: Apache-2.0
// The end of a run's output when there is more than may be kept: once the head is full, the newest lines wait
// here and older ones among them are let go, counted. Lock: whoever owns it (the engine's inbox).
#ifndef ENGINE_LOG_TAIL_H
#define ENGINE_LOG_TAIL_H

#include "base/sync.h"
#include "model/run.h"

enum { LOG_TAIL_MAX = 256 * 1024 }; // bytes of text kept per run

struct log_tail;

// Adds a copy of the line; makes *t at first use.
void log_tail_add(struct log_tail **t, const struct log_line *line);
// The oldest line kept, removed; its text stays valid until the next call. False when empty (or NULL).
bool log_tail_pop(struct log_tail *t, struct log_line *ret);
// What was let go so far.
int64_t log_tail_dropped_lines(const struct log_tail *t);
int64_t log_tail_dropped_bytes(const struct log_tail *t);
void log_tail_release(struct log_tail **t); // frees it, sets NULL

#endif
