// SPDX-License-Identifier: Apache-2.0
// Whoever wants to know of attempts that ended, to tell a tracing system of them.
#ifndef JOBS_SPAN_SINK_H
#define JOBS_SPAN_SINK_H

#include "jobs/job_type.h"

struct span_sink {
    // The attempt's result is complete and masked. On the executor's threads; copies what it needs, never waits.
    void (*ended)(struct span_sink *s, struct attempt *a);
    // Whether a trace that begins here is told of; the same answer for one trace, always.
    bool (*samples)(struct span_sink *s, const uint8_t trace[16]);
};

#endif
