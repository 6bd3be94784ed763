// SPDX-License-Identifier: Apache-2.0
// Names of targets, and what results say about them.
#include "jobs/target.h"

#include <ctype.h>

struct str target_clean(struct str target, struct arena *a)
{
    size_t host = target.n > 0 ? str_find(target, '/') : 0; // behind "scheme://"
    host = host + 1 < target.n ? host + 2 : 0;
    struct str rest = {target.p + host, target.n - host};
    for (size_t at; (at = str_find(rest, '@')) < rest.n;)
        rest = (struct str){rest.p + at + 1, rest.n - at - 1};
    char *p = arena_alloc(a, host + rest.n + 1);
    if (!p || host + rest.n > BREAKER_TARGET_MAX)
        return STR_NONE;
    memcpy(p, target.p, host);
    memcpy(p + host, rest.p, rest.n);
    for (size_t i = 0; i < host + rest.n; i++)
        p[i] = (char)tolower((unsigned char)p[i]);
    return (struct str){p, host + rest.n};
}

enum breaker_verdict target_verdict(const struct attempt_result *r, bool down)
{
    // Those where the target has answered, although not as the job wanted it.
    static const char *const answers[] = {"HTTP_ERROR",     "HTTP_1XX",        "HTTP_2XX",    "HTTP_3XX",
                                          "HTTP_4XX",       "UNEXPECTED_BODY", "KAFKA_ERROR", "BROKER_ERROR",
                                          "DATABASE_ERROR", "CACHE_ERROR",     "EMAIL_ERROR"};
    if (r->status == RUN_SUCCEEDED)
        return VERDICT_ANSWER;
    if (r->status == RUN_CANCELLED)
        return VERDICT_NONE;
    if (down || str_is(r->error_class, "CONNECTION_ERROR"))
        return VERDICT_DOWN;
    if (r->status == RUN_TIMED_OUT || str_is(r->error_class, "HTTP_5XX"))
        return VERDICT_FAULT;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        if (str_is(r->error_class, answers[i]))
            return VERDICT_ANSWER;
    return VERDICT_NONE;
}
