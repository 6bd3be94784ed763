// SPDX-License-Identifier: Apache-2.0
// When a definition fires: the only place of app/ that asks sched/. Compiled schedules are kept for the duration of
// one request, so that a batch of a thousand equal schedules is parsed once.
#ifndef APP_SCHEDULE_H
#define APP_SCHEDULE_H

#include "app/app.h"
#include "app/preview.h"

enum { SCHEDULE_MEMO_SLOTS = 8, PREVIEW_COUNT_DEFAULT = 5, PREVIEW_COUNT_MAX = 100 };

// Schedules compiled within one request, newest replace oldest. Release it.
struct schedule_memo {
    struct zones *zones;
    struct schedule_memo_slot {
        struct ulid key;
        struct schedule *schedule; // NULL: free
        struct strs warnings;      // in the request's arena, once asked for
        bool warned;
    } v[SCHEDULE_MEMO_SLOTS];
    size_t next; // slot to be replaced next
};
void schedule_memo_init(struct schedule_memo *m, struct zones *zones);
void schedule_memo_release(struct schedule_memo *m);

// What else decides the instants of a schedule.
struct schedule_origin {
    struct ulid job_id;      // for H fields
    struct instant anchor_at; // of an interval's grid
};
struct schedule_origin schedule_origin_of(const struct job *j);
// The compiled schedule, owned by the memo; NULL after adding what is wrong to *faults, below base ("/schedule").
const struct schedule *schedule_memo_get(struct schedule_memo *m, const struct schedule_spec *s,
                                         const struct schedule_origin *o, struct str base, struct faults *faults);

// Sentences about a schedule of the memo that is probably not what was meant; found once per schedule.
struct strs schedule_memo_warnings(struct schedule_memo *m, const struct schedule *s, struct instant from,
                                   struct arena *a);

struct preview_request {
    struct schedule_spec schedule;
    struct instant from; // exclusive; absent: now
    int64_t count;
};
extern const struct fields preview_request_fields;

struct preview {
    struct occurrence *v;
    size_t n;             // fewer than asked for when the schedule ends
    struct strs warnings; // what is probably not meant
};
// The next fires of a schedule that belongs to no stored job, in the arena.
bool app_schedule_preview(struct app *app, const struct caller *c, const struct preview_request *r,
                          struct preview *ret, struct faults *faults, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// As the preview, for a checked definition (dry run); no rights needed. Nothing when the arena is full.
size_t app_job_occurrences(struct app *app, const struct job *j, struct instant after, size_t count,
                           struct occurrence **ret, struct arena *a);

#endif
