// SPDX-License-Identifier: Apache-2.0
// Server-Sent Events, as they come (WHATWG HTML §9.2.6): bytes in, whole events out. Pure; bounded.
#ifndef CLI_SSE_H
#define CLI_SSE_H

#include "base/sbuf.h"

enum { SSE_EVENT_MAX = 1 << 20, SSE_WORD_MAX = 128 };

struct sse {
    struct sbuf line, data; // on the heap
    char event[SSE_WORD_MAX];
    char id[SSE_WORD_MAX];      // newest id seen, also of an event that is not complete
    char last_id[SSE_WORD_MAX]; // of the newest complete event; for Last-Event-ID
    bool after_cr;              // a line feed now belongs to the carriage return before it
};

void sse_init(struct sse *s);
void sse_release(struct sse *s);
// Forgets an unfinished event, keeps last_id: for a new connection.
void sse_restart(struct sse *s);
// Hands every event completed by the chunk to on_event (event: "message" unless named); stops when it answers false.
// An event over SSE_EVENT_MAX is cut. Returns false when on_event did.
bool sse_feed(struct sse *s, struct str chunk,
              bool (*on_event)(void *ctx, const char *event, struct str data), void *ctx);

#endif
