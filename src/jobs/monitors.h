// SPDX-License-Identifier: Apache-2.0
// Runs of MONITOR that wait for a ping, by job. Whoever stores a ping wakes them; they read for themselves what it
// says.
#ifndef JOBS_MONITORS_H
#define JOBS_MONITORS_H

#include "base/err.h"
#include "base/ulid.h"

struct loop;
struct monitors;

struct monitors *monitors_new(void);
void monitors_free(struct monitors *m); // nobody waits any more
// The job was pinged: what waits for it looks. From any thread, never waits.
void monitors_wake(struct monitors *m, struct ulid job_id);

// ---- for jobs/monitor.c ----

// A waiting run, inside its attempt. woken is called on the loop between monitors_add and monitors_remove, and must not
// call back.
struct monitor_wait {
    struct ulid job_id;
    struct loop *loop;
    void (*woken)(struct monitor_wait *w);
    int64_t number; // the registry's
    struct monitor_wait *next;
};
void monitors_add(struct monitors *m, struct monitor_wait *w);
void monitors_remove(struct monitors *m, struct monitor_wait *w);

#endif
