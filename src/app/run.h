// SPDX-License-Identifier: Apache-2.0
// What may be done with runs: start one by hand, look, cancel, start one again, read its log.
//
// A start by hand is a QUEUED run with a run key of its own: a new occurrence. It follows the job's concurrency
// policy like any other start (the engine decides), and a paused or disabled job may still be started by hand.
#ifndef APP_RUN_H
#define APP_RUN_H

#include "app/app.h"

enum { RUN_INPUTS_MAX = 64 * 1024, LOGS_PAGE_DEFAULT = 100, LOGS_PAGE_MAX = 1000 };

struct run_start {
    struct ulid job_id;
    struct instant at;  // INSTANT_NEVER: now; a past instant starts at once
    int trigger;        // TRIGGER_MANUAL or TRIGGER_API
    struct str inputs;  // JSON object of parameters, or absent
    bool drop_unknown;  // parameters the job does not declare are left out instead of refused
    struct faults *faults; // takes every fault of the parameters; NULL: *err names the first
    struct ulid id;     // identifier and key the run is to have, so that a repeated start is a conflict; zero: new ones
};
// ERR_INVALID when the job declares parameters and these do not fit.
bool app_run_start(struct app *app, const struct caller *c, const struct run_start *s, struct run *ret,
                   struct arena *a, struct err *err) __attribute__((warn_unused_result));
// Starts a new occurrence with the inputs of an ended run and the job as it is now. ERR_CONFLICT while it is active.
bool app_run_retry(struct app *app, const struct caller *c, struct ulid id, struct run *ret, struct arena *a,
                   struct err *err) __attribute__((warn_unused_result));

// job_id zero: any job; else the run must belong to it.
bool app_run_get(struct app *app, const struct caller *c, struct ulid id, struct ulid job_id, struct run *ret,
                 struct arena *a, struct err *err) __attribute__((warn_unused_result));
// f->owner_id is overwritten. With f->job_id: ERR_NOT_FOUND unless the caller may see that job.
bool app_runs_list(struct app *app, const struct caller *c, struct run_filter *f, const struct page *p,
                   struct run **ret, size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// QUEUED ends at once, RUNNING is asked to end. ERR_CONFLICT when it has ended. *ret is the run afterwards.
bool app_run_cancel(struct app *app, const struct caller *c, struct ulid id, struct run *ret, struct arena *a,
                    struct err *err) __attribute__((warn_unused_result));
// Lines after `after`, oldest first, at most max. The run must be reachable (app_run_get decides; call it first: a
// stream checks once and then reads often).
bool app_logs_read(struct app *app, struct ulid run_id, int64_t after, size_t max, struct log_line **ret,
                   size_t *ret_n, struct arena *a, struct err *err) __attribute__((warn_unused_result));
// Status of a run that was reachable when its stream began.
bool app_run_status(struct app *app, struct ulid run_id, int *ret_status, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));

// Without a check of rights, for use cases that made one: cancels and tells engine and streams. A run that ended
// meanwhile is no error. ret may be NULL.
bool run_cancel_one(struct app *app, const struct run *r, enum run_cancel_result *ret, struct err *err)
    __attribute__((warn_unused_result));
// The inputs of a start as the job's declarations say; as they are when it declares none.
bool run_inputs_take(const struct job *j, const struct run_start *s, struct str *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// Whether the caller may start a run of this owner's job by hand now: ERR_DENIED while that is turned off,
// ERR_THROTTLED.
bool run_start_allowed(struct app *app, const struct caller *c, struct ulid owner, struct err *err)
    __attribute__((warn_unused_result));
// Fills a QUEUED run of a new occurrence of the job. Strings are shared.
void run_make(struct app *app, const struct job *j, int trigger, struct instant at, struct str inputs,
              struct run *ret);

#endif
