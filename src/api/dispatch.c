// SPDX-License-Identifier: Apache-2.0
// Requests in, answers out: find the route, check who asks, call the handler, write the problem if it failed.
// Nothing is logged per request but failures that are the server's own.
#include "api/dispatch.h"

#include "api/api.h"
#include "api/edge.h"
#include "api/etag.h"
#include "api/once.h"
#include "api/meters.h"
#include "api/problem.h"
#include "api/sign_in.h"
#include "api/trace.h"
#include "app/audit.h"
#include "base/log.h"
#include "base/mem.h"

struct api *api_new(struct app *app)
{
    struct api *api = mem_new(struct api);
    api->app = app;
    meters_prepare(app);
    return api;
}

void api_free(struct api *api) { mem_free(api); }

bool route_matches(const char *pattern, struct str path, struct str param[ROUTE_PARAMS_MAX])
{
    size_t i = 0, params = 0;
    for (; *pattern; pattern++) {
        if (*pattern != '{') {
            if (i >= path.n || path.p[i++] != *pattern)
                return false;
            continue;
        }
        size_t from = i;
        while (i < path.n && path.p[i] != '/' && path.p[i] != ':')
            i++;
        must(params < ROUTE_PARAMS_MAX);
        param[params++] = (struct str){path.p + from, i - from};
        if (i == from)
            return false;
        while (*pattern != '}')
            pattern++;
    }
    return i == path.n;
}

// What follows the base path; absent when the path is outside of it.
static struct str below_base(struct str path)
{
    static const char *const bases[] = {"/api/v1", "/api"};
    for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++) {
        struct str base = str_of(bases[i]);
        if (str_starts(path, base) && path.n > base.n && path.p[base.n] == '/')
            return (struct str){path.p + base.n, path.n - base.n};
    }
    return STR_NONE;
}

static void allow_add(char allow[static METHODS_MAX], const char *method)
{
    struct str so_far = str_of(allow);
    if (!str_contains(so_far, str_of(method)))
        (void)snprintf(allow + so_far.n, METHODS_MAX - so_far.n, "%s%s", so_far.n ? ", " : "", method);
}

const struct route *route_find(struct str method, struct str path, struct str param[ROUTE_PARAMS_MAX],
                               char allow[static METHODS_MAX])
{
    struct str below = below_base(path);
    allow[0] = '\0';
    if (str_is(method, "HEAD"))
        method = STR("GET");
    for (size_t i = 0; i < routes_n; i++) {
        struct str rest = routes[i].flags & ROUTE_ROOT ? path : below;
        struct str found[ROUTE_PARAMS_MAX] = {{0}};
        if (!rest.p || !route_matches(routes[i].path, rest, found))
            continue;
        if (!str_is(method, routes[i].method)) {
            allow_add(allow, routes[i].method);
            continue;
        }
        memcpy(param, found, sizeof found);
        return &routes[i];
    }
    return NULL;
}

static bool body_is_json(const struct call *c)
{
    struct str type = httpd_header(c->req, "content-type"), rest;
    if (!type.p || c->req->body.n == 0 || c->route->flags & ROUTE_BODY_ANY)
        return true;
    type = str_trim(str_split(type, ';', &rest));
    return str_eq_nocase(type, STR("application/json")) || str_eq_nocase(type, STR("application/merge-patch+json"));
}

static bool answer(struct call *c, struct err *err)
{
    audit_begin(c->app);
    bool in = call_sign_in(c, err);
    struct err why = {0};
    if (!edge_limit(c, &why)) { // whoever he is: a flood of bad tokens is one, too
        *err = why;
        return false;
    }
    if (!in)
        return false;
    if (c->req->query.n > 0) {
        query_check(c);
        if (!call_faulty(c, err))
            return false;
    }
    c->resp->status = c->route->status;
    if (!call_handle(c, err))
        return false;
    etag_settle(c);
    if (c->a->exhausted || !sbuf_ok(&c->resp->body))
        return ERR(err, ERR_TOO_LARGE, "the answer is larger than one answer may be; ask for fewer rows");
    return true;
}

static void refuse(struct call *c, int status, const char *detail)
{
    struct problem p = {.status = status, .detail = str_of(detail)};
    problem_answer(c, &p);
}

static void no_route(struct call *c, const char *allow)
{
    if (allow[0]) {
        refuse(c, 405, "this path does not take that method; the header Allow lists those it takes");
        call_header(c, "Allow", str_of(allow));
        return;
    }
    struct err err = {0};
    (void)ERR(&err, ERR_NOT_FOUND, "there is nothing at this path; /openapi.json lists what there is");
    struct problem p = problem_of(&err, NULL);
    problem_answer(c, &p);
}

static struct str route_text(const struct route *r, struct arena *a)
{
    return arena_fmt(a, "%s %s", r->method, r->path);
}

void api_dispatch(struct api *api, const struct httpd_request *req, struct httpd_response *resp)
{
    struct mono begin = clock_mono(api->app->clock);
    struct call c = {.api = api, .app = api->app, .req = req, .resp = resp, .a = req->a};
    char allow[METHODS_MAX];
    faults_init(&c.faults, req->a);
    call_trace(&c);
    c.route = route_find(req->method, req->path, c.param, allow);
    struct err err = {0};
    if (edge_cors(&c)) {
        c.route = NULL; // a preflight asks about a route and is none
    } else if (!c.route) {
        no_route(&c, allow);
    } else if (!edge_encoding_ok(&c)) {
        refuse(&c, 415, "the body must not be compressed: leave Content-Encoding out");
        call_header(&c, "Accept-Encoding", STR("identity"));
    } else if (!body_is_json(&c)) {
        refuse(&c, 415, "the body must be JSON: send \"Content-Type: application/json\"");
    } else if (!answer(&c, &err)) {
        struct problem p = problem_of(&err, &c.faults);
        problem_answer(&c, &p);
        if (p.status == 401 || p.status == 403)
            audit_refusal(c.app, &c.caller, route_text(c.route, c.a), p.detail, c.a);
        if (p.status >= 500)
            LOG_WARN("request failed", LOG_CSTR("trace", c.trace_id), LOG_CSTR("route", c.route->path),
                     LOG_ERROR_FIELD(&err));
    }
    call_header(&c, "X-Request-Id", str_of(c.trace_id));
    struct duration took = mono_since(clock_mono(api->app->clock), begin);
    meter_request(c.route, resp->status, took);
    edge_log(&c, took);
}

static void handle(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    api_dispatch(ctx, req, resp);
}

static void problem(void *ctx, const struct httpd_request *req, int status, const char *detail,
                    struct httpd_response *resp)
{
    struct api *api = ctx;
    struct call c = {.api = api, .app = api->app, .req = req, .resp = resp, .a = req->a};
    call_trace(&c);
    refuse(&c, status, detail);
    meter_request(NULL, status, (struct duration){0});
    edge_log(&c, (struct duration){0});
}

struct httpd_handlers api_handlers(struct api *api)
{
    return (struct httpd_handlers){.handle = handle, .problem = problem, .ctx = api};
}
