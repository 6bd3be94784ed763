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
enum replay_version { REPLAY_RECORDED, REPLAY_CURRENT };
extern const char *const replay_version_names[];
struct dlq_replay {
    int version;           // enum replay_version: the job as it was when it failed, or as it is now
    struct str parameters; // JSON object instead of the recorded ones; absent: those
    struct str payload;    // JSON merge patch of the payload; absent: none
    struct faults *faults; // takes what is wrong with these
};
// Resolves it and starts a new occurrence, in one transaction. A patch of the payload needs the right to change the
// job, because its owner's secrets go where the payload says; the result is checked as at a save and run once, the
// job stays as it is. ERR_CONFLICT when it is resolved already, its job was deleted, or what ran was not recorded.
// ERR_INVALID with *faults.
bool app_dlq_replay(struct app *app, const struct caller *c, struct ulid id, const struct dlq_replay *how,
                    struct run *ret, struct arena *a, struct err *err) __attribute__((warn_unused_result));
// *ret is the dead letter afterwards. ERR_INVALID with field "/reason" when the reason is blank or too long.
bool app_dlq_resolve(struct app *app, const struct caller *c, struct ulid id, struct str reason,
                     struct dead_letter *ret, struct arena *a, struct err *err) __attribute__((warn_unused_result));

// Which dead letters, how many at most, and how many the caller believes there are.
struct replay_filter {
    struct ulid job_id;     // zero: of all jobs
    struct str error_class; // absent: any
    struct instant before;  // created earlier; INSTANT_NEVER: any
    int64_t limit;
    int64_t expect;         // FIELD_ABSENT: whatever
    int version;            // enum replay_version
};
struct replay_all {
    int64_t matched;   // before the first was replayed
    int64_t replayed;
    int64_t failed;    // could not be replayed: resolved meanwhile, or the job is gone
    bool more;         // others are left; ask again
};
extern const struct fields replay_all_fields;
// Replays the unresolved dead letters that the caller may reach and that match, oldest first. ERR_CONFLICT, with
// nothing replayed, when not exactly `expect` match.
bool app_dlq_replay_all(struct app *app, const struct caller *c, const struct replay_filter *f, struct replay_all *ret,
                        struct arena *a, struct err *err) __attribute__((warn_unused_result));

#endif
