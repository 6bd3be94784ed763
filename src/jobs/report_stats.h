// SPDX-License-Identifier: Apache-2.0
// Figures of runs: per job and over time, in memory that depends on the number of jobs, not of runs.
#ifndef JOBS_REPORT_STATS_H
#define JOBS_REPORT_STATS_H

#include "base/map.h"
#include "base/mem.h"
#include "model/job.h"
#include "model/run.h"

enum {
    STATS_JOBS_MAX = 10000, // runs of further jobs count in the totals only
    STATS_BUCKETS = 448,    // of a histogram: exact below 16, then within 1/16
    STATS_SLOTS_MAX = 400,  // of the time line
    JOB_NAME_BYTES_MAX = 4 * JOB_NAME_MAX + 1,
};

struct histogram {
    uint32_t v[STATS_BUCKETS];
    int64_t n, most;
};
void histogram_add(struct histogram *h, int64_t value); // negative ones count as 0
// Smallest bound that a share (0 to 1) of the values does not exceed; 0 without values.
int64_t histogram_at(const struct histogram *h, double share);

struct job_stats {
    struct ulid job_id;
    char name[JOB_NAME_BYTES_MAX];
    int64_t by_status[RUN_MISSED + 1];
    int64_t duration_ms; // sum over ended attempts that ran
    int64_t durations;
    struct instant last;
    struct histogram delay, duration; // ms
};

struct stats {
    struct map by_job;
    struct job_stats all;
    struct job_stats **v; // in the order they came
    size_t n, cap;
    int64_t left_out; // runs of jobs past STATS_JOBS_MAX
    struct instant from;
    struct duration slot;
    size_t slots;
    int64_t good[STATS_SLOTS_MAX], bad[STATS_SLOTS_MAX];
};

void stats_init(struct stats *s, struct instant from, struct instant to);
void stats_release(struct stats *s);
void stats_add(struct stats *s, const struct run *r);
int64_t stats_runs(const struct job_stats *j);   // that were started and have ended
int64_t stats_failed(const struct job_stats *j); // FAILED, TIMED_OUT, LOST
// Share of SUCCEEDED among succeeded and failed ones in percent; −1 without any.
double stats_success_rate(const struct job_stats *j);
// "2026-11-23" or "11-23 14:00".
void stats_slot_label(const struct stats *s, size_t i, char *buf, size_t n);

#endif
