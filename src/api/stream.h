// SPDX-License-Identifier: Apache-2.0
// Server-sent events (WHATWG HTML §9.2): one event text, escaped.
#ifndef API_STREAM_H
#define API_STREAM_H

#include "base/sbuf.h"

// "id: …" (left out when 0), "event: …" (left out when NULL), one "data: " line. data must hold no line break, which
// JSON text never does.
void event_write(struct sbuf *out, int64_t id, const char *event, struct str data);

#endif
