// SPDX-License-Identifier: Apache-2.0
// Dead letters over REST.
#include "app/dlq.h"

#include "api/handlers.h"

#define T struct resolve_request
static const struct field resolve_rows[] = {
    FIELD_STR(T, reason, "reason", .flags = FIELD_REQUIRED, .min = 1, .max = DLQ_RESOLUTION_MAX,
              .doc = "Why nothing is left to do."),
};
#undef T
const struct fields resolve_request_fields =
    FIELDS("Resolve", struct resolve_request, resolve_rows, .doc = "Closes a dead letter without running it.");

bool api_dlq_list(struct call *c, struct err *err)
{
    struct page p;
    bool given = query_str(c, "resolved").p != NULL;
    struct dlq_filter f = {.job_id = query_id(c, "jobId"), .resolved = -1};
    if (given)
        f.resolved = query_bool(c, "resolved", false);
    query_page(c, &dead_letter_fields, &p);
    struct dead_letter *v;
    size_t n = 0;
    struct page_result r = {0};
    if (!call_faulty(c, err) || !app_dlq_list(c->app, &c->caller, &f, &p, &v, &n, &r, c->a, err))
        return false;
    list_begin(c);
    for (size_t i = 0; i < n; i++) {
        list_next(c, i);
        call_one(c, &dead_letter_fields, &v[i]);
    }
    list_end(c, &p, &r);
    return true;
}

bool api_dlq_get(struct call *c, struct err *err)
{
    struct ulid id;
    struct dead_letter d;
    if (!call_id(c, 0, &id, err) || !app_dlq_get(c->app, &c->caller, id, &d, c->a, err))
        return false;
    call_one(c, &dead_letter_fields, &d);
    return true;
}

bool api_dlq_replay(struct call *c, struct err *err)
{
    struct ulid id;
    struct run r;
    if (!call_id(c, 0, &id, err) || !app_dlq_replay(c->app, &c->caller, id, &r, c->a, err))
        return false;
    run_write(c, &r);
    return true;
}

bool api_dlq_resolve(struct call *c, struct err *err)
{
    struct ulid id;
    struct resolve_request body;
    struct dead_letter d;
    if (!call_id(c, 0, &id, err) || !call_decode(c, &body, err) ||
        !app_dlq_resolve(c->app, &c->caller, id, body.reason, &d, c->a, err))
        return false;
    call_one(c, &dead_letter_fields, &d);
    return true;
}

bool api_dlq_replay_all(struct call *c, struct err *err)
{
    struct ulid job_id = query_id(c, "jobId");
    struct replay_all done;
    if (!call_faulty(c, err) || !app_dlq_replay_all(c->app, &c->caller, job_id, &done, c->a, err))
        return false;
    call_one(c, &replay_all_fields, &done);
    return true;
}
