// SPDX-License-Identifier: Apache-2.0
// The identifier that a request, its log lines and its records share.
#ifndef API_TRACE_H
#define API_TRACE_H

#include "api/call.h"

// Fills c->trace_id: the caller's own trace (W3C traceparent), its X-Request-Id, or a new random one.
void call_trace(struct call *c);
// Hands the caller's trace on to the use cases; headers that are not as the standard says are ignored.
void call_trace_parent(struct call *c);

#endif
