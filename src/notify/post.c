// SPDX-License-Identifier: Apache-2.0
// net/http_call and the meaning of its answers.
#include "notify/post.h"

#include <stdarg.h>
#include <stdio.h>

#include "net/http.h"
#include "notify/text.h"

enum {
    ANSWER_KEPT = 2048,
    ANSWER_MAX = 1024 * 1024,
    ANSWER_SHOWN = 120,
    SECRET_WINDOW = 8, // bytes of a secret that give it away
    CONNECT_S = 8,
    HTTP_OK = 200,
    HTTP_MULTIPLE = 300,
    HTTP_CLIENT = 400,
    HTTP_NO_TIME = 408,
    HTTP_GONE = 410,
    HTTP_EARLY = 425,
    HTTP_TOO_MANY = 429,
    HTTP_SERVER = 500,
};

void channel_fail(struct channel_result *ret, enum channel_verdict verdict, const char *fmt, ...)
{
    va_list args;
    *ret = (struct channel_result){.verdict = verdict, .code = FIELD_ABSENT};
    va_start(args, fmt);
    (void)vsnprintf(ret->sentence, sizeof ret->sentence, fmt, args);
    va_end(args);
    struct str s = str_of(ret->sentence);
    ret->sentence[str_utf8_valid(s) ? s.n : str_utf8_cut(s, s.n - 1)] = '\0';
}

// ---- the answer ----

static bool shares(struct str text, struct str secret)
{
    size_t window = secret.n < SECRET_WINDOW ? secret.n : SECRET_WINDOW;
    for (size_t i = 0; window > 0 && i + window <= secret.n; i++)
        if (memmem(text.p, text.n, secret.p + i, window))
            return true;
    return false;
}

// Behind the authority: paths and queries of such URLs are keys.
static struct str secret_of_url(struct str url)
{
    struct str authority = http_url_authority(url);
    const char *from = authority.p ? authority.p + authority.n : url.p;
    return (struct str){from, url.n - (size_t)(from - url.p)};
}

// What the target said, when it is fit to be shown; else "".
static struct str shown_answer(const struct post *p, const struct http_response *r, struct arena *a)
{
    struct str said = text_line(r->body, ANSWER_SHOWN, a);
    if (said.n == 0 || said.p[0] == '<') // a page
        return STR("");
    if (shares(said, secret_of_url(p->url)))
        return STR("");
    for (size_t i = 0; i < p->n_secrets; i++)
        if (shares(said, p->secrets[i]))
            return STR("");
    return said;
}

static void judge_status(const struct post *p, const struct http_response *r, struct channel_result *ret,
                         struct arena *a)
{
    struct str said = shown_answer(p, r, a);
    const char *sep = said.n > 0 ? ": " : "";
    int status = r->status;
    if (status >= HTTP_OK && status < HTTP_MULTIPLE)
        channel_fail(ret, CHANNEL_SENT, "%s took it", p->target);
    else if (status >= HTTP_MULTIPLE && status < HTTP_CLIENT)
        channel_fail(ret, CHANNEL_REFUSED,
                     "%s answered %d, a redirect, which is not followed; set the final URL", p->target,
                     status);
    else if (status == HTTP_GONE)
        channel_fail(ret, CHANNEL_GONE, "%s answered 410: the receiver is gone for good%s%.*s", p->target,
                     sep, STR_ARG(said));
    else if (status == HTTP_NO_TIME || status == HTTP_EARLY || status == HTTP_TOO_MANY ||
             status >= HTTP_SERVER)
        channel_fail(ret, CHANNEL_AGAIN, "%s answered %d%s%.*s", p->target, status, sep, STR_ARG(said));
    else
        channel_fail(ret, CHANNEL_REFUSED, "%s refused it with %d%s%.*s", p->target, status, sep,
                     STR_ARG(said));
    ret->code = status;
    ret->retry_after = r->retry_after;
}

static void judge(const struct post *p, const struct http_response *r, struct channel_result *ret,
                  struct arena *a)
{
    struct str host = http_url_host(p->url);
    switch (r->error) {
    case HTTP_DONE:
        judge_status(p, r, ret, a);
        break;
    case HTTP_TOO_LARGE:
        channel_fail(ret, r->status >= HTTP_OK && r->status < HTTP_MULTIPLE ? CHANNEL_SENT : CHANNEL_AGAIN,
                     "%s answered with far too much; is the URL that of a receiver?", p->target);
        break;
    case HTTP_EGRESS_DENIED:
        channel_fail(ret, CHANNEL_REFUSED, "%s", r->sentence);
        break;
    case HTTP_BAD_REQUEST:
        channel_fail(ret, CHANNEL_REFUSED, "the request to \"%.*s\" cannot be made; look at URL and headers",
                     STR_ARG(host));
        break;
    default: // these name the host, never the path
        channel_fail(ret, CHANNEL_AGAIN, "%s", r->sentence);
        break;
    }
}

void post_send(const struct channel_env *env, const struct post *p, struct channel_result *ret,
               struct arena *a)
{
    struct str_pair headers[POST_HEADERS_MAX + 2];
    struct http_response response;
    struct err err;
    size_t n = 0;
    headers[n++] = (struct str_pair){STR("User-Agent"), STR("Chronos")};
    if (p->content_type.n > 0)
        headers[n++] = (struct str_pair){STR("Content-Type"), p->content_type};
    for (size_t i = 0; i < p->n_headers; i++)
        headers[n++] = p->headers[i];
    const struct http_request request = {
        .method = p->method.n > 0 ? p->method : STR("POST"),
        .url = p->url,
        .headers = {headers, n},
        .body = p->body,
        .connect_timeout = duration_s(CONNECT_S),
        .timeout = duration_s(CHANNEL_TIMEOUT_S),
        .response_max = ANSWER_MAX,
        .body_kept = ANSWER_KEPT,
        .egress = env->egress,
    };
    if (http_call(&request, &response, a, &err))
        judge(p, &response, ret, a);
    else
        channel_fail(ret, CHANNEL_AGAIN, "%s", err.text);
}

void post_rendered(const struct channel_env *env, post_render *render, const void *config,
                   const struct notification *n, struct post *p, struct channel_result *ret, struct arena *a)
{
    struct sbuf body;
    struct err err;
    sbuf_init(&body, a, a->budget);
    if (!render(env, config, n, &body, a, &err)) {
        channel_fail(ret, CHANNEL_REFUSED, "%s", err.text);
        return;
    }
    p->body = sbuf_str(&body);
    post_send(env, p, ret, a);
}

// ---- at save ----

struct str post_pointer(struct str base, const char *field, struct faults *faults)
{
    return arena_fmt(faults->a, "%.*s/%s", STR_ARG(base), field);
}

void post_check_url(struct str url, struct str base, const char *field, struct faults *faults)
{
    struct err err;
    if (url.n == 0)
        faults_add(faults, post_pointer(base, field, faults), "is needed: the URL to send to");
    else if (url.n > POST_URL_MAX)
        faults_add(faults, post_pointer(base, field, faults), "has at most %d bytes", POST_URL_MAX);
    else if (!http_url_check(url, &err))
        faults_add(faults, post_pointer(base, field, faults), "%s", err.text);
    else if (str_find(http_url_authority(url), '@') < http_url_authority(url).n)
        faults_add(faults, post_pointer(base, field, faults), "may hold no user and password; use a header");
}

void post_check_headers(struct str_map headers, const char *const *reserved, struct str base,
                        struct faults *faults)
{
    struct err err;
    for (size_t i = 0; i < headers.n; i++) {
        struct str name = headers.v[i].key;
        struct str at = arena_fmt(faults->a, "%.*s/headers/%.*s", STR_ARG(base), STR_ARG(name));
        if (!http_header_check(name, headers.v[i].value, &err))
            faults_add(faults, at, "%s", err.text);
        for (const char *const *r = reserved; r && *r; r++)
            if (str_eq_nocase(name, str_of(*r)))
                faults_add(faults, at, "is set by Chronos; leave it out");
    }
}

void post_add_header(struct post *p, const char *name, struct str value)
{
    if (p->n_headers < POST_HEADERS_MAX)
        p->headers[p->n_headers++] = (struct str_pair){str_of(name), value};
}

void post_add_headers(struct post *p, struct str_map headers)
{
    for (size_t i = 0; i < headers.n && p->n_headers < POST_HEADERS_MAX; i++) {
        p->headers[p->n_headers++] = headers.v[i];
        if (p->n_secrets < POST_SECRETS_MAX)
            p->secrets[p->n_secrets++] = headers.v[i].value;
    }
}
