// SPDX-License-Identifier: Apache-2.0
// What may be done with dead letters: look, replay one or all, resolve with a reason.
#ifndef APP_DLQ_H
#define APP_DLQ_H

#include "app/app.h"

enum { REPLAY_ALL_MAX = 1000 };

bool app_dlq_get(struct app *app, const struct caller *c, struct ulid id, struct dead_letter *ret, struct arena *a,
                 struct err *err) __attribute__((warn_unused_result));
// f->owner_id is overwritten.
bool app_dlq_list(struct app *app, const struct caller *c, struct dlq_filter *f, const struct page *p,
                  struct dead_letter **ret, size_t *ret_n, struct page_result *ret_page, struct arena *a,
                  struct err *err) __attribute__((warn_unused_result));
// Resolves it and starts a new occurrence with its inputs and the job as it is now, in one transaction.
// ERR_CONFLICT when it is resolved already or its job was deleted.
bool app_dlq_replay(struct app *app, const struct caller *c, struct ulid id, struct run *ret, struct arena *a,
                    struct err *err) __attribute__((warn_unused_result));
// *ret is the dead letter afterwards. ERR_INVALID with field "/reason" when the reason is blank or too long.
bool app_dlq_resolve(struct app *app, const struct caller *c, struct ulid id, struct str reason,
                     struct dead_letter *ret, struct arena *a, struct err *err) __attribute__((warn_unused_result));

struct replay_all {
    int64_t replayed;
    int64_t failed;    // could not be replayed: resolved meanwhile, or the job is gone
    bool more;         // REPLAY_ALL_MAX were handled and others are left; ask again
};
extern const struct fields replay_all_fields;
// Replays the unresolved dead letters that the caller may reach, oldest first; job_id zero: of all jobs.
bool app_dlq_replay_all(struct app *app, const struct caller *c, struct ulid job_id, struct replay_all *ret,
                        struct arena *a, struct err *err) __attribute__((warn_unused_result));

#endif
