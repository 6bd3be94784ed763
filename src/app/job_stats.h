// SPDX-License-Identifier: Apache-2.0
// How a job fares, from its newest runs: how long they take, how late they start, whether they keep their rhythm, and
// what has drifted. Worked out when asked for, from at most JOB_STATS_RUNS_MAX runs, so it is honest about a bounded
// past and costs nothing otherwise.
#ifndef APP_JOB_STATS_H
#define APP_JOB_STATS_H

#include "app/app.h"

enum {
    JOB_STATS_RUNS_DEFAULT = 100,
    JOB_STATS_RUNS_MAX = 200,
    JOB_STATS_LEAST = 10,     // attempts to compare with, below which nothing is said to be slow or late
    JOB_STATS_SLOWER = 2,     // times the p95 of those before is slow
    JOB_STATS_MARGIN_MS = 100, // and by this much more
    JOB_STATS_LATE_MS = 1000,
    JOB_STATS_OVERDUE_S = 60, // beyond its time without a decision
};

struct job_stats {
    struct ulid job_id;
    int64_t runs;              // looked at, newest first
    struct instant since;      // scheduled instant of the oldest of them; INSTANT_NEVER: there are none
    int64_t succeeded, failed, cancelled; // attempts
    int64_t skipped, missed;              // occurrences
    double success_rate;       // of the attempts that ended by themselves; NaN: none did
    int64_t duration_p50_ms, duration_p95_ms, duration_max_ms, duration_last_ms; // FIELD_ABSENT: none ended
    int64_t delay_p50_ms, delay_p95_ms, delay_last_ms;
    double duration_trend;     // median of the newer half of the runs over that of the older half; NaN: too few
    // Rhythm, of first attempts that the schedule started: between occurrences, between their starts, and the p95 of
    // how far the two differ.
    int64_t expected_interval_ms, actual_interval_ms, cadence_drift_ms;
    struct instant next_fire;
    int64_t overdue_ms;        // beyond next_fire; 0: not
    int64_t failures_in_a_row; // attempts since the last success
    struct strs drift;         // "SLOW", "SLOWING", "LATE", "OFF_BEAT", "OVERDUE", "NEVER_STARTED", "FAILING"
};
extern const struct fields job_stats_fields;

// last: how many runs, at most JOB_STATS_RUNS_MAX.
bool app_job_stats(struct app *app, const struct caller *c, struct ulid id, int64_t last, struct job_stats *ret,
                   struct arena *a, struct err *err) __attribute__((warn_unused_result));

// The figures alone, from runs as they are listed, for tests. now: for what is overdue.
void job_stats_of(const struct job *j, const struct run *v, size_t n, struct instant now, struct job_stats *ret,
                  struct arena *a);

#endif
