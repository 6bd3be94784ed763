// SPDX-License-Identifier: Apache-2.0
// The identifier that a request, its log lines and its records share.
#ifndef API_TRACE_H
#define API_TRACE_H

#include "api/call.h"

// Fills c->trace_id: the caller's own trace (W3C traceparent), its X-Request-Id, or a new random one.
void call_trace(struct call *c);

#endif
