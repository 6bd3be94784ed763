// SPDX-License-Identifier: Apache-2.0
// When a job is to run, as the user wrote it. What it means in instants is sched/'s business.
#ifndef MODEL_SCHEDULE_H
#define MODEL_SCHEDULE_H

#include "base/field.h"

enum schedule_kind { SCHEDULE_ONCE, SCHEDULE_CRON, SCHEDULE_INTERVAL, SCHEDULE_RRULE, SCHEDULE_MANUAL };
enum schedule_anchor { ANCHOR_START, ANCHOR_END };
enum misfire_policy { MISFIRE_FIRE_NOW, MISFIRE_FIRE_ALL, MISFIRE_RESCHEDULE, MISFIRE_IGNORE };
enum dst_gap { DST_GAP_RUN, DST_GAP_SKIP, DST_GAP_SHIFT };
enum dst_overlap { DST_OVERLAP_AUTO, DST_OVERLAP_FIRST, DST_OVERLAP_BOTH };
enum day_match { DAY_MATCH_AUTO, DAY_MATCH_OR, DAY_MATCH_AND }; // AUTO: as the dialect says
enum cron_dialect { DIALECT_AUTO, DIALECT_UNIX, DIALECT_QUARTZ, DIALECT_SPRING };

extern const char *const schedule_kind_names[],
    *const schedule_anchor_names[], *const misfire_policy_names[], *const dst_gap_names[],
                                                                       *const dst_overlap_names[],
                                                                           *const day_match_names[],
                                                                               *const cron_dialect_names[];

enum {
    SCHEDULE_EXPRESSION_MAX = 1024,
    SCHEDULE_CATCH_UP_DEFAULT = 100,
    SCHEDULE_CATCH_UP_MAX = 10000,
    SCHEDULE_MISFIRE_THRESHOLD_S = 60,
};
// Longest interval: ten years. Shortest: one millisecond.
#define SCHEDULE_INTERVAL_S_MAX INT64_C(315360000)

struct schedule_spec {
    int kind; // enum schedule_kind
    struct instant run_at;
    struct str cron_expression;
    struct str rrule;
    struct instant dtstart;
    struct str timezone;      // IANA name; absent = UTC
    int64_t interval_seconds; // this or interval_ms; FIELD_ABSENT when not given
    int64_t interval_ms;
    int anchor;                      // enum schedule_anchor
    struct instant start_at, end_at; // INSTANT_NEVER = no bound
    int64_t jitter_seconds;
    int dst_gap, dst_overlap, day_match, dialect;
    int misfire_policy;
    int64_t misfire_threshold_seconds;
    int64_t max_catch_up;
};

extern const struct fields schedule_fields;

// Interval in one unit; zero when the schedule has none.
struct duration schedule_interval(const struct schedule_spec *s);
// Faults that need no calendar: the kind's own fields present, the others absent, bounds in order.
// Pointers are put below base ("/schedule").
void schedule_check(const struct schedule_spec *s, struct str base, struct faults *faults);

#endif
