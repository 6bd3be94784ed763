// SPDX-License-Identifier: Apache-2.0
// When a schedule fires. The preview, the dry run, explain and the engine all ask here, so that none
// of them can disagree with another (semantics.md §2).
//
// struct schedule is the compiled form of a schedule_spec: immutable, counted, about 200 bytes, and
// shared by all jobs whose schedule means the same (schedule_key). Jitter differs per job and is
// therefore applied outside, by schedule_due.
#ifndef SCHED_NEXT_FIRE_H
#define SCHED_NEXT_FIRE_H

#include "base/ulid.h"
#include "model/schedule.h"
#include "sched/cron.h"
#include "sched/zones.h"

struct schedule;

// Stable number of a job for H fields and jitter.
uint64_t schedule_seed(struct ulid job_id);

// Key of everything that decides the instants: two specs with one key may share one struct schedule. The seed
// counts only where H is used, the anchor only for intervals. Valid within this process; cheap (no parsing).
struct ulid schedule_key(const struct schedule_spec *spec, struct instant anchor_at, uint64_t seed);

// anchor_at: origin of an interval's grid when the spec has no startAt (the job's creation). Errors are
// ERR_INVALID with err->field below the schedule ("/cronExpression", "/timezone", …); *ret_fault (may be
// NULL) is filled only for a wrong cron expression and else has field NULL. The caller owns the reference.
bool schedule_compile(struct zones *zs, const struct schedule_spec *spec, struct instant anchor_at,
                      uint64_t seed, struct schedule **ret, struct cron_fault *ret_fault, struct err *err)
    __attribute__((warn_unused_result));
struct schedule *schedule_ref(const struct schedule *s);
void schedule_unref(struct schedule *s); // NULL is allowed
// tzdata changed since it was compiled: compile it again. Past occurrences keep their identity.
bool schedule_stale(const struct schedule *s);

// The first occurrence strictly after the instant, from startAt on and before endAt; INSTANT_NEVER when none.
// MANUAL: never. INTERVAL: the grid anchor + k · interval, for anchor END too (as if runs took no time).
struct instant schedule_next(const struct schedule *s, struct instant after);
// As schedule_next, but gives up past `until` (inclusive): cheap when the next one may be far away.
struct instant schedule_next_until(const struct schedule *s, struct instant after, struct instant until);
// The last occurrence strictly before the instant; INSTANT_NEVER when there is none.
struct instant schedule_prev(const struct schedule *s, struct instant before);
// Occurrences in (after, until]. Exact for intervals; for cron exact up to count_max, then extrapolated from
// the density of those counted and *ret_estimated is set.
int64_t schedule_count(const struct schedule *s, struct instant after, struct instant until,
                       int64_t count_max, bool *ret_estimated);
// INTERVAL with anchor END: the occurrence after the pending one is unknown until that one's run has ended.
bool schedule_waits_for_end(const struct schedule *s);
// INTERVAL with anchor END: the occurrence after a run that ended then; else schedule_next(s, ended).
struct instant schedule_next_after_end(const struct schedule *s, struct instant ended);
// When the occurrence is to start: itself plus the job's jitter, always before the next occurrence.
struct instant schedule_due(const struct schedule *s, uint64_t seed, struct instant occurrence);

// What the describing functions (schedule_text.h) look at.
enum schedule_kind schedule_kind_of(const struct schedule *s);
const struct cron *schedule_cron(const struct schedule *s); // NULL unless CRON
const struct zone *schedule_zone(const struct schedule *s); // NULL unless CRON
enum dst_gap schedule_gap(const struct schedule *s);
enum dst_overlap schedule_overlap(const struct schedule *s);

#endif
