// SPDX-License-Identifier: Apache-2.0
// Dead letters over REST.
#include "app/dlq.h"
#include "app/run.h"

#include "api/handlers.h"

#define T struct resolve_request
static const struct field resolve_rows[] = {
    FIELD_STR(T, reason, "reason", .flags = FIELD_REQUIRED, .min = 1, .max = DLQ_RESOLUTION_MAX,
              .doc = "Why nothing is left to do."),
};
#undef T
const struct fields resolve_request_fields =
    FIELDS("Resolve", struct resolve_request, resolve_rows, .doc = "Closes a dead letter without running it.");

#define T struct dlq_replay
static const struct field replay_rows[] = {
    FIELD_ENUM(T, version, "version", replay_version_names, FIELD_DEFAULT(REPLAY_RECORDED),
               .doc = "The job as it was when it failed, or as it is now."),
    FIELD_JSON(T, parameters, "parameters", FIELD_IS_OBJECT, .max = RUN_INPUTS_MAX,
               .doc = "Object of values for {{param.NAME}}, instead of the recorded ones."),
    FIELD_JSON(T, payload, "payload", FIELD_IS_OBJECT, .max = JOB_PAYLOAD_MAX,
               .doc = "Members of the payload to change for this run (JSON Merge Patch, RFC 7396)."),
};
#undef T
const struct fields dlq_replay_fields =
    FIELDS("Replay", struct dlq_replay, replay_rows, .doc = "How a dead letter is to run again.");

#define T struct replay_filter
static const struct field replay_all_rows[] = {
    FIELD_ID(T, job_id, "jobId", .doc = "Dead letters of this job only."),
    FIELD_STR(T, error_class, "errorClass", .max = DLQ_CLASS_MAX, .doc = "Those that failed with this class only."),
    FIELD_INSTANT(T, before, "before", .doc = "Those created before this instant only."),
    FIELD_I64(T, limit, "limit", .min = 1, .max = REPLAY_ALL_MAX, FIELD_DEFAULT(REPLAY_ALL_MAX),
              .doc = "At most so many, oldest first."),
    FIELD_I64(T, expect, "expect", .min = 0, .max = INT64_MAX,
              .doc = "How many there should be; another number is answered by 409, and nothing is replayed."),
    FIELD_ENUM(T, version, "version", replay_version_names, FIELD_DEFAULT(REPLAY_RECORDED),
               .doc = "The jobs as they were when they failed, or as they are now."),
};
#undef T
const struct fields replay_filter_fields =
    FIELDS("ReplayFilter", struct replay_filter, replay_all_rows, .doc = "Which dead letters are to run again.");

bool api_dlq_list(struct call *c, struct err *err)
{
    struct page p;
    bool given = query_str(c, "resolved").p != NULL;
    struct dlq_filter f = {.job_id = query_id(c, "jobId"), .error_class = query_str(c, "errorClass"), .resolved = -1};
    struct instant to = query_instant(c, "to");
    if (!instant_is_never(to))
        f.before = to;
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
    struct dlq_replay how;
    if (!call_id(c, 0, &id, err) || !call_decode(c, &how, err))
        return false;
    how.faults = &c->faults;
    if (!app_dlq_replay(c->app, &c->caller, id, &how, &r, c->a, err))
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
    struct replay_filter f;
    struct replay_all done;
    if (!call_decode(c, &f, err))
        return false;
    struct ulid job_id = query_id(c, "jobId");
    if (!ulid_is_zero(job_id))
        f.job_id = job_id;
    if (!call_faulty(c, err) || !app_dlq_replay_all(c->app, &c->caller, &f, &done, c->a, err))
        return false;
    call_one(c, &replay_all_fields, &done);
    return true;
}
