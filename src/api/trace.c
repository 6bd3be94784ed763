// SPDX-License-Identifier: Apache-2.0
// The identifier that a request, its log lines and its records share.
#include "api/trace.h"

#include "base/rng.h"

static bool trace_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
}

void call_trace(struct call *c)
{
    enum { TRACEPARENT_LEN = 55, TRACE_AT = 3, TRACE_LEN = 32 };
    struct str given = httpd_header(c->req, "traceparent");
    if (given.n == TRACEPARENT_LEN && given.p[2] == '-' && given.p[TRACE_AT + TRACE_LEN] == '-')
        given = (struct str){given.p + TRACE_AT, TRACE_LEN};
    else
        given = httpd_header(c->req, "x-request-id");
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
