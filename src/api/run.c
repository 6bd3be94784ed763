// SPDX-License-Identifier: Apache-2.0
// Runs over REST: starting by hand, looking, cancelling, logs page by page.
#include "app/run.h"

#include "api/handlers.h"
#include "app/job.h"
#include "app/once.h"

#define T struct run_request
static const struct field run_request_rows[] = {
    FIELD_JSON(T, parameters, "parameters", FIELD_IS_OBJECT, .max = RUN_INPUTS_MAX,
               .doc = "Object of values for {{param.NAME}} in this run."),
    FIELD_INSTANT(T, run_at, "runAt", .doc = "When to start; at once when absent or past."),
};
#undef T
const struct fields run_request_fields =
    FIELDS("RunRequest", struct run_request, run_request_rows, .doc = "A start by hand.");

void run_write(struct call *c, const struct run *r) { call_one(c, &run_fields, r); }

void run_started(struct call *c, const struct run *r)
{
    char job[ULID_TEXT_MAX], run[ULID_TEXT_MAX];
    call_header(c, "Location", arena_fmt(c->a, "/api/v1/jobs/%s/runs/%s", ulid_format(r->job_id, job),
                                         ulid_format(r->id, run)));
    run_write(c, r);
}

static bool start(struct call *c, int trigger, const struct run_request *body, struct err *err)
{
    struct run_start s = {.at = body->run_at, .trigger = trigger, .inputs = body->parameters,
                          .faults = &c->faults, .id = instant_is_never(body->run_at) ? app_once_id() : ULID_ZERO};
    struct run r;
    if (!call_id(c, 0, &s.job_id, err))
        return false;
    if (s.inputs.p && (s.inputs.n == 0 || s.inputs.p[0] != '{'))
        faults_add(&c->faults, STR("/parameters"), "must be an object");
    if (!call_faulty(c, err) || !app_run_start(c->app, &c->caller, &s, &r, c->a, err))
        return false;
    run_started(c, &r);
    return true;
}

bool api_job_run_now(struct call *c, struct err *err)
{
    struct run_request body;
    return call_decode(c, &body, err) && start(c, TRIGGER_MANUAL, &body, err);
}

bool api_job_schedule(struct call *c, struct err *err)
{
    struct run_request body;
    if (!call_decode(c, &body, err))
        return false;
    struct instant at = query_instant(c, "runAt");
    if (!instant_is_never(at))
        body.run_at = at;
    if (instant_is_never(body.run_at) && !faults_any(&c->faults))
        query_fault(c, "runAt", "is required: the instant to run at, such as 2030-01-31T08:00:00Z");
    return start(c, TRIGGER_API, &body, err); // which looks at all faults
}

static struct instant range_end(struct call *c, const char *name)
{
    struct instant at = query_instant(c, name);
    return instant_is_never(at) ? (struct instant){0} : at;
}

static bool list(struct call *c, struct ulid job_id, struct err *err)
{
    struct page p;
    int trigger = query_enum(c, "trigger", run_trigger_names);
    struct run_filter f = {.job_id = job_id, .status = query_enum(c, "status", run_status_names),
                           .from = range_end(c, "from"), .to = range_end(c, "to"),
                           .triggers = trigger < 0 ? 0 : 1u << trigger, .worker = query_str(c, "workerId"),
                           .error_class = query_str(c, "errorClass")};
    query_page(c, &run_fields, &p);
    struct run *v;
    size_t n = 0;
    struct page_result r = {0};
    if (!call_faulty(c, err) || !app_runs_list(c->app, &c->caller, &f, &p, &v, &n, &r, c->a, err))
        return false;
    list_begin(c);
    for (size_t i = 0; i < n; i++) {
        list_next(c, i);
        run_write(c, &v[i]);
    }
    list_end(c, &p, &r);
    return true;
}

bool api_runs_list(struct call *c, struct err *err) { return list(c, query_id(c, "jobId"), err); }

bool api_job_runs_list(struct call *c, struct err *err)
{
    struct ulid id;
    return call_id(c, 0, &id, err) && list(c, id, err);
}

bool api_run_get(struct call *c, struct err *err)
{
    struct ulid id;
    struct run r;
    if (!call_id(c, 0, &id, err) || !app_run_get(c->app, &c->caller, id, ULID_ZERO, &r, c->a, err))
        return false;
    run_write(c, &r);
    return true;
}

bool api_job_run_get(struct call *c, struct err *err)
{
    struct ulid job_id, id;
    struct run r;
    if (!call_id(c, 0, &job_id, err) || !call_id(c, 1, &id, err) ||
        !app_run_get(c->app, &c->caller, id, job_id, &r, c->a, err))
        return false;
    run_write(c, &r);
    return true;
}

bool api_run_cancel(struct call *c, struct err *err)
{
    struct ulid id;
    struct run r;
    if (!call_id(c, 0, &id, err) || !app_run_cancel(c->app, &c->caller, id, &r, c->a, err))
        return false;
    run_write(c, &r);
    return true;
}

bool api_run_retry(struct call *c, struct err *err)
{
    struct ulid id;
    struct run r;
    if (!call_id(c, 0, &id, err) || !app_run_retry(c->app, &c->caller, id, &r, c->a, err))
        return false;
    run_started(c, &r);
    return true;
}

bool api_logs_list(struct call *c, struct err *err)
{
    struct ulid job_id, id;
    struct run r;
    int64_t after = query_i64(c, "after", 0, INT64_MAX, 0);
    int64_t size = query_i64(c, "size", 1, LOGS_PAGE_MAX, LOGS_PAGE_DEFAULT);
    if (!call_id(c, 0, &job_id, err) || !call_id(c, 1, &id, err) || !call_faulty(c, err) ||
        !app_run_get(c->app, &c->caller, id, job_id, &r, c->a, err))
        return false;
    struct log_line *v;
    size_t n = 0;
    if (!app_logs_read(c->app, id, after, (size_t)size, &v, &n, c->a, err))
        return false;
    struct sbuf *out = call_out(c);
    list_begin(c);
    for (size_t i = 0; i < n; i++) {
        list_next(c, i);
        call_one(c, &log_line_fields, &v[i]);
    }
    sbuf_puts(out, "],\"size\":");
    sbuf_i64(out, size);
    sbuf_puts(out, ",\"nextAfter\":");
    sbuf_i64(out, n ? v[n - 1].id : after);
    sbuf_puts(out, n == (size_t)size ? ",\"more\":true}" : ",\"more\":false}");
    return true;
}
