// SPDX-License-Identifier: Apache-2.0
// Type names of outbox events, as CloudEvents wants them: reverse domain, object, what happened, version.
#include "model/outbox.h"

#include "base/err.h"
#include "model/run.h"

const char *outbox_event_type(const struct outbox_event *e)
{
    static const char *const of_job[] = {
        [OUTBOX_JOB_CREATED] = "io.chronos.job.created.v1",
        [OUTBOX_JOB_UPDATED] = "io.chronos.job.updated.v1",
        [OUTBOX_JOB_STATE_CHANGED] = "io.chronos.job.stateChanged.v1",
        [OUTBOX_JOB_DELETED] = "io.chronos.job.deleted.v1",
    };
    static const char *const of_run[] = {
        [RUN_QUEUED] = "io.chronos.run.queued.v1",       [RUN_RUNNING] = "io.chronos.run.started.v1",
        [RUN_SUCCEEDED] = "io.chronos.run.succeeded.v1", [RUN_FAILED] = "io.chronos.run.failed.v1",
        [RUN_TIMED_OUT] = "io.chronos.run.timedOut.v1",  [RUN_CANCELLED] = "io.chronos.run.cancelled.v1",
        [RUN_LOST] = "io.chronos.run.lost.v1",           [RUN_SKIPPED] = "io.chronos.run.skipped.v1",
        [RUN_MISSED] = "io.chronos.run.missed.v1",
    };
    must(e->what >= 0);
    if (e->of == OUTBOX_JOB) {
        must((size_t)e->what < sizeof of_job / sizeof of_job[0]);
        return of_job[e->what];
    }
    must((size_t)e->what < sizeof of_run / sizeof of_run[0] && of_run[e->what]);
    return of_run[e->what];
}
