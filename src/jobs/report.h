// SPDX-License-Identifier: Apache-2.0
// What a built-in report asks the layers above, and how it takes the answer: rows as they come, none kept.
#ifndef JOBS_REPORT_H
#define JOBS_REPORT_H

#include "model/dlq.h"
#include "model/job.h"
#include "model/run.h"

enum report_subject { REPORT_RUNS, REPORT_JOBS, REPORT_DEAD_LETTERS };

struct report_query {
    int subject;
    // Runs scheduled, and dead letters made, from ≤ t < to. All jobs there are, whatever these say.
    struct instant from, to;
    struct ulid job_id; // zero: of all jobs that the owner may see
};

// One of them is called for every row, newest first; what it is given lives until it returns. False with an error, or
// `stop` true, ends the answer early.
struct report_sink {
    void *ctx;
    bool (*run)(void *ctx, const struct run *r, struct err *err);
    bool (*job)(void *ctx, const struct job *j, struct err *err);
    bool (*dead)(void *ctx, const struct dead_letter *d, struct err *err);
    bool (*stop)(void *ctx); // asked once a page; then ERR_TIMEOUT
};

#endif
