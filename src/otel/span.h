// SPDX-License-Identifier: Apache-2.0
// A span for each attempt, and a batch of them as OTLP JSON (opentelemetry-proto 1.x, ExportTraceServiceRequest).
#ifndef OTEL_SPAN_H
#define OTEL_SPAN_H

#include "jobs/job_type.h"
#include "model/trace.h"

enum { SPAN_NAME_MAX = 256, SPAN_MESSAGE_MAX = 256, SPAN_CLASS_MAX = 64, SPAN_STATE_TEXT_MAX = TRACE_STATE_MAX + 1 };

// Everything copied, so that it outlives the attempt; texts are cut between characters.
struct span {
    struct trace own;
    bool has_parent;
    uint8_t parent[SPAN_BYTES];
    struct ulid run, job, run_key;
    int64_t attempt, exit_code; // exit_code FIELD_ABSENT: none
    int status, trigger;        // enum run_status, run_trigger
    struct instant scheduled, start, end;
    const char *type;           // of a constant; NULL: the job could not be loaded
    char name[SPAN_NAME_MAX], error_class[SPAN_CLASS_MAX], error_message[SPAN_MESSAGE_MAX];
    char state[SPAN_STATE_TEXT_MAX];
};

struct span_resource {
    struct str version, node, store;
};

void span_of(struct attempt *a, const struct run_trace *t, struct span *ret);
void spans_write(const struct span_resource *r, const struct span *v, size_t n, struct sbuf *out);

#endif
