// SPDX-License-Identifier: Apache-2.0
// W3C trace context of runs. The trace of an occurrence is its run key, or the one of the request or run that started
// it; the span of an attempt follows from its run id. What a run was told by others stands in its inputs, so that
// retries, other nodes and replays know it too: "traceparent" and "tracestate" beside the parameters, or "traceparent"
// in the "cause" of a chain.
#ifndef MODEL_TRACE_H
#define MODEL_TRACE_H

#include "model/run.h"

enum { TRACE_BYTES = 16, SPAN_BYTES = 8, TRACE_TEXT_MAX = 56, TRACE_STATE_MAX = 512 };

struct trace {
    uint8_t trace[TRACE_BYTES], span[SPAN_BYTES];
    bool sampled;
};
// The header "traceparent"; false: not as the standard says, and to be ignored.
bool trace_parse(struct str header, struct trace *ret);
// Whether the header "tracestate" may be passed on.
bool trace_state_ok(struct str header);
void trace_format(const struct trace *t, char buf[static TRACE_TEXT_MAX]);
void trace_hex(const uint8_t *bytes, size_t n, char *ret); // 2n digits and a NUL

struct run_trace {
    struct trace own;         // of this attempt; sampled as the parent says, true without one
    bool has_parent;
    uint8_t parent[SPAN_BYTES];
    struct str state;         // in the arena; absent: none
};
void trace_of_run(struct str inputs, struct ulid run_key, struct ulid run_id, struct run_trace *ret, struct arena *a);
// Inputs of a run that a request with these headers starts; absent parent: what older inputs say of traces goes.
struct str trace_inputs(struct str inputs, struct str parent, struct str state, struct arena *a);

#endif
