// SPDX-License-Identifier: Apache-2.0
// Order statistics over a few hundred numbers: sorting them is all that is needed.
#include "app/job_stats.h"

#include <math.h>
#include <stdlib.h>

#include "app/job.h"

enum { MEDIAN = 50, P95 = 95, HUNDRED = 100, WORDS_MAX = 8, FAILING_RUNS = 3 };
static const double slowing = 1.5; // newer over older half

#define ANSWER .flags = FIELD_READ_ONLY
#define MAYBE  .flags = FIELD_READ_ONLY | FIELD_NULLABLE
#define T      struct job_stats
static const struct field rows[] = {
    FIELD_ID(T, job_id, "jobId", ANSWER, .doc = "Job."),
    FIELD_I64(T, runs, "runs", ANSWER, .max = INT64_MAX,
              .doc = "How many of the newest runs were looked at."),
    FIELD_INSTANT(T, since, "since", MAYBE, .doc = "Scheduled time of the oldest of them."),
    FIELD_I64(T, succeeded, "succeeded", ANSWER, .max = INT64_MAX, .doc = "Attempts that succeeded."),
    FIELD_I64(T, failed, "failed", ANSWER, .max = INT64_MAX,
              .doc = "Attempts that failed, timed out or were lost."),
    FIELD_I64(T, cancelled, "cancelled", ANSWER, .max = INT64_MAX, .doc = "Attempts that were cancelled."),
    FIELD_I64(T, skipped, "skipped", ANSWER, .max = INT64_MAX,
              .doc = "Occurrences skipped by the overlap rule."),
    FIELD_I64(T, missed, "missed", ANSWER, .max = INT64_MAX, .doc = "Occurrences for which it was too late."),
    FIELD_F64(T, success_rate, "successRate", MAYBE,
              .doc = "Share of successes among attempts that ended, 0 to 1."),
    FIELD_I64(T, duration_p50_ms, "durationP50Ms", MAYBE, .doc = "Median time from start to end."),
    FIELD_I64(T, duration_p95_ms, "durationP95Ms", MAYBE,
              .doc = "Time that 95 % of the attempts stay within."),
    FIELD_I64(T, duration_max_ms, "durationMaxMs", MAYBE, .doc = "Longest."),
    FIELD_I64(T, duration_last_ms, "durationLastMs", MAYBE, .doc = "Of the newest attempt that ended."),
    FIELD_I64(T, delay_p50_ms, "startDelayP50Ms", MAYBE, .doc = "Median time from due to start."),
    FIELD_I64(T, delay_p95_ms, "startDelayP95Ms", MAYBE,
              .doc = "Time from due to start that 95 % stay within."),
    FIELD_I64(T, delay_last_ms, "startDelayLastMs", MAYBE, .doc = "Of the newest attempt that started."),
    FIELD_F64(T, duration_trend, "durationTrend", MAYBE,
              .doc = "Median duration of the newer half over that of the older half; 1: as before."),
    FIELD_I64(T, expected_interval_ms, "expectedIntervalMs", MAYBE,
              .doc = "Median time between occurrences."),
    FIELD_I64(T, actual_interval_ms, "actualIntervalMs", MAYBE, .doc = "Median time between their starts."),
    FIELD_I64(T, cadence_drift_ms, "cadenceDriftMs", MAYBE,
              .doc = "By how much the two differ from one run to the next, for 95 % of them at most."),
    FIELD_INSTANT(T, next_fire, "nextFireTime", MAYBE, .doc = "Oldest occurrence that is not decided."),
    FIELD_I64(T, overdue_ms, "overdueMs", ANSWER, .max = INT64_MAX, .doc = "For how long it is due already."),
    FIELD_I64(T, failures_in_a_row, "failuresInARow", ANSWER, .max = INT64_MAX,
              .doc = "Attempts that failed since the last success."),
    FIELD_STRS(T, drift, "drift", ANSWER,
               .doc = "SLOW (the last run took more than twice the p95 of those before), SLOWING (durations "
                      "grow), LATE "
                      "(it started later than usual), OFF_BEAT (starts do not keep the rhythm), OVERDUE, "
                      "NEVER_STARTED, "
                      "FAILING (three or more in a row)."),
};
#undef T
const struct fields job_stats_fields =
    FIELDS("JobStats", struct job_stats, rows, .doc = "How a job fares, from its newest runs.");

// ---- numbers -----------------------------------------------------------------------------------

struct series {
    int64_t v[JOB_STATS_RUNS_MAX]; // newest first
    size_t n;
};

static void put(struct series *s, int64_t v)
{
    if (s->n < JOB_STATS_RUNS_MAX)
        s->v[s->n++] = v;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

// Nearest rank of those from `from` on; FIELD_ABSENT without any.
static int64_t percentile(const struct series *s, size_t from, size_t to, size_t percent)
{
    int64_t sorted[JOB_STATS_RUNS_MAX];
    size_t n = to > from ? to - from : 0;
    if (n == 0)
        return FIELD_ABSENT;
    memcpy(sorted, s->v + from, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_value);
    size_t rank = (percent * n + HUNDRED - 1) / HUNDRED;
    return sorted[rank > 0 ? rank - 1 : 0];
}

static double trend(const struct series *s)
{
    if (s->n < 2 * JOB_STATS_LEAST)
        return NAN;
    int64_t newer = percentile(s, 0, s->n / 2, MEDIAN), older = percentile(s, s->n / 2, s->n, MEDIAN);
    return (double)(newer + 1) /
           (double)(older + 1); // a millisecond more, so that nothing is divided by none
}

// ---- runs --------------------------------------------------------------------------------------

struct gathered {
    struct series durations, delays, expected, actual, beats;
};

static void count(const struct run *r, struct job_stats *s, bool *streak)
{
    bool failed = run_status_failed(r->status);
    s->succeeded += r->status == RUN_SUCCEEDED;
    s->failed += failed;
    s->cancelled += r->status == RUN_CANCELLED;
    s->skipped += r->status == RUN_SKIPPED ? r->occurrences : 0;
    s->missed += r->status == RUN_MISSED ? r->occurrences : 0;
    *streak = *streak && r->status != RUN_SUCCEEDED;
    s->failures_in_a_row += *streak && failed;
}

static bool keeps_time(const struct run *r)
{
    return r->attempt == 1 && r->trigger == TRIGGER_SCHEDULE && !instant_is_never(r->start);
}

static void gather(const struct run *v, size_t n, struct job_stats *s, struct gathered *g)
{
    const struct run *later = NULL;
    bool streak = true;
    for (size_t i = 0; i < n; i++) {
        struct run r = v[i];
        run_derive(&r);
        count(&r, s, &streak);
        if (r.duration_ms != FIELD_ABSENT && (r.status == RUN_SUCCEEDED || run_status_failed(r.status)))
            put(&g->durations, r.duration_ms);
        if (r.start_delay_ms != FIELD_ABSENT)
            put(&g->delays, r.start_delay_ms);
        if (!keeps_time(&v[i]))
            continue;
        if (later) {
            int64_t expected = instant_since(later->scheduled, v[i].scheduled).us / US_PER_MS;
            int64_t actual = instant_since(later->start, v[i].start).us / US_PER_MS;
            put(&g->expected, expected);
            put(&g->actual, actual);
            put(&g->beats, llabs(actual - expected));
        }
        later = &v[i];
    }
}

static void say(struct job_stats *s, bool so, const char *word)
{
    if (so && s->drift.v && s->drift.n < WORDS_MAX)
        s->drift.v[s->drift.n++] = str_of(word);
}

// The newest against those before it.
static bool stands_out(const struct series *s, int64_t margin)
{
    if (s->n <= JOB_STATS_LEAST)
        return false;
    int64_t usual = percentile(s, 1, s->n, P95);
    return s->v[0] > JOB_STATS_SLOWER * usual && s->v[0] > usual + margin;
}

static void judge(const struct job *j, const struct gathered *g, struct job_stats *s, struct arena *a)
{
    bool beats = g->beats.n >= JOB_STATS_LEAST;
    s->drift.v = arena_new_array(a, struct str, WORDS_MAX);
    say(s, stands_out(&g->durations, JOB_STATS_MARGIN_MS), "SLOW");
    say(s, s->duration_trend > slowing && s->duration_p50_ms > JOB_STATS_MARGIN_MS, "SLOWING");
    say(s, stands_out(&g->delays, JOB_STATS_LATE_MS), "LATE");
    say(s,
        beats && s->cadence_drift_ms > JOB_STATS_LATE_MS && s->cadence_drift_ms > s->expected_interval_ms / 2,
        "OFF_BEAT");
    bool overdue = s->overdue_ms > JOB_STATS_OVERDUE_S * INT64_C(1000);
    say(s, overdue, "OVERDUE");
    say(s, overdue && s->runs == 0 && j->run_count == 0, "NEVER_STARTED");
    say(s, s->failures_in_a_row >= FAILING_RUNS, "FAILING");
}

void job_stats_of(const struct job *j, const struct run *v, size_t n, struct instant now,
                  struct job_stats *ret, struct arena *a)
{
    struct gathered g = {0};
    struct job_stats s = {.job_id = j->id,
                          .runs = (int64_t)n,
                          .since = n > 0 ? v[n - 1].scheduled : INSTANT_NEVER,
                          .next_fire = j->next_fire_time};
    gather(v, n, &s, &g);
    int64_t ended = s.succeeded + s.failed;
    s.success_rate = ended > 0 ? (double)s.succeeded / (double)ended : NAN;
    s.duration_p50_ms = percentile(&g.durations, 0, g.durations.n, MEDIAN);
    s.duration_p95_ms = percentile(&g.durations, 0, g.durations.n, P95);
    s.duration_max_ms = percentile(&g.durations, 0, g.durations.n, HUNDRED);
    s.duration_last_ms = g.durations.n > 0 ? g.durations.v[0] : FIELD_ABSENT;
    s.delay_p50_ms = percentile(&g.delays, 0, g.delays.n, MEDIAN);
    s.delay_p95_ms = percentile(&g.delays, 0, g.delays.n, P95);
    s.delay_last_ms = g.delays.n > 0 ? g.delays.v[0] : FIELD_ABSENT;
    s.duration_trend = trend(&g.durations);
    s.expected_interval_ms = percentile(&g.expected, 0, g.expected.n, MEDIAN);
    s.actual_interval_ms = percentile(&g.actual, 0, g.actual.n, MEDIAN);
    s.cadence_drift_ms = percentile(&g.beats, 0, g.beats.n, P95);
    bool waits =
        !instant_is_never(s.next_fire) && j->enabled && j->status != JOB_PAUSED && j->status != JOB_CANCELLED;
    if (waits && now.us > s.next_fire.us)
        s.overdue_ms = instant_since(now, s.next_fire).us / US_PER_MS;
    judge(j, &g, &s, a);
    *ret = s;
}

bool app_job_stats(struct app *app, const struct caller *c, struct ulid id, int64_t last,
                   struct job_stats *ret, struct arena *a, struct err *err)
{
    enum reach reach;
    struct job j;
    struct run *v;
    size_t n = 0;
    struct run_filter f = {.job_id = id, .status = -1};
    struct page p = {.size = last < JOB_STATS_RUNS_MAX ? last : JOB_STATS_RUNS_MAX};
    struct page_result r = {0};
    if (!app_authorize(c, ACTION_RUN_READ, &reach, err) ||
        !app_job_get(app, c, ACTION_JOB_READ, id, &j, a, err) ||
        !app->store->ops->runs_list(app->store, &f, &p, &v, &n, &r, a, err))
        return false;
    job_stats_of(&j, v, n, clock_now(app->clock), ret, a);
    return true;
}
