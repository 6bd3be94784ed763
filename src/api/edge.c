// SPDX-License-Identifier: Apache-2.0
// CORS (WHATWG Fetch §3.2), limits, encodings and the access log. A page of another origin signs in with
// tokens only: credentials of the browser are never allowed across origins.
#include "api/edge.h"

#include "app/limits.h"
#include "base/log.h"

enum { METHOD_SHOWN_MAX = 16, CORS_AGE_S = 600 };

// -- other origins --

static bool origin_allowed(const struct app *app, struct str origin)
{
    const struct strs *list = &app->settings.cors_origins;
    bool found = false;
    for (size_t i = 0; i < list->n && !found; i++)
        found = str_eq(list->v[i], origin);
    return found;
}

static void preflight(struct call *c)
{
    call_header(c, "Access-Control-Allow-Methods", STR("GET, POST, PUT, PATCH, DELETE"));
    call_header(
        c, "Access-Control-Allow-Headers",
        STR("Authorization, Content-Type, If-Match, Idempotency-Key, Last-Event-ID, X-API-Key, X-Request-Id, "
            "traceparent"));
    call_header(c, "Access-Control-Max-Age", arena_fmt(c->a, "%d", CORS_AGE_S));
    c->resp->status = 204;
}

bool edge_cors(struct call *c)
{
    if (c->app->settings.cors_origins.n == 0)
        return false; // who asks from elsewhere is told nothing
    struct str origin = httpd_header(c->req, "origin");
    call_header(c, "Vary", STR("Origin"));
    if (!origin.p || !origin_allowed(c->app, origin))
        return false;
    call_header(c, "Access-Control-Allow-Origin", origin);
    call_header(c, "Access-Control-Expose-Headers",
                STR("ETag, Location, Retry-After, RateLimit, RateLimit-Policy, X-Request-Id"));
    bool asks = str_is(c->req->method, "OPTIONS") && httpd_header(c->req, "access-control-request-method").p;
    if (asks)
        preflight(c);
    return asks;
}

// -- bounds --

bool edge_encoding_ok(const struct call *c)
{
    struct str coding = httpd_header(c->req, "content-encoding");
    return coding.n == 0 || str_eq_nocase(coding, STR("identity"));
}

static int64_t whole_seconds(struct duration d) { return (d.us + US_PER_S - 1) / US_PER_S; }

// As the draft "RateLimit header fields for HTTP" of the HTTPAPI working group has them.
static void tell(struct call *c, const struct limit_answer *l)
{
    call_header(c, "RateLimit-Policy",
                arena_fmt(c->a, "\"%s\";q=%lld;w=%lld", l->what, (long long)l->terms.burst,
                          (long long)((l->terms.burst + l->terms.per_second - 1) / l->terms.per_second)));
    call_header(c, "RateLimit",
                arena_fmt(c->a, "\"%s\";r=%lld;t=%lld", l->what, (long long)l->rate.left,
                          (long long)whole_seconds(l->rate.ok ? l->rate.full : l->rate.wait)));
}

bool edge_limit(struct call *c, struct err *err)
{
    if (!c->app->limits)
        return true;
    struct limit_answer l = limits_request(c->app->limits, &c->caller, clock_mono(c->app->clock));
    if (l.terms.per_second == 0)
        return true;
    tell(c, &l);
    if (l.rate.ok)
        return true;
    c->retry_after = duration_s(whole_seconds(l.rate.wait));
    return ERR(err, ERR_THROTTLED, "this %s may send %lld requests a second (%s); wait and try again", l.what,
               (long long)l.terms.per_second,
               c->caller.signed_in ? "limits.requestsPerSecond" : "limits.anonymousPerSecond");
}

// -- access log --

void edge_log(const struct call *c, struct duration took)
{
    if (!c->app->settings.log_access)
        return;
    struct str method = c->req->method;
    char user[ULID_TEXT_MAX] = "";
    method.n = str_utf8_cut(method, METHOD_SHOWN_MAX);
    if (c->caller.signed_in)
        (void)ulid_format(c->caller.user_id, user);
    // The pattern and not the path: it holds no identifier, and no secret that somebody put into an address.
    LOG_INFO("request", LOG_STR("method", method), LOG_CSTR("route", c->route ? c->route->path : "-"),
             LOG_INT("status", c->resp->status), LOG_DUR("took", took), LOG_INT("bytes", c->resp->body.n),
             LOG_CSTR("user", user), LOG_STR("address", c->req->remote), LOG_CSTR("request", c->trace_id));
}
