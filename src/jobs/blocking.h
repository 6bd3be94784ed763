// SPDX-License-Identifier: Apache-2.0
// Threads for job types whose libraries block: databases, brokers, files, mail, reports.
//
//     type->start = attempt_block(a, body)      ──► queue ──► a thread of the pool runs body(a), which ends the attempt
//     type->cancel = attempt_block_cancel       ──► the interrupter that body has set at that moment, if any
//
// A body looks at attempt_cancel_asked(a) between steps. While it waits inside a library it has an interrupter set
// that makes the library return (a cancel request on the server, a shutdown of the socket); it runs on the canceller's
// thread under a lock that attempt_uninterruptible takes, so what it uses may be freed after that.
#ifndef JOBS_BLOCKING_H
#define JOBS_BLOCKING_H

#include "jobs/runner.h"

enum { BLOCKING_THREADS_DEFAULT = 32, BLOCKING_THREADS_MAX = 1024 };

struct blocking;

// Threads are started as they are needed, at most this many (0 = default), and end after a minute without work. What
// comes while all are busy waits in order; a wait counts towards the attempt's timeout.
struct blocking *blocking_new(size_t threads_max);
// All attempts have ended before (runner_free).
void blocking_free(struct blocking *b);

// Hands the attempt to the pool of its env; without one it fails in one sentence. body must end it.
void attempt_block(struct attempt *a, void (*body)(struct attempt *a));
// For job_type.cancel of such types. An attempt still in the queue ends at once.
void attempt_block_cancel(struct attempt *a, enum cancel_why why);

// From now on a cancel calls interrupt(ctx), perhaps at once and more than once. From body only.
void attempt_interruptible(struct attempt *a, void (*interrupt)(void *ctx), void *ctx);
void attempt_uninterruptible(struct attempt *a);
// Ends the attempt as cancelled (or timed out) when that was asked for; true when it did. From body only.
bool attempt_ended_by_cancel(struct attempt *a);

#endif
