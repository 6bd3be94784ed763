// SPDX-License-Identifier: Apache-2.0
// What a request may ask for beyond method, URL and body: headers, credentials, certificates, a form, a
// proxy; and what of it a redirect takes along.
//
// libcurl keeps Authorization and Cookie from another host by itself. Services have many more headers that
// prove who somebody is, so that to another origin only headers go that are known to prove nothing; and once
// a redirect has left our origin, nothing is given back to a later one.
#include "net/http_exchange.h"

#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STATUS_PER_CLASS = 100, REDIRECTS = 3 };

#define SET(option, value) ok = ok && curl_easy_setopt(easy, (option), (value)) == CURLE_OK

// ---- headers ----

// In front of the list.
static bool header_put(struct http_exchange *x, struct str line, struct curl_slist **list)
{
    char *text = arena_cstr(&x->arena, line);
    struct curl_slist *node = text ? arena_new(&x->arena, struct curl_slist) : NULL;
    if (!node)
        return false;
    *node = (struct curl_slist){.data = text, .next = *list};
    *list = node;
    return true;
}

static bool request_has(const struct http_request *r, const char *name)
{
    for (size_t i = 0; i < r->headers.n; i++)
        if (str_eq_nocase(r->headers.v[i].key, str_of(name)))
            return true;
    return false;
}

// Proves nothing about who sends it.
static bool harmless(struct str name)
{
    static const char *const names[] = {
        "Accept",          "Accept-Language",   "Content-Type",    "Content-Language",
        "User-Agent",      "Cache-Control",     "Range",           "If-Match",
        "If-None-Match",   "If-Modified-Since", "Idempotency-Key", "traceparent",
        "Chronos-Run-Key", "Chronos-Run-Id",    "Chronos-Job-Id",  "Chronos-Scheduled-Time",
        "Chronos-Attempt", "tracestate",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (str_eq_nocase(name, str_of(names[i])))
            return true;
    return false;
}

// Built from the end, so that it keeps the given order. It lives in the arena: libcurl only reads it.
bool http_headers_build(struct http_exchange *x, bool bare, struct curl_slist **ret)
{
    const struct http_request *r = x->request;
    // Without these libcurl would wait for "100 Continue" and name a form type that nobody asked for.
    // Not when libcurl signs: it would sign these two as if they were sent.
    bool plain = r->auth.kind != HTTP_AUTH_SIGV4, ok = true;
    struct curl_slist *list = NULL;
    if (plain)
        ok = header_put(x, STR("Expect:"), &list);
    if (plain && r->parts.n == 0 && !request_has(r, "Content-Type"))
        ok = ok && header_put(x, STR("Content-Type:"), &list);
    for (size_t i = r->headers.n; ok && i-- > 0;) {
        struct str name = r->headers.v[i].key, value = r->headers.v[i].value;
        struct err err;
        if (bare && !harmless(name))
            continue;
        if (!http_header_check(name, value, &err)) {
            http_exchange_refuse(x, HTTP_BAD_REQUEST, "%s", err.text);
            return false;
        }
        // "Name;" is libcurl's spelling of a header without a value.
        struct str text = value.n ? arena_fmt(&x->arena, "%.*s: %.*s", STR_ARG(name), STR_ARG(value))
                                  : arena_fmt(&x->arena, "%.*s;", STR_ARG(name));
        ok = text.p && header_put(x, text, &list);
    }
    if (!ok)
        http_exchange_refuse(x, HTTP_CLIENT_ERROR, "no memory for the request");
    *ret = list;
    return ok;
}

// ---- credentials and certificates ----

static bool text_set(struct http_exchange *x, CURLoption option, struct str value)
{
    const char *text = arena_cstr(&x->arena, value);
    return text && curl_easy_setopt(x->easy, option, text) == CURLE_OK;
}

static bool auth_set(struct http_exchange *x)
{
    const struct http_auth *auth = &x->request->auth;
    CURL *easy = x->easy;
    bool ok = true;
    switch (auth->kind) {
    case HTTP_AUTH_NONE:
        return true;
    case HTTP_AUTH_BASIC:
        SET(CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        break;
    case HTTP_AUTH_BEARER:
        SET(CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
        return ok && text_set(x, CURLOPT_XOAUTH2_BEARER, auth->token);
    case HTTP_AUTH_SIGV4:
        ok = text_set(
            x, CURLOPT_AWS_SIGV4,
            arena_fmt(&x->arena, "aws:amz:%.*s:%.*s", STR_ARG(auth->region), STR_ARG(auth->service)));
        break;
    }
    return ok && text_set(x, CURLOPT_USERNAME, auth->user) && text_set(x, CURLOPT_PASSWORD, auth->password);
}

static bool pem_set(CURL *easy, CURLoption option, struct str pem)
{
    struct curl_blob blob = {.data = (void *)pem.p, .len = pem.n, .flags = CURL_BLOB_COPY};
    return pem.n == 0 || curl_easy_setopt(easy, option, &blob) == CURLE_OK;
}

static bool tls_set(struct http_exchange *x)
{
    const struct http_tls *t = &x->request->tls;
    CURL *easy = x->easy;
    bool ok = true;
    if (t->cert.n > 0) {
        // libcurl compares certificates, not keys: whoever knows only the certificate, which is no secret,
        // would be given the connection of somebody who has proved to own it.
        SET(CURLOPT_FRESH_CONNECT, 1L);
        SET(CURLOPT_FORBID_REUSE, 1L);
        SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
    }
    return ok && pem_set(x->easy, CURLOPT_CAINFO_BLOB, t->ca) &&
           pem_set(x->easy, CURLOPT_SSLCERT_BLOB, t->cert) && pem_set(x->easy, CURLOPT_SSLKEY_BLOB, t->key) &&
           (t->key_password.n == 0 || text_set(x, CURLOPT_KEYPASSWD, t->key_password));
}

// ---- forms ----

struct part_file {
    const struct http_part *part;
    int64_t at;
};

static size_t file_read(char *p, size_t size, size_t count, void *ctx)
{
    struct part_file *f = ctx;
    ssize_t n = pread(f->part->fd, p, size * count, f->at);
    if (n < 0)
        return CURL_READFUNC_ABORT;
    f->at += n;
    return (size_t)n;
}

static int file_seek(void *ctx, curl_off_t offset, int origin)
{
    struct part_file *f = ctx;
    if (origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    f->at = offset;
    return CURL_SEEKFUNC_OK;
}

static bool part_add(struct http_exchange *x, const struct http_part *p)
{
    curl_mimepart *m = curl_mime_addpart(x->form);
    const char *name = arena_cstr(&x->arena, p->name);
    if (!m || !name || curl_mime_name(m, name) != CURLE_OK)
        return false;
    if (p->filename.n > 0 && curl_mime_filename(m, arena_cstr(&x->arena, p->filename)) != CURLE_OK)
        return false;
    if (p->content_type.n > 0 && curl_mime_type(m, arena_cstr(&x->arena, p->content_type)) != CURLE_OK)
        return false;
    if (p->fd < 0)
        return curl_mime_data(m, p->value.n > 0 ? p->value.p : "", p->value.n) == CURLE_OK;
    struct part_file *f = arena_new(&x->arena, struct part_file);
    if (!f)
        return false;
    f->part = p;
    return curl_mime_data_cb(m, p->size, file_read, file_seek, NULL, f) == CURLE_OK;
}

static bool form_set(struct http_exchange *x)
{
    const struct http_parts *parts = &x->request->parts;
    if (parts->n == 0)
        return true;
    x->form = curl_mime_init(x->easy);
    for (size_t i = 0; x->form && i < parts->n; i++)
        if (!part_add(x, &parts->v[i]))
            return false;
    return x->form && curl_easy_setopt(x->easy, CURLOPT_MIMEPOST, x->form) == CURLE_OK;
}

// ---- proxies ----

bool http_target_denied(struct http_exchange *x, const char *host)
{
    struct addrinfo *list = NULL, hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
    if (!x->egress || getaddrinfo(host, NULL, &hints, &list) != 0)
        return false;
    bool denied = !egress_permits(x->egress, list->ai_addr);
    freeaddrinfo(list);
    if (denied)
        (void)snprintf(x->denied_address, sizeof x->denied_address, "%s", host);
    return denied;
}

// The host of the URL, without brackets.
static bool target_host_denied(struct http_exchange *x)
{
    struct str host = http_url_host(x->request->url);
    if (host.n > 2 && host.p[0] == '[')
        host = (struct str){host.p + 1, host.n - 2};
    const char *text = arena_cstr(&x->arena, host);
    return text && http_target_denied(x, text);
}

static bool proxy_set(struct http_exchange *x)
{
    const struct http_request *r = x->request;
    CURL *easy = x->easy;
    struct err err;
    bool ok = true;
    if (!r->proxy.p) {
        SET(CURLOPT_PROXY, ""); // none from the environment
        return ok;
    }
    if (!http_url_check(r->proxy, &err)) {
        http_exchange_refuse(x, HTTP_BAD_REQUEST, "the proxy: %s", err.text);
        return false;
    }
    if (target_host_denied(x)) {
        http_exchange_refuse(x, HTTP_EGRESS_DENIED,
                             "address %s is not allowed by the egress rules, nor by a proxy",
                             x->denied_address);
        return false;
    }
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_NOPROXY, ""); // none from the environment here either
    ok = ok && text_set(x, CURLOPT_PROXY, r->proxy);
    return ok && (!r->proxy_user.p || text_set(x, CURLOPT_PROXYUSERNAME, r->proxy_user)) &&
           (!r->proxy_password.p || text_set(x, CURLOPT_PROXYPASSWORD, r->proxy_password));
}

bool http_options_set(struct http_exchange *x)
{
    return auth_set(x) && tls_set(x) && form_set(x) && proxy_set(x);
}

// ---- redirects ----

static bool same_part(CURLU *a, CURLU *b, CURLUPart part)
{
    char *x = NULL, *y = NULL;
    bool same = curl_url_get(a, part, &x, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                curl_url_get(b, part, &y, CURLU_DEFAULT_PORT) == CURLUE_OK && strcasecmp(x, y) == 0;
    curl_free(x);
    curl_free(y);
    return same;
}

// Where the redirect leads; what cannot be read is another origin.
static bool same_origin(struct http_exchange *x, const char *location, bool *ret_denied)
{
    char *now = NULL, *host = NULL;
    CURLU *next = curl_url(), *first = curl_url();
    const char *url = arena_cstr(&x->arena, x->request->url);
    bool read = next && first && url &&
                curl_easy_getinfo(x->easy, CURLINFO_EFFECTIVE_URL, &now) == CURLE_OK && now &&
                curl_url_set(first, CURLUPART_URL, url, 0) == CURLUE_OK &&
                curl_url_set(next, CURLUPART_URL, now, 0) == CURLUE_OK &&
                curl_url_set(next, CURLUPART_URL, location, 0) == CURLUE_OK;
    bool same = read && same_part(first, next, CURLUPART_SCHEME) && same_part(first, next, CURLUPART_HOST) &&
                same_part(first, next, CURLUPART_PORT);
    *ret_denied = read && x->request->proxy.p && curl_url_get(next, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                  http_target_denied(x, host);
    curl_free(host);
    curl_url_cleanup(next);
    curl_url_cleanup(first);
    return same;
}

static bool bare(struct http_exchange *x)
{
    CURL *easy = x->easy;
    struct curl_slist *headers = NULL;
    bool ok = http_headers_build(x, true, &headers);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_SSLCERT_BLOB, NULL);
    SET(CURLOPT_SSLKEY_BLOB, NULL);
    x->bared = ok;
    return ok;
}

bool http_redirect_prepare(struct http_exchange *x, struct str location)
{
    long status = 0;
    bool denied = false;
    (void)curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
    if (x->request->redirects <= 0 || status / STATUS_PER_CLASS != REDIRECTS)
        return true;
    const char *text = arena_cstr(&x->arena, location);
    if (!text)
        return false;
    bool same = same_origin(x, text, &denied);
    if (denied) {
        x->denied = true;
        return false;
    }
    return same || x->bared || bare(x);
}
