// SPDX-License-Identifier: Apache-2.0
// Options of a libcurl easy handle, and the callbacks that collect a bounded answer.
//
// HTTP/1.1 only: one request per connection keeps every bound simple. No Accept-Encoding is sent, so no
// answer can unpack to more than it weighs. libcurl repeats a request by itself only when a kept-alive
// connection turned out to be closed before a byte of answer came.
#include "net/http_exchange.h"

#include <netdb.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEADERS_FIRST = 16, REASON_MAX = 128, HOST_SHOWN_MAX = 80 };

// ---- library ----

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static CURLcode library_rc;

static void library_init(void)
{
    library_rc = curl_global_init(CURL_GLOBAL_DEFAULT);
}

bool http_library_start(struct err *err)
{
    must(pthread_once(&library_once, library_init) == 0);
    if (library_rc != CURLE_OK)
        return ERR(err, ERR_INTERNAL, "libcurl cannot start: %s", curl_easy_strerror(library_rc));
    return true;
}

// ---- what libcurl calls ----

static curl_socket_t on_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct http_exchange *x = ctx;
    (void)purpose;
    x->denied = x->egress && !egress_permits(x->egress, &a->addr);
    if (x->denied) {
        if (getnameinfo(&a->addr, a->addrlen, x->denied_address, sizeof x->denied_address, NULL, 0,
                        NI_NUMERICHOST) != 0)
            (void)snprintf(x->denied_address, sizeof x->denied_address, "of family %d", a->family);
        return CURL_SOCKET_BAD;
    }
    curl_socket_t fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
    if (fd >= 0 && x->opened)
        x->opened(x->opened_ctx, fd);
    return fd;
}

// A new status line starts a new answer: an earlier one was a 1xx or a redirect.
static void answer_start(struct http_exchange *x, struct str line)
{
    struct str rest; // behind "HTTP/1.1 ", then behind "200 "
    (void)str_split(line, ' ', &rest);
    (void)str_split(rest, ' ', &rest);
    x->response.headers.n = 0;
    x->response.reason = rest.p ? arena_str(&x->arena, (struct str){rest.p, str_utf8_cut(rest, REASON_MAX)})
                                : STR("");
    sbuf_clear(x->body);
    x->response.body_bytes = 0;
}

static bool header_add(struct http_exchange *x, struct str line)
{
    struct str value, name = str_split(line, ':', &value);
    struct str_map *m = &x->response.headers;
    if (!value.p)
        return true; // not a header: libcurl decides whether that is fatal
    if (m->n == HTTP_HEADER_LINES_MAX)
        return false;
    if (m->n == x->header_cap) {
        size_t cap = x->header_cap ? x->header_cap * 2 : HEADERS_FIRST;
        struct str_pair *v = arena_new_array(&x->arena, struct str_pair, cap);
        if (!v)
            return false;
        if (m->n > 0)
            memcpy(v, m->v, m->n * sizeof *v);
        m->v = v;
        x->header_cap = cap;
    }
    struct str_pair *line_kept = &m->v[m->n++];
    line_kept->key = arena_str(&x->arena, str_trim(name));
    line_kept->value = arena_str(&x->arena, str_trim(value));
    return line_kept->value.p != NULL;
}

static size_t on_header(char *p, size_t size, size_t count, void *ctx)
{
    struct http_exchange *x = ctx;
    size_t n = size * count;
    struct str line = str_trim((struct str){p, n});
    x->header_bytes += n;
    if (x->header_bytes > HTTP_HEADERS_MAX) {
        x->headers_too_large = true;
        return 0;
    }
    if (str_starts(line, STR("HTTP/")))
        answer_start(x, line);
    else if (line.n > 0 && !header_add(x, line)) {
        x->headers_too_large = true;
        return 0;
    }
    struct str value, name = str_split(line, ':', &value);
    if (str_eq_nocase(name, STR("Location")) && !http_redirect_prepare(x, str_trim(value)))
        return 0;
    return n;
}

static size_t on_body(char *p, size_t size, size_t count, void *ctx)
{
    struct http_exchange *x = ctx;
    struct str chunk = {p, size * count};
    x->response.body_bytes += (int64_t)chunk.n;
    x->body_too_large = x->request->response_max > 0 && x->response.body_bytes > x->request->response_max;
    if (x->body_too_large)
        return 0;
    if (x->request->on_chunk) {
        long status = 0;
        (void)curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
        x->chunk_refused = !x->request->on_chunk(x->request->ctx, (int)status, chunk);
        return x->chunk_refused ? 0 : chunk.n;
    }
    size_t room = x->body->max - x->body->n;
    sbuf_put(x->body, (struct str){chunk.p, chunk.n < room ? chunk.n : room});
    return chunk.n;
}

// ---- options ----

#define SET(option, value) ok = ok && curl_easy_setopt(easy, (option), (value)) == CURLE_OK

static bool method_set(CURL *easy, const struct http_request *r, const char *method)
{
    bool ok = true, body = r->body.p || r->parts.n > 0;
    if (r->parts.n > 0) {
        // The form sets its own length and type.
    } else if (r->body.p) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n);
        SET(CURLOPT_POSTFIELDS, r->body.p);
    } else if (str_is(r->method, "POST")) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
        SET(CURLOPT_POSTFIELDS, "");
    } else if (str_is(r->method, "HEAD")) {
        SET(CURLOPT_NOBODY, 1L);
    }
    bool plain = !r->method.p || str_is(r->method, "HEAD") ||
                 str_is(r->method, body ? "POST" : "GET") || (!body && str_is(r->method, "POST"));
    if (!plain)
        SET(CURLOPT_CUSTOMREQUEST, method);
    return ok;
}

// What keeps a request inside its bounds and away from the environment.
static bool guard_set(struct http_exchange *x)
{
    CURL *easy = x->easy;
    const struct http_request *r = x->request;
    struct duration connect = r->connect_timeout.us > 0 ? r->connect_timeout
                                                        : duration_s(HTTP_CONNECT_TIMEOUT_S_DEFAULT);
    int64_t hops = r->redirects < HTTP_REDIRECTS_MAX ? r->redirects : HTTP_REDIRECTS_MAX;
    bool ok = true;
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); // else ending a transfer waits for its name look-up, and the loop with it
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_FOLLOWLOCATION, hops > 0 ? 1L : 0L);
    SET(CURLOPT_MAXREDIRS, (long)hops);
    // Zero means "no limit" to libcurl, so that a positive time is at least 1 ms.
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)((connect.us + US_PER_MS - 1) / US_PER_MS));
    SET(CURLOPT_TIMEOUT_MS, r->timeout.us > 0 ? (long)((r->timeout.us + US_PER_MS - 1) / US_PER_MS) : 0L);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open);
    SET(CURLOPT_OPENSOCKETDATA, x);
    if (r->tls_insecure) {
        SET(CURLOPT_SSL_VERIFYPEER, 0L);
        SET(CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (r->ca_file.p)
        SET(CURLOPT_CAINFO, arena_cstr(&x->arena, r->ca_file));
    return ok;
}

static bool options_set(struct http_exchange *x, const char *url, const char *method,
                        struct curl_slist *headers)
{
    CURL *easy = x->easy;
    bool ok = guard_set(x) && http_options_set(x) && method_set(easy, x->request, method);
    SET(CURLOPT_URL, url);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, x);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, x);
    SET(CURLOPT_ERRORBUFFER, x->detail);
    return ok;
}

bool http_exchange_begin(struct http_exchange *x, const struct http_request *r, const struct egress *egress,
                         CURL *easy, struct sbuf *body)
{
    struct err err;
    struct curl_slist *headers = NULL;
    x->request = r;
    x->egress = egress;
    x->easy = easy;
    x->body = body;
    x->response = (struct http_response){.reason = STR(""), .body = STR("")};
    arena_init(&x->arena, HTTP_EXCHANGE_ARENA_MAX);
    body->max = r->body_kept ? r->body_kept : HTTP_BODY_KEPT_DEFAULT;
    if (!http_url_check(r->url, &err) || (r->method.p && !http_header_check(r->method, STR(""), &err))) {
        http_exchange_refuse(x, HTTP_BAD_REQUEST, "%s", err.text);
        return false;
    }
    const char *url = arena_cstr(&x->arena, r->url);
    const char *method = r->method.p ? arena_cstr(&x->arena, r->method) : "GET";
    if (!http_headers_build(x, false, &headers))
        return false;
    if (!url || !method || !options_set(x, url, method, headers)) {
        if (x->response.error == HTTP_DONE)
            http_exchange_refuse(x, HTTP_CLIENT_ERROR, "libcurl does not take the request");
        return false;
    }
    return true;
}

// ---- result ----

void http_exchange_refuse(struct http_exchange *x, enum http_error error, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    x->response.error = error;
    (void)vsnprintf(x->response.sentence, sizeof x->response.sentence, fmt, args);
    va_end(args);
}

static enum http_error error_of(const struct http_exchange *x, CURLcode rc)
{
    switch (rc) {
    case CURLE_OK:
        return HTTP_DONE;
    case CURLE_OPERATION_TIMEDOUT:
        return HTTP_TIMEOUT;
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return x->denied ? HTTP_EGRESS_DENIED : HTTP_CONNECTION_ERROR;
    case CURLE_WRITE_ERROR:
        return x->headers_too_large || x->body_too_large ? HTTP_TOO_LARGE
               : x->denied                               ? HTTP_EGRESS_DENIED
               : x->chunk_refused                        ? HTTP_CANCELLED
                                                         : HTTP_CLIENT_ERROR;
    case CURLE_TOO_MANY_REDIRECTS:
        return HTTP_REDIRECT_ERROR;
    case CURLE_UNSUPPORTED_PROTOCOL: // also said of a first line that is not HTTP/1
        return x->response.redirects > 0 ? HTTP_REDIRECT_ERROR : HTTP_CONNECTION_ERROR;
    case CURLE_URL_MALFORMAT:
        return x->response.redirects > 0 ? HTTP_REDIRECT_ERROR : HTTP_BAD_REQUEST;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return HTTP_TLS_ERROR;
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
        return HTTP_CLIENT_ERROR;
    default:
        return HTTP_CONNECTION_ERROR;
    }
}

static void fail_with(struct http_exchange *x, enum http_error error, CURLcode rc)
{
    struct str host = http_url_authority(http_url_public(x->request->url, &x->arena));
    const char *detail = x->detail[0] ? x->detail : curl_easy_strerror(rc);
    host.n = host.n < HOST_SHOWN_MAX ? host.n : HOST_SHOWN_MAX;
    switch (error) {
    case HTTP_DONE:
        break;
    case HTTP_TIMEOUT:
        http_exchange_refuse(x, error, "no answer from \"%.*s\" in time: %s", STR_ARG(host), detail);
        break;
    case HTTP_EGRESS_DENIED:
        http_exchange_refuse(x, error,
                             "address %s is not allowed by the egress rules (asked for by \"%.*s\")",
                             x->denied_address, STR_ARG(host));
        break;
    case HTTP_TLS_ERROR:
        http_exchange_refuse(x, error, "no trusted TLS connection to \"%.*s\": %s", STR_ARG(host), detail);
        break;
    case HTTP_REDIRECT_ERROR:
        http_exchange_refuse(x, error, "\"%.*s\" redirects too often, or to what is not http: %s",
                             STR_ARG(host), detail);
        break;
    case HTTP_TOO_LARGE:
        if (x->body_too_large) {
            http_exchange_refuse(x, error, "\"%.*s\" sent a body of more than %lld bytes", STR_ARG(host),
                                 (long long)x->request->response_max);
            break;
        }
        http_exchange_refuse(x, error, "\"%.*s\" sent more than %d bytes or %d lines of headers",
                             STR_ARG(host), HTTP_HEADERS_MAX, HTTP_HEADER_LINES_MAX);
        break;
    case HTTP_CANCELLED:
        http_exchange_refuse(x, error, "the request to \"%.*s\" was cancelled", STR_ARG(host));
        break;
    case HTTP_CONNECTION_ERROR:
    case HTTP_BAD_REQUEST:
    case HTTP_CLIENT_ERROR:
        http_exchange_refuse(x, error, "request to \"%.*s\" failed: %s", STR_ARG(host), detail);
        break;
    }
}

static struct duration time_of(CURL *easy, CURLINFO what)
{
    curl_off_t us = 0;
    (void)curl_easy_getinfo(easy, what, &us);
    return (struct duration){us};
}

void http_exchange_end(struct http_exchange *x, CURLcode rc, struct instant now)
{
    struct http_response *p = &x->response;
    long status = 0, redirects = 0;
    (void)curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(x->easy, CURLINFO_REDIRECT_COUNT, &redirects);
    p->status = (int)status;
    p->redirects = redirects;
    fail_with(x, error_of(x, rc), rc);
    p->body = sbuf_str(x->body);
    p->truncated = p->body_bytes > (int64_t)p->body.n;
    p->connect = time_of(x->easy, CURLINFO_CONNECT_TIME_T);
    p->first_byte = time_of(x->easy, CURLINFO_STARTTRANSFER_TIME_T);
    p->total = time_of(x->easy, CURLINFO_TOTAL_TIME_T);
    struct str retry_after = http_header(p, "Retry-After");
    if (retry_after.p)
        p->retry_after = http_retry_after(retry_after, now);
}

void http_exchange_release(struct http_exchange *x)
{
    curl_mime_free(x->form);
    x->form = NULL;
    arena_release(&x->arena);
}
