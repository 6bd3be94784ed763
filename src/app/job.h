// SPDX-License-Identifier: Apache-2.0
// What may be done with jobs: create, read, change, delete, pause, resume, cancel.
//
// Rules about the plan of a job (semantics.md §3: nothing but the misfire rule decides about the past):
// - A new job's next fire is its first occurrence after now. ONCE keeps its runAt even when that is past: the misfire
//   policy decides whether it still runs.
// - An edit computes the next fire from now, except that an occurrence which is due and has no decision yet keeps its
//   place. A ONCE job whose runAt did not change never fires again.
// - Pause and resume leave the next fire alone, so what came due meanwhile is decided by the misfire policy. Resume
//   after cancel starts from now: a cancelled schedule owes nothing.
#ifndef APP_JOB_H
#define APP_JOB_H

#include "app/app.h"

enum { JOBS_BATCH_MAX = 1000 };

// A definition on its way into the store.
struct job_draft {
    struct job job;       // in: as decoded; out: as stored, read-only members filled
    struct ulid id;       // in: the identifier it is to have, so that a repeated insert is a conflict; zero: a new one
    struct plan plan;     // out
    struct str base;      // pointer of the definition in the request: "" or "/jobs/3"
    struct strs warnings; // out: accepted, but the user should know
    bool bad;             // out: at least one fault was added for this one
};

// Checks the drafts and fills ids, owner, versions, plans. Every fault goes to *faults; bad drafts are marked. Changes
// nothing in the store, so it is the whole of a dry run. False when the caller may not create jobs, or the store could
// not be asked which secrets there are.
bool app_jobs_prepare(struct app *app, const struct caller *c, struct job_draft *v, size_t n,
                      struct faults *faults, struct arena *a, struct err *err) __attribute__((warn_unused_result));
// Checks a definition that is run once and not stored, as a save would; its payload is canonical afterwards. Faults go
// to *faults; false when the store could not be asked.
bool app_job_check(struct app *app, struct job *j, struct faults *faults, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// Stores prepared drafts, none of them bad, all or nothing, and tells the engine.
bool app_jobs_insert(struct app *app, const struct caller *c, const struct job_draft *v, size_t n, struct arena *a,
                     struct err *err) __attribute__((warn_unused_result));

// The job if the caller may do the action with it; else ERR_NOT_FOUND.
bool app_job_get(struct app *app, const struct caller *c, enum action action, struct ulid id, struct job *ret,
                 struct arena *a, struct err *err) __attribute__((warn_unused_result));
// ERR_NOT_FOUND unless the caller may do the action with things of this job. Also answers for deleted jobs, whose
// history keeps its owner.
bool app_job_reachable(struct app *app, const struct caller *c, enum action action, struct ulid id, struct arena *a,
                       struct err *err) __attribute__((warn_unused_result));
// Own jobs, or all for those who may see all. f->owner_id is overwritten.
bool app_jobs_list(struct app *app, const struct caller *c, struct job_filter *f, const struct page *p,
                   struct job **ret, size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));

struct job_edit {
    struct ulid id;
    int64_t if_version; // the version the caller has seen; 0: whatever is there
    bool dry_run;       // check and fill the draft, store nothing
};
// Replaces the definition by the draft's. ERR_STALE when the version differs, ERR_INVALID with *faults.
bool app_job_replace(struct app *app, const struct caller *c, const struct job_edit *e, struct job_draft *d,
                     struct faults *faults, struct arena *a, struct err *err) __attribute__((warn_unused_result));
bool app_job_delete(struct app *app, const struct caller *c, struct ulid id, int64_t if_version, struct arena *a,
                    struct err *err) __attribute__((warn_unused_result));

// State changes; *ret is the job afterwards. Repeating one changes nothing and succeeds.
bool app_job_pause(struct app *app, const struct caller *c, struct ulid id, struct job *ret, struct arena *a,
                   struct err *err) __attribute__((warn_unused_result));
bool app_job_resume(struct app *app, const struct caller *c, struct ulid id, struct job *ret, struct arena *a,
                    struct err *err) __attribute__((warn_unused_result));
// Stops the schedule until resume, cancels queued runs and asks running ones to end.
bool app_job_cancel(struct app *app, const struct caller *c, struct ulid id, struct job *ret, struct arena *a,
                    struct err *err) __attribute__((warn_unused_result));

#endif
