// SPDX-License-Identifier: Apache-2.0
// Words and field table of schedules, and the rules that need no calendar.
#include "model/schedule.h"

const char *const schedule_kind_names[] = {"ONCE", "CRON", "INTERVAL", "RRULE", "MANUAL", NULL};
const char *const schedule_anchor_names[] = {"START", "END", NULL};
const char *const misfire_policy_names[] = {"FIRE_NOW", "FIRE_ALL", "RESCHEDULE", "IGNORE", NULL};
const char *const dst_gap_names[] = {"RUN", "SKIP", "SHIFT", NULL};
const char *const dst_overlap_names[] = {"AUTO", "FIRST", "BOTH", NULL};
const char *const day_match_names[] = {"AUTO", "OR", "AND", NULL};
const char *const cron_dialect_names[] = {"auto", "unix", "quartz", "spring", NULL};

enum { JITTER_S_MAX = 86400, ZONE_NAME_MAX = 64, THRESHOLD_S_MAX = 30 * 86400 };

#define T struct schedule_spec
static const struct field rows[] = {
    FIELD_ENUM(T, kind, "scheduleType", schedule_kind_names, .flags = FIELD_REQUIRED,
               .doc = "What kind of schedule this is; decides which other fields apply."),
    FIELD_INSTANT(T, run_at, "runAt", .doc = "ONCE: the instant to run at."),
    FIELD_STR(T, cron_expression, "cronExpression", FIELD_ALIASES("cron"), .min = 1,
              .max = SCHEDULE_EXPRESSION_MAX,
              .doc = "CRON: 5 (minutes first), 6 (seconds first) or 7 (year last) fields, or a macro such as @daily."),
    FIELD_STR(T, rrule, "rrule", .min = 1, .max = SCHEDULE_EXPRESSION_MAX,
              .doc = "RRULE: a recurrence rule of RFC 5545."),
    FIELD_INSTANT(T, dtstart, "dtstart", .doc = "RRULE: start of the recurrence."),
    FIELD_STR(T, timezone, "timezone", .min = 1, .max = ZONE_NAME_MAX,
              .doc = "IANA zone in which wall times are meant; UTC when absent."),
    FIELD_I64(T, interval_seconds, "intervalSeconds", .min = 1, .max = SCHEDULE_INTERVAL_S_MAX,
              .doc = "INTERVAL: elapsed seconds between runs."),
    FIELD_I64(T, interval_ms, "intervalMs", .min = 1, .max = SCHEDULE_INTERVAL_S_MAX * 1000,
              .doc = "INTERVAL: elapsed milliseconds between runs; instead of intervalSeconds."),
    FIELD_ENUM(T, anchor, "anchor", schedule_anchor_names, FIELD_DEFAULT(ANCHOR_START),
               .doc = "INTERVAL: START keeps a fixed grid, END waits after the end of each run."),
    FIELD_INSTANT(T, start_at, "startAt", .doc = "No run before this instant."),
    FIELD_INSTANT(T, end_at, "endAt", .doc = "No run at or after this instant."),
    FIELD_I64(T, jitter_seconds, "jitterSeconds", .max = JITTER_S_MAX, FIELD_DEFAULT(0),
              .doc = "Delays each occurrence by a stable amount below this, never past the next one."),
    FIELD_ENUM(T, dst_gap, "dstGap", dst_gap_names, FIELD_DEFAULT(DST_GAP_RUN),
               .doc = "What to do with wall times that a clock change leaves out."),
    FIELD_ENUM(T, dst_overlap, "dstOverlap", dst_overlap_names, FIELD_DEFAULT(DST_OVERLAP_AUTO),
               .doc = "What to do with wall times that a clock change repeats."),
    FIELD_ENUM(T, day_match, "dayMatch", day_match_names, FIELD_DEFAULT(DAY_MATCH_AUTO),
               .doc = "Whether a day must match one (OR) or both (AND) day fields of a cron expression."),
    FIELD_ENUM(T, dialect, "dialect", cron_dialect_names, FIELD_DEFAULT(DIALECT_AUTO),
               .doc = "Numbering of weekdays and day rule of a cron expression; by field count when auto."),
    FIELD_ENUM(T, misfire_policy, "misfirePolicy", misfire_policy_names, FIELD_DEFAULT(MISFIRE_FIRE_NOW),
               .doc = "What to do with occurrences that could not run in time."),
    FIELD_I64(T, misfire_threshold_seconds, "misfireThresholdSeconds", .max = THRESHOLD_S_MAX,
              FIELD_DEFAULT(SCHEDULE_MISFIRE_THRESHOLD_S),
              .doc = "How late an occurrence may start before it counts as misfired."),
    FIELD_I64(T, max_catch_up, "maxCatchUp", .min = 1, .max = SCHEDULE_CATCH_UP_MAX,
              FIELD_DEFAULT(SCHEDULE_CATCH_UP_DEFAULT), .doc = "FIRE_ALL: most missed occurrences to run."),
};
#undef T
const struct fields schedule_fields = FIELDS("Schedule", struct schedule_spec, rows,
                                             .doc = "When a job is to run.");

struct duration schedule_interval(const struct schedule_spec *s)
{
    if (s->kind != SCHEDULE_INTERVAL)
        return (struct duration){0};
    if (s->interval_ms != FIELD_ABSENT)
        return duration_ms(s->interval_ms);
    return s->interval_seconds != FIELD_ABSENT ? duration_s(s->interval_seconds) : (struct duration){0};
}

static void fault(struct faults *f, struct str base, const char *field, const char *detail)
{
    struct str at = arena_fmt(f->a, "%.*s/%s", STR_ARG(base), field);
    faults_add(f, at, "%s", detail);
}

// One optional field of one kind: present exactly when its kind is chosen.
static void check_owned(struct faults *f, struct str base, const char *field, bool present, bool wanted,
                        bool required, const char *kind)
{
    if (present && !wanted)
        faults_add(f, arena_fmt(f->a, "%.*s/%s", STR_ARG(base), field),
                   "belongs to scheduleType %s only; remove it or change scheduleType", kind);
    if (!present && wanted && required)
        faults_add(f, arena_fmt(f->a, "%.*s/%s", STR_ARG(base), field), "is required for scheduleType %s", kind);
}

void schedule_check(const struct schedule_spec *s, struct str base, struct faults *f)
{
    bool seconds = s->interval_seconds != FIELD_ABSENT;
    bool ms = s->interval_ms != FIELD_ABSENT;
    bool interval = s->kind == SCHEDULE_INTERVAL;
    check_owned(f, base, "runAt", !instant_is_never(s->run_at), s->kind == SCHEDULE_ONCE, true, "ONCE");
    check_owned(f, base, "cronExpression", s->cron_expression.p != NULL, s->kind == SCHEDULE_CRON, true, "CRON");
    check_owned(f, base, "rrule", s->rrule.p != NULL, s->kind == SCHEDULE_RRULE, true, "RRULE");
    check_owned(f, base, "dtstart", !instant_is_never(s->dtstart), s->kind == SCHEDULE_RRULE, true, "RRULE");
    check_owned(f, base, "intervalSeconds", seconds, interval, !ms, "INTERVAL");
    check_owned(f, base, "intervalMs", ms, interval, false, "INTERVAL");
    if (interval && seconds && ms)
        fault(f, base, "intervalMs", "give intervalSeconds or intervalMs, not both");
    if (s->anchor == ANCHOR_END && !interval)
        fault(f, base, "anchor", "END is for scheduleType INTERVAL only");
    if (s->kind == SCHEDULE_RRULE)
        fault(f, base, "scheduleType", "RRULE schedules are not available yet; use CRON or INTERVAL");
    if (!instant_is_never(s->start_at) && !instant_is_never(s->end_at) && s->end_at.us <= s->start_at.us)
        fault(f, base, "endAt", "must be after startAt");
}
