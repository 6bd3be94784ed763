// SPDX-License-Identifier: Apache-2.0
// What happened to jobs and runs, for readers outside: one row per change of state, written in the transaction of the
// change (outbox) and removed when it has been passed on.
#ifndef MODEL_OUTBOX_H
#define MODEL_OUTBOX_H

#include "base/arena.h"
#include "base/field.h"
#include "base/time.h"
#include "base/ulid.h"

enum outbox_of { OUTBOX_JOB, OUTBOX_RUN };
enum outbox_job { OUTBOX_JOB_CREATED, OUTBOX_JOB_UPDATED, OUTBOX_JOB_STATE_CHANGED, OUTBOX_JOB_DELETED };

struct outbox_event {
    int64_t seq;      // rising in the order of one job
    int of;           // enum outbox_of
    int what;         // enum outbox_job, or the run's status
    struct instant at; // by the store's clock
    struct ulid job_id, run_id, run_key;
    int64_t job_version, attempt;
    struct instant scheduled, start, end;
    int64_t exit_code; // FIELD_ABSENT
    struct str worker, error_class, error_message;
};

// "io.chronos.job.created.v1", "io.chronos.run.succeeded.v1", …
const char *outbox_event_type(const struct outbox_event *e);

#endif
