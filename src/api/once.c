// SPDX-License-Identifier: Apache-2.0
// Idempotency-Key over REST. Kept are status, body and the headers that the handler set. What refuses a
// request is not kept: nothing was done, and the next try with the key is carried out.
#include "api/once.h"

#include "api/handlers.h"
#include "api/problem.h"
#include "app/job.h"
#include "app/once.h"
#include "app/run.h"

enum { HEADERS_TEXT_MAX = 8 * 1024 };

static struct str below_base(struct str path)
{
    static const char *const bases[] = {"/api/v1", "/api"};
    for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++) {
        struct str base = str_of(bases[i]);
        if (str_starts(path, base))
            return (struct str){path.p + base.n, path.n - base.n};
    }
    return path;
}

static bool dry_run(const struct call *c) { return str_is(httpd_query(c->req, "dryRun"), "true"); }

static void keep(struct call *c, struct once *o)
{
    struct sbuf headers;
    struct once_answer v = {.status = c->resp->status, .body = sbuf_str(&c->resp->body)};
    sbuf_init(&headers, c->a, HEADERS_TEXT_MAX);
    for (size_t i = 0; i < c->resp->headers.n; i++)
        sbuf_fmt(&headers, "%.*s: %.*s\n", STR_ARG(c->resp->headers.v[i].key),
                 STR_ARG(c->resp->headers.v[i].value));
    v.headers = sbuf_str(&headers);
    bool kept = !(c->route->flags & ROUTE_SHOWN_ONCE) && v.body.n <= ONCE_ANSWER_MAX && sbuf_ok(&headers) &&
                sbuf_ok(&c->resp->body);
    if (!kept)
        v = (struct once_answer){0};
    app_once_end(c->app, o, &v, false);
}

// Whether the error says that nothing was done.
static bool is_refusal(const struct err *err)
{
    return err->code == ERR_INVALID || err->code == ERR_UNAUTHENTICATED || err->code == ERR_DENIED ||
           err->code == ERR_NOT_FOUND || err->code == ERR_STALE || err->code == ERR_THROTTLED;
}

static bool carry_out(struct call *c, struct once *o, struct err *err)
{
    if (c->route->handle(c, err)) {
        keep(c, o);
        return true;
    }
    // After an unknown outcome only the claim knows, and a repetition will ask it.
    app_once_end(c->app, o, NULL, is_refusal(err));
    return false;
}

static void repeat(struct call *c, const struct once_answer *v)
{
    struct str rest = v->headers;
    c->resp->status = (int)v->status;
    while (rest.n > 0) {
        struct str line = str_split(rest, '\n', &rest), value;
        struct str name = str_split(line, ':', &value);
        if (value.p)
            call_header(c, arena_cstr(c->a, name), str_trim(value));
    }
    call_header(c, "Idempotency-Replayed", STR("true"));
    sbuf_put(call_out(c), v->body);
}

// Done, and the answer is lost: what was made has the identifier of the claim.
static bool find_again(struct call *c, const struct once *o, struct err *err)
{
    struct err why = {0};
    struct job j;
    struct run r;
    bool found = false;
    if (c->route->handle == api_job_create) {
        found = app_job_get(c->app, &c->caller, ACTION_JOB_READ, o->claim.claim, &j, c->a, &why);
        if (found)
            job_created(c, &j, NULL);
    } else if (c->route->handle == api_job_run_now || c->route->handle == api_job_schedule) {
        found = app_run_get(c->app, &c->caller, o->claim.claim, ULID_ZERO, &r, c->a, &why);
        if (found)
            run_started(c, &r);
    }
    if (!found)
        return ERR(err, ERR_CONFLICT,
                   "the request with this Idempotency-Key was carried out, but its answer was not kept: look "
                   "for what "
                   "it made, and use a new key to do it again");
    call_header(c, "Idempotency-Replayed", STR("true"));
    return true;
}

bool call_handle(struct call *c, struct err *err)
{
    struct str key = httpd_header(c->req, "idempotency-key");
    if (!key.p || !(c->route->flags & ROUTE_IDEMPOTENT) || dry_run(c))
        return c->route->handle(c, err);
    struct once_request r = {.key = str_trim(key),
                             .method = c->req->method,
                             .path = below_base(c->req->path),
                             .query = c->req->query,
                             .body = c->req->body};
    struct once o;
    enum once_verdict verdict;
    struct once_answer answer;
    if (!app_once_begin(c->app, &c->caller, &r, &o, &verdict, &answer, &c->retry_after, c->a, err))
        return false;
    if (verdict == ONCE_GO)
        return carry_out(c, &o, err);
    if (verdict == ONCE_LOST)
        return find_again(c, &o, err);
    repeat(c, &answer);
    return true;
}
