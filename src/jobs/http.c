// SPDX-License-Identifier: Apache-2.0
// HTTP: sends one request; the status decides the outcome.
//
// The run's key, times and attempt go along as headers, so that a target can tell a repeated call. What is
// written about an answer is in http_answer.c.
#include "jobs/http_answer.h"

#include "jobs/template.h"
#include "net/http.h"

enum {
    URL_BYTES_MAX = 8192,
    HEADERS_MAX = 100,
    EXPECTED_MAX = 32,
    OWN_HEADERS_MAX = 8,
    TIMEOUT_S_DEFAULT = 30,
};

static const char *const method_names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", NULL};

#define T struct http_payload
static const struct field http_rows[] = {
    FIELD_STR(T, url, "httpUrl", FIELD_ALIASES("url"), .flags = FIELD_REQUIRED, .min = 1,
              .max = URL_BYTES_MAX,
              .doc = "Absolute http or https URL."),
    FIELD_ENUM(T, method, "httpMethod", method_names, FIELD_ALIASES("method"), FIELD_DEFAULT(0),
               .doc = "Request method."),
    FIELD_MAP(T, headers, "httpHeaders", FIELD_ALIASES("headers"), .max = HEADERS_MAX,
              .doc = "Request headers."),
    FIELD_STR(T, body, "httpBody", FIELD_ALIASES("body"), .max = JOB_PAYLOAD_MAX,
              .doc = "Request body, as it is sent."),
    FIELD_I64(T, timeout_seconds, "timeoutSeconds", .min = 1, .max = JOB_TIMEOUT_S_MAX,
              FIELD_DEFAULT(TIMEOUT_S_DEFAULT),
              .doc = "Longest time for the whole exchange; the job's own timeoutSeconds holds as well."),
    FIELD_STRS(T, expected_status, "expectedStatus", .max = EXPECTED_MAX,
               .doc = "Statuses that are a success: \"200\", \"2xx\" or \"200-204\"; 2xx when absent."),
    FIELD_BOOL(T, follow_redirects, "followRedirects", FIELD_DEFAULT(false),
               .doc = "Whether up to 5 redirects are followed."),
};
#undef T
static const struct fields http_fields = FIELDS("HttpPayload", struct http_payload, http_rows,
                                                .doc = "A request to an HTTP service.");

struct call {
    struct http_request request;
    uint64_t id;
};

// ---- checking ----

static struct str at(struct str base, const char *name, struct arena *a)
{
    return arena_fmt(a, "%.*s/%s", STR_ARG(base), name);
}

static void http_check(const void *payload, struct str base, struct faults *faults, struct arena *scratch)
{
    const struct http_payload *p = payload;
    struct err err;
    (void)scratch;
    // What templates make of a text is checked again when the request is sent.
    if (!template_uses(p->url, "") && !http_url_check(p->url, &err))
        faults_add(faults, at(base, "httpUrl", faults->a), "%s", err.text);
    for (size_t i = 0; i < p->headers.n; i++)
        if (!http_header_check(p->headers.v[i].key, p->headers.v[i].value, &err))
            faults_add(faults, arena_fmt(faults->a, "%.*s/httpHeaders/%.*s", STR_ARG(base),
                                         STR_ARG(p->headers.v[i].key)), "%s", err.text);
    for (size_t i = 0; i < p->expected_status.n; i++)
        if (!http_status_rule_ok(p->expected_status.v[i]))
            faults_add(faults, arena_fmt(faults->a, "%.*s/expectedStatus/%zu", STR_ARG(base), i),
                       "must be a status such as \"200\", a class such as \"2xx\" or a range such as "
                       "\"200-204\"");
    if (p->body.n > 0 && str_is(str_of(method_names[p->method]), "HEAD"))
        faults_add(faults, at(base, "httpBody", faults->a), "must be left out with HEAD");
}

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
    attempt_traceparent(a, trace);
    struct str key = id_text(a->run_key, &a->arena);
    header_add(&h, "Chronos-Run-Key", key);
    header_add(&h, "Idempotency-Key", key);
    header_add(&h, "Chronos-Run-Id", id_text(a->run_id, &a->arena));
    header_add(&h, "Chronos-Job-Id", id_text(a->job_id, &a->arena));
    (void)instant_format(a->scheduled, time);
    header_add(&h, "Chronos-Scheduled-Time", arena_str(&a->arena, str_of(time)));
    header_add(&h, "Chronos-Attempt", arena_fmt(&a->arena, "%lld", (long long)a->number));
    header_add(&h, "traceparent", arena_str(&a->arena, str_of(trace)));
    if (p->body.n > 0)
        header_add(&h, "Content-Type", content_type(p->body));
    *ret = h.map;
    return !a->arena.exhausted;
}

// ---- running ----

static void on_done(void *ctx, const struct http_response *r)
{
    struct attempt *a = ctx;
    int why = attempt_cancel_asked(a);
    const struct http_payload *p = a->payload;
    if (r->error == HTTP_CANCELLED)
        attempt_cancelled(a, why >= 0 ? (enum cancel_why)why : CANCEL_BY_SHUTDOWN);
    else
        http_answer_record(a, p, method_names[p->method], r);
}

static void http_start(struct attempt *a)
{
    const struct http_payload *p = a->payload;
    struct call *c = arena_new(&a->arena, struct call);
    if (!c || !headers_make(a, p, &c->request.headers)) {
        attempt_fail(a, "DEFINITION_ERROR", "no memory for the request");
        return;
    }
    c->request.method = str_of(method_names[p->method]);
    c->request.url = p->url;
    c->request.body = p->body.n > 0 ? p->body : STR_NONE;
    c->request.timeout = duration_s(p->timeout_seconds);
    c->request.redirects = p->follow_redirects ? HTTP_REDIRECTS_MAX : 0;
    c->request.lane = attempt_lane(a);
    a->state = c;
    if (!a->env->http || !http_send(a->env->http, &c->request, on_done, a, &c->id))
        attempt_fail(a, "INTERNAL_ERROR", "the HTTP client is stopping or has too much to do");
}

static void http_cancel_call(struct attempt *a, enum cancel_why why)
{
    const struct call *c = a->state;
    (void)why; // kept in a->cancel
    http_cancel(a->env->http, c->id);
}

const struct job_type job_type_http = {
    .name = "HTTP",
    .doc = "Sends a request to an HTTP service; the status decides the outcome.",
    .payload = &http_fields,
    .check = http_check,
    .start = http_start,
    .cancel = http_cancel_call,
};
