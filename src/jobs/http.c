// SPDX-License-Identifier: Apache-2.0
// HTTP: sends one request; the status decides the outcome.
//
//     start ── token kept, or none needed ──────────────► request ──► answer
//       └───── token request ──► token ─────────────────────┘ ▲         │ 401 with a kept token, once
//                   ▲                                          └─────────┘ (through the token request)
//
// The run's key, times and attempt go along as headers, so that a target can tell a repeated call. Fields and their
// rules are in http_payload.c, what is written about an answer in http_answer.c. Everything after start happens on the
// attempt's loop, a cancel too.
#include "jobs/http_answer.h"

#include "jobs/http_expect.h"
#include "jobs/http_parts.h"
#include "jobs/http_token.h"
#include "net/loop.h"

enum { OWN_HEADERS_MAX = 10, EXPECT_BODY_KEPT = 256 * 1024 };

enum { UNAUTHORIZED = 401, STATUS_PER_CLASS = 100 };

struct call {
    struct attempt *attempt;
    struct http_request request;
    struct http_request token_request;
    struct http_files files;
    struct mono deadline;
    uint64_t id;
    bool token_kept, token_again; // it came from an earlier run; a new one was asked for because of a 401
};

// ---- the request ----

struct headers {
    struct str_map map;
    size_t cap;
    const struct http_payload *payload;
};

static bool users_own(const struct headers *h, const char *name)
{
    for (size_t i = 0; i < h->payload->headers.n; i++)
        if (str_eq_nocase(h->payload->headers.v[i].key, str_of(name)))
            return true;
    return false;
}

static void header_add(struct headers *h, const char *name, struct str value)
{
    if (h->map.n < h->cap && value.p && !users_own(h, name))
        h->map.v[h->map.n++] = (struct str_pair){str_of(name), value};
}

static struct str id_text(struct ulid id, struct arena *a)
{
    char text[ULID_TEXT_MAX];
    return arena_str(a, str_of(ulid_format(id, text)));
}

// A body without a given type is JSON when it reads like it: most targets refuse an untyped one.
static struct str content_type(struct str body)
{
    struct str text = str_trim(body);
    bool json = text.n > 0 && (text.p[0] == '{' || text.p[0] == '[');
    return json ? STR("application/json") : STR("text/plain; charset=utf-8");
}

static bool headers_make(struct attempt *a, const struct http_payload *p, struct str_map *ret)
{
    char time[INSTANT_TEXT_MAX], trace[TRACEPARENT_MAX];
    struct headers h = {.cap = p->headers.n + OWN_HEADERS_MAX, .payload = p};
    h.map.v = arena_new_array(&a->arena, struct str_pair, h.cap);
    if (!h.map.v)
        return false;
    for (size_t i = 0; i < p->headers.n; i++)
        h.map.v[h.map.n++] = p->headers.v[i];
    struct str state;
    attempt_traceparent(a, trace, &state);
    struct str key = id_text(a->run_key, &a->arena);
    header_add(&h, "Chronos-Run-Key", key);
    header_add(&h, "Idempotency-Key", key);
    header_add(&h, "Chronos-Run-Id", id_text(a->run_id, &a->arena));
    header_add(&h, "Chronos-Job-Id", id_text(a->job_id, &a->arena));
    (void)instant_format(a->scheduled, time);
    header_add(&h, "Chronos-Scheduled-Time", arena_str(&a->arena, str_of(time)));
    header_add(&h, "Chronos-Attempt", arena_fmt(&a->arena, "%lld", (long long)a->number));
    header_add(&h, "traceparent", arena_str(&a->arena, str_of(trace)));
    if (state.p)
        header_add(&h, "tracestate", state);
    if (p->body.n > 0)
        header_add(&h, "Content-Type", content_type(p->body));
    if (p->auth.type == AUTH_AWS_SIGV4 && p->auth.session_token.n > 0)
        header_add(&h, "X-Amz-Security-Token", p->auth.session_token);
    *ret = h.map;
    return !a->arena.exhausted;
}

static struct http_auth auth_make(const struct http_auth_payload *auth)
{
    switch (auth->type) {
    case AUTH_BASIC:
        return (struct http_auth){HTTP_AUTH_BASIC, .user = auth->username, .password = auth->password};
    case AUTH_BEARER:
        return (struct http_auth){HTTP_AUTH_BEARER, .token = auth->token};
    case AUTH_AWS_SIGV4:
        return (struct http_auth){HTTP_AUTH_SIGV4, .user = auth->access_key_id, .password = auth->secret_access_key,
                                  .region = auth->region, .service = auth->service};
    default: // OAUTH2 gets its token later
        return (struct http_auth){HTTP_AUTH_NONE};
    }
}

static bool request_make(struct attempt *a, const struct http_payload *p, struct call *c)
{
    c->request = (struct http_request){
        .method = str_of(http_method_names[p->method]), .url = p->url,
        .body = p->body.n > 0 ? p->body : STR_NONE,
        .redirects = p->follow_redirects ? HTTP_REDIRECTS_MAX : 0,
        .lane = attempt_lane(a), .auth = auth_make(&p->auth), .tls = c->files.tls,
        .parts = {c->files.parts, c->files.parts_n},
        .proxy = p->proxy, .proxy_user = p->proxy_user, .proxy_password = p->proxy_password,
        .response_max = p->response_max == FIELD_ABSENT ? 0 : p->response_max,
        .body_kept = http_expect_any(&p->expect) ? EXPECT_BODY_KEPT : 0,
    };
    return headers_make(a, p, &c->request.headers);
}

// ---- running ----

static void request_send(struct call *c);
static void token_send(struct call *c);

// Files are closed before the attempt may be gone.
static bool ended_by_cancel(struct call *c, const struct http_response *r)
{
    struct attempt *a = c->attempt;
    int why = attempt_cancel_asked(a);
    if (r->error != HTTP_CANCELLED)
        return false;
    http_files_close(&c->files);
    attempt_cancelled(a, why >= 0 ? (enum cancel_why)why : CANCEL_BY_SHUTDOWN);
    return true;
}

static void send(struct call *c, struct http_request *r, http_done done)
{
    struct attempt *a = c->attempt;
    const struct http_payload *p = a->payload;
    r->timeout = mono_since(c->deadline, clock_mono(a->clock));
    if (r->timeout.us <= 0) {
        http_files_close(&c->files);
        attempt_timed_out(a, "no answer within %lld s, the token service included", (long long)p->timeout_seconds);
        return;
    }
    if (http_send(a->env->http, r, done, c, &c->id))
        return;
    http_files_close(&c->files);
    attempt_fail(a, "INTERNAL_ERROR", "the HTTP client is stopping or has too much to do");
}

static void on_done(void *ctx, const struct http_response *r)
{
    struct call *c = ctx;
    struct attempt *a = c->attempt;
    const struct http_payload *p = a->payload;
    if (ended_by_cancel(c, r))
        return;
    if (p->auth.type == AUTH_OAUTH2 && r->error == HTTP_DONE && r->status == UNAUTHORIZED) {
        http_token_drop(&p->auth, c->request.auth.token);
        if (c->token_kept && !c->token_again) {
            c->token_again = true;
            token_send(c);
            return;
        }
    }
    http_files_close(&c->files);
    http_answer_record(a, p, http_method_names[p->method], r);
}

static void token_failed(struct call *c, const struct http_response *r, const char *why)
{
    struct attempt *a = c->attempt;
    const struct http_payload *p = a->payload;
    struct str host = http_url_host(p->auth.token_url);
    http_files_close(&c->files);
    a->result.error_code = STR("TOKEN_ERROR");
    attempt_fail(a, r->status / STATUS_PER_CLASS == 5 ? "HTTP_5XX" : "HTTP_4XX",
                 "the token service \"%.*s\" answered %d: %s", STR_ARG(host), r->status, why);
}

static void on_token(void *ctx, const struct http_response *r)
{
    struct call *c = ctx;
    struct attempt *a = c->attempt;
    const struct http_payload *p = a->payload;
    struct err err;
    if (ended_by_cancel(c, r))
        return;
    if (r->error != HTTP_DONE) {
        http_files_close(&c->files);
        http_answer_record(a, p, "POST", r);
    } else if (r->status / STATUS_PER_CLASS != 2) {
        token_failed(c, r, "look at auth.clientId, auth.clientSecret and auth.scope");
    } else if (!http_token_take(&p->auth, r->body, clock_mono(a->clock), &c->request.auth.token, &a->arena, &err)) {
        token_failed(c, r, err.text);
    } else {
        c->request.auth.kind = HTTP_AUTH_BEARER;
        c->token_kept = false;
        request_send(c);
    }
}

static void token_send(struct call *c)
{
    struct attempt *a = c->attempt;
    const struct http_payload *p = a->payload;
    c->token_request = (struct http_request){.lane = attempt_lane(a), .proxy = p->proxy, .proxy_user = p->proxy_user,
                                             .proxy_password = p->proxy_password, .tls = c->files.tls};
    if (http_token_request(&p->auth, &c->token_request, &a->arena)) {
        send(c, &c->token_request, on_token);
        return;
    }
    http_files_close(&c->files);
    attempt_fail(a, "DEFINITION_ERROR", "no memory for the token request");
}

static void request_send(struct call *c)
{
    send(c, &c->request, on_done);
}

// "https://host:443"; what is no URL is refused when it is sent.
static struct str target_of(struct str url, struct arena *a)
{
    struct str host = http_url_host(url), authority = http_url_authority(url);
    struct str scheme = {url.p, str_find(url, ':')};
    bool tls = str_eq_nocase(scheme, STR("https"));
    struct str port = {host.p + host.n, authority.p ? (size_t)(authority.p + authority.n - host.p) - host.n : 0};
    if (!authority.p || host.n == 0)
        return STR_NONE;
    return arena_fmt(a, "%s://%.*s%.*s", tls ? "https" : "http", STR_ARG(host),
                     STR_ARG(port.n > 1 ? port : tls ? STR(":443") : STR(":80")));
}

static void http_start(struct attempt *a)
{
    const struct http_payload *p = a->payload;
    struct err err;
    struct call *c = arena_new(&a->arena, struct call);
    if (!a->env->http) {
        attempt_fail(a, "INTERNAL_ERROR", "this server has no HTTP client");
        return;
    }
    struct str target = target_of(p->url, &a->arena);
    if (target.p && !attempt_target(a, target))
        return;
    if (c && !http_files_open(a, p, &c->files, &err)) {
        attempt_fail(a, err.code == ERR_INVALID ? "DEFINITION_ERROR" : "FILE_ERROR", "%s", err.text);
        return;
    }
    if (!c || !request_make(a, p, c)) {
        if (c)
            http_files_close(&c->files);
        attempt_fail(a, "DEFINITION_ERROR", "no memory for the request");
        return;
    }
    c->attempt = a;
    c->deadline = mono_add(clock_mono(a->clock), duration_s(p->timeout_seconds));
    a->state = c;
    if (p->auth.type == AUTH_OAUTH2) {
        c->request.auth.token = http_token_find(&p->auth, clock_mono(a->clock), &a->arena);
        c->token_kept = c->request.auth.token.p != NULL;
        c->request.auth.kind = HTTP_AUTH_BEARER;
    }
    if (p->auth.type == AUTH_OAUTH2 && !c->token_kept)
        token_send(c);
    else
        request_send(c);
}

static void http_cancel_call(struct attempt *a, enum cancel_why why)
{
    const struct call *c = a->state;
    (void)why; // kept in a->cancel
    http_cancel(a->env->http, c->id);
}

static const char *const examples[] = {
    "{\"httpUrl\":\"https://api.example.com/export\",\"httpMethod\":\"POST\",\"httpBody\":\"{\\\"day\\\":"
    "\\\"{{run.scheduledTime}}\\\"}\",\"expectedStatus\":[\"2xx\",\"409\"]}",
    "{\"httpUrl\":\"https://api.example.com/status\",\"auth\":{\"type\":\"BASIC\",\"username\":\"chronos\","
    "\"password\":\"a password\"},\"expectedBody\":{\"pointer\":\"/status\",\"equals\":\"UP\"}}",
    NULL};
static const char *const classes[] = {"CONNECTION_ERROR", "HTTP_4XX", "HTTP_5XX", "HTTP_1XX", "HTTP_2XX", "HTTP_3XX",
                                      "UNEXPECTED_BODY", "EGRESS_DENIED", "FILE_ERROR", NULL};

const struct job_type job_type_http = {
    .name = "HTTP",
    .doc = "Sends a request to an HTTP service; the status decides the outcome.",
    .payload = &http_fields,
    .check = http_check,
    .start = http_start,
    .cancel = http_cancel_call,
    .examples = examples,
    .failure_classes = classes,
};
