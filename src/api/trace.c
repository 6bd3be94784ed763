// SPDX-License-Identifier: Apache-2.0
// The identifier that a request, its log lines and its records share.
#include "api/trace.h"

#include "base/rng.h"
#include "model/trace.h"

static bool trace_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
}

void call_trace(struct call *c)
{
    struct trace t;
    if (trace_parse(httpd_header(c->req, "traceparent"), &t)) {
        trace_hex(t.trace, TRACE_BYTES, c->trace_id);
        return;
    }
    struct str given = httpd_header(c->req, "x-request-id");
    bool good = given.n > 0 && given.n < TRACE_ID_MAX;
    for (size_t i = 0; good && i < given.n; i++)
        good = trace_char(given.p[i]);
    if (good) {
        memcpy(c->trace_id, given.p, given.n);
        return;
    }
    static _Thread_local struct rng rng;
    static _Thread_local bool seeded;
    if (!seeded) {
        rng_init_random(&rng);
        seeded = true;
    }
    (void)snprintf(c->trace_id, sizeof c->trace_id, "%016llx%016llx", (unsigned long long)rng_u64(&rng),
                   (unsigned long long)rng_u64(&rng));
}

void call_trace_parent(struct call *c)
{
    char text[TRACE_TEXT_MAX];
    struct trace t;
    struct str state = httpd_header(c->req, "tracestate");
    if (!trace_parse(httpd_header(c->req, "traceparent"), &t))
        return;
    trace_format(&t, text); // in our own version, without what a later one may have behind it
    c->caller.trace_parent = arena_str(c->a, str_of(text));
    c->caller.trace_state = trace_state_ok(state) ? state : STR_NONE;
}
