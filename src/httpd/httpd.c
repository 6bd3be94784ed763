// SPDX-License-Identifier: Apache-2.0
// The server on libmicrohttpd 0.9.75+: the only file that knows the library.
//
// Life of a request: target_seen (request line) → on_access, first call (headers) → more calls (body) →
// last call (body complete): the connection is suspended and the request pushed → a worker handles it,
// builds the answer and resumes → on_access once more queues the answer → on_done frees. Never is a
// connection suspended with nobody who will resume it, because the library aborts when it is stopped in
// that state.
//
// The library is told to be lenient (STRICT_FOR_CLIENT 0): its strictness closes connections without an
// answer. What it lets through is checked here and refused with a problem.
#include "httpd/impl.h"

#include <linux/tcp.h>
#include <microhttpd.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "httpd/head.h"
#include "httpd/listen.h"
#include "httpd/safe.h"
#include "httpd/target.h"
#include "httpd/tls.h"

enum {
    // Holds 16 KiB of headers with the library's records about them. Above 32 KiB the library maps the memory
    // instead of taking it from the heap, so that a burst of connections leaves nothing behind.
    CONNECTION_MEMORY = 33 * 1024,
    CONNECTION_STACK = 256 * 1024,
    STREAM_BLOCK = 1024,
    PARTS_BYTES = 64 * 1024,
    BODY_DRAIN_TIMES = 4,
    STOP_GRACE_S = 2,
    WATCH_MIN_MS = 20,
    WATCH_MAX_MS = 1000,
    WATCH_PER_DEADLINE = 4,
};

static struct duration now_since(struct mono t)
{
    return mono_since(clock_mono(clock_real()), t);
}

void connection_suspend(struct MHD_Connection *c)
{
    MHD_suspend_connection(c);
}

void connection_resume(struct MHD_Connection *c)
{
    MHD_resume_connection(c);
}

// -- answers --

static bool has_header(const struct httpd_response *r, const char *name)
{
    for (size_t i = 0; i < r->headers.n; i++)
        if (str_eq_nocase(r->headers.v[i].key, str_of(name)))
            return true;
    return false;
}

static void add_headers(struct MHD_Response *m, const struct httpd_response *r, bool with_body)
{
    for (size_t i = 0; i < r->headers.n; i++)
        (void)MHD_add_response_header(m, r->headers.v[i].key.p, r->headers.v[i].value.p);
    if (with_body && !has_header(r, MHD_HTTP_HEADER_CONTENT_TYPE))
        (void)MHD_add_response_header(m, MHD_HTTP_HEADER_CONTENT_TYPE,
                                      r->content_type ? r->content_type : "application/json");
    if (r->close)
        (void)MHD_add_response_header(m, MHD_HTTP_HEADER_CONNECTION, "close");
}

static ssize_t on_stream_read(void *ctx, uint64_t pos, char *buf, size_t max)
{
    (void)pos;
    ssize_t n = stream_read(ctx, buf, max);
    return n == STREAM_END ? MHD_CONTENT_READER_END_OF_STREAM : n;
}

static void response_init(struct request *r)
{
    r->resp = (struct httpd_response){.status = MHD_HTTP_OK};
    sbuf_init(&r->resp.body, &r->a, HTTPD_RESPONSE_MAX);
}

static void problem(struct request *r, int status, const char *detail)
{
    response_init(r);
    r->h->handlers.problem(r->h->handlers.ctx, &r->pub, status, detail, &r->resp);
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
        httpd_response_header(&r->resp, &r->a, MHD_HTTP_HEADER_RETRY_AFTER, STR("1"));
}

// Turns a source into an open stream, or the answer into a problem when there are too many.
static void open_stream(struct request *r)
{
    const struct httpd_source source = *r->resp.source;
    r->stream = stream_new(r->h, &source, r->mhd);
    if (!r->stream) {
        source.closed(source.ctx);
        problem(r, MHD_HTTP_SERVICE_UNAVAILABLE, "too many event streams are open; try again later");
        return;
    }
    source.opened(source.ctx, r->stream);
    r->resp.content_type = "text/event-stream";
    // A buffering proxy would hold the events back.
    httpd_response_header(&r->resp, &r->a, "X-Accel-Buffering", STR("no"));
}

static void build_answer(struct request *r)
{
    if (r->resp.source)
        open_stream(r);
    if (!sbuf_ok(&r->resp.body))
        problem(r, MHD_HTTP_INTERNAL_SERVER_ERROR, "the answer is too large; ask for a smaller page");
    struct str body = sbuf_str(&r->resp.body);
    if (r->stream)
        r->answer = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, on_stream_read,
                                                      r->stream, NULL);
    else // the bytes live in the request's arena, which is freed after the answer was sent
        r->answer = MHD_create_response_from_buffer(body.n, (void *)(uintptr_t)body.p,
                                                    MHD_RESPMEM_PERSISTENT);
    must(r->answer);
    if (atomic_load(&r->h->draining))
        r->resp.close = true;
    safe_headers(&r->resp, &r->a, r->pub.https);
    add_headers(r->answer, &r->resp, r->stream || body.n > 0);
    r->state = REQUEST_ANSWERED;
}

static enum MHD_Result send_answer(struct request *r)
{
    r->state = REQUEST_SENT;
    return MHD_queue_response(r->mhd, (unsigned)r->resp.status, r->answer);
}

// An answer of the server itself, on the connection thread. Closes: what follows cannot be trusted to be a
// request.
static enum MHD_Result refuse(struct request *r, int status, const char *detail)
{
    conn_arrived(r->conn);
    problem(r, status, detail);
    r->resp.close = true;
    build_answer(r);
    return send_answer(r);
}

// -- workers --

static void run_request(void *item)
{
    struct request *r = item;
    response_init(r);
    if (now_since(r->queued_at).us > r->h->config.request_timeout.us)
        problem(r, MHD_HTTP_SERVICE_UNAVAILABLE, "the server is too busy; try again later");
    else
        r->h->handlers.handle(r->h->handlers.ctx, &r->pub, &r->resp);
    build_answer(r);
    connection_resume(r->mhd); // r belongs to the connection thread from here on
}

static enum MHD_Result push_request(struct request *r)
{
    struct str body = sbuf_str(&r->body);
    if (body.n > 0)
        r->pub.body = body;
    r->state = REQUEST_QUEUED;
    r->queued_at = clock_mono(clock_real());
    atomic_fetch_add(&r->h->active, 1);
    // First asleep, then given away: the worker may be done before push returns.
    connection_suspend(r->mhd);
    if (workers_push(r->h->workers, r))
        return MHD_YES;
    problem(r, MHD_HTTP_SERVICE_UNAVAILABLE, "the server is too busy; try again later");
    build_answer(r);
    connection_resume(r->mhd);
    return MHD_YES;
}

// -- requests --

static void *target_seen(void *ctx, const char *uri, struct MHD_Connection *mhd)
{
    struct httpd *h = ctx;
    struct request *r = mem_new(struct request);
    *r = (struct request){.h = h, .mhd = mhd};
    r->conn = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    r->conn->served = true;
    atomic_store(&r->conn->begun, true);
    conn_await(r->conn, h->config.request_timeout);
    arena_init(&r->a, HTTPD_RESPONSE_MAX);
    r->raw_target = arena_str(&r->a, str_of(uri ? uri : ""));
    sbuf_init(&r->body, NULL, (size_t)h->config.body_max);
    r->pub = (struct httpd_request){.path = STR("/"), .a = &r->a, .headers = &r->headers,
                                    .remote = str_of(r->conn->remote), .https = h->tls != NULL};
    return r;
}

static void on_done(void *ctx, struct MHD_Connection *mhd, void **request,
                    enum MHD_RequestTerminationCode code)
{
    (void)ctx, (void)mhd, (void)code;
    struct request *r = *request;
    *request = NULL;
    if (!r)
        return;
    struct httpd *h = r->h;
    bool counted = r->state >= REQUEST_QUEUED && r->queued_at.us != 0;
    if (r->stream)
        stream_free(r->stream);
    if (r->answer)
        MHD_destroy_response(r->answer);
    // The next request may take its time to begin (idle) and then to arrive.
    atomic_store(&r->conn->begun, false);
    conn_await(r->conn, (struct duration){h->config.idle_timeout.us + h->config.request_timeout.us});
    sbuf_release(&r->body);
    arena_release(&r->a);
    mem_free(r);
    if (counted && atomic_fetch_sub(&h->active, 1) == 1 && atomic_load(&h->draining)) {
        WITH_LOCK(&h->lock);
        cond_broadcast(&h->changed);
    }
}

struct header_filler {
    struct request *r;
    size_t cap;
};

static enum MHD_Result on_header(void *ctx, enum MHD_ValueKind kind, const char *key, size_t key_n,
                                 const char *value, size_t value_n)
{
    (void)kind;
    struct header_filler *f = ctx;
    char *name = arena_alloc(&f->r->a, key_n + 1);
    if (!name || f->r->headers.n == f->cap)
        return MHD_NO;
    for (size_t i = 0; i < key_n; i++)
        name[i] = (char)(key[i] >= 'A' && key[i] <= 'Z' ? key[i] | ' ' : key[i]);
    // Values stay in the connection's memory, which outlives the request.
    f->r->headers.v[f->r->headers.n++] =
        (struct str_pair){str_of_n(name, key_n), str_trim(str_of_n(value ? value : "", value_n))};
    return MHD_YES;
}

static void read_headers(struct request *r)
{
    int n = MHD_get_connection_values_n(r->mhd, MHD_HEADER_KIND, NULL, NULL);
    struct header_filler f = {r, n > 0 ? (size_t)n : 0};
    r->headers.v = arena_new_array(&r->a, struct str_pair, f.cap);
    must(r->headers.v);
    (void)MHD_get_connection_values_n(r->mhd, MHD_HEADER_KIND, on_header, &f);
    must(r->headers.n == f.cap);
}

// Whether the raw head is clean can only be seen in the buffer of the versions whose layout is known; later
// ones refuse such heads themselves.
static bool raw_head_clean(const struct request *r, struct str head, const char *version)
{
    static const char known[] = "0.9.7";
    if (strncmp(MHD_get_version(), known, sizeof known - 1) != 0)
        return true;
    const char *end = head.p + head.n;
    if (version < head.p || version >= end) // no version: HTTP/0.9
        return false;
    size_t line_end = strlen(version);
    bool crlf = end - version > (ptrdiff_t)line_end + 1 && version[line_end + 1] == '\0';
    const char *first = version + line_end + 2;
    // The raw target was copied up to its first NUL; what stands between it and the version must be one
    // blank.
    const char *target = head.p + strlen(head.p) + 1;
    return crlf && first <= end && version - target == (ptrdiff_t)r->raw_target.n + 1 &&
           head_block_clean(str_of_n(first, (size_t)(end - first)), r->headers.n);
}

static struct refusal check_head(struct request *r, const char *method, const char *version)
{
    size_t size = MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
    if (r->raw_target.n > HTTPD_TARGET_MAX)
        return (struct refusal){MHD_HTTP_URI_TOO_LONG, "the request target is too long"};
    if (size > HTTPD_HEADER_MAX)
        return (struct refusal){MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE, "the headers are too large"};
    read_headers(r);
    forward_look(&r->h->forward, str_of(r->conn->remote), &r->headers, &r->seen);
    r->pub.remote = str_of(r->seen.client);
    r->pub.https = r->pub.https || r->seen.https;
    if (!raw_head_clean(r, str_of_n(method, size), version))
        return (struct refusal){MHD_HTTP_BAD_REQUEST, "the request head is malformed"};
    bool options = str_is(r->pub.method, MHD_HTTP_METHOD_OPTIONS);
    const char *bad = target_parse(r->raw_target, options, &r->pub.path, &r->pub.query, &r->a);
    if (bad)
        return (struct refusal){MHD_HTTP_BAD_REQUEST, bad};
    bool http11 = strcmp(version, MHD_HTTP_VERSION_1_0) != 0;
    // Answering before the body has arrived would reset the connection under a client that is still writing, and the
    // answer would be lost with it: what is moderately too large is read and refused afterwards (on_body_end),
    // unless the client waits for our word.
    bool waits = httpd_header(&r->pub, "expect").p != NULL;
    return headers_check(&r->headers, http11, r->h->config.body_max * (waits ? 1 : BODY_DRAIN_TIMES));
}

static enum MHD_Result on_head(struct request *r, const char *method, const char *version)
{
    bool head = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    // The library leaves the body of an answer to HEAD out by itself.
    r->pub.method = head ? STR(MHD_HTTP_METHOD_GET) : str_of(method);
    r->body_ignored = str_is(r->pub.method, MHD_HTTP_METHOD_GET);
    struct refusal no = check_head(r, method, version);
    if (no.status)
        return refuse(r, no.status, no.detail);
    r->state = REQUEST_BODY;
    return MHD_YES;
}

// What is over the bound is thrown away; past the second bound, which only a chunked body can reach, the
// connection is dropped: the library takes no answer before the end of a body.
static enum MHD_Result on_body(struct request *r, const char *data, size_t n)
{
    r->body_seen += (int64_t)n;
    if (r->body_seen > r->h->config.body_max * BODY_DRAIN_TIMES)
        return MHD_NO;
    if (!r->body_ignored && r->body_seen <= r->h->config.body_max)
        sbuf_put(&r->body, str_of_n(data, n));
    return MHD_YES;
}

static enum MHD_Result on_body_end(struct request *r)
{
    conn_arrived(r->conn);
    if (r->body_seen > r->h->config.body_max)
        return refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "the body is larger than this server takes");
    if (!sbuf_ok(&r->body) || atomic_load(&r->h->draining))
        return refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "the server is stopping or out of memory");
    return push_request(r);
}

static enum MHD_Result on_access(void *ctx, struct MHD_Connection *mhd, const char *url, const char *method,
                                 const char *version, const char *data, size_t *data_n, void **request)
{
    (void)ctx, (void)mhd, (void)url;
    struct request *r = *request;
    switch (r->state) {
    case REQUEST_NEW:
        return on_head(r, method, version);
    case REQUEST_BODY:
        if (*data_n == 0)
            return on_body_end(r);
        enum MHD_Result taken = on_body(r, data, *data_n);
        *data_n = 0;
        return taken;
    case REQUEST_ANSWERED:
        return send_answer(r);
    case REQUEST_QUEUED:
    case REQUEST_SENT:
        break;
    }
    return MHD_NO;
}

// -- connections --

// A request line so malformed that the library closes without a word still gets an answer.
static void answer_garbage(const struct httpd *h, const struct conn *c)
{
    struct tcp_info info = {.tcpi_state = 0};
    socklen_t n = sizeof info;
    bool spoke = getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0 && info.tcpi_bytes_received > 0;
    if (spoke && !c->served && h->tls)
        conn_say_https(c->fd);
    else if (spoke && !c->served)
        conn_say(c->fd, "400 Bad Request");
}

static void on_connection(void *ctx, struct MHD_Connection *mhd, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct httpd *h = ctx;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        const union MHD_ConnectionInfo *peer =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        *socket_context = conn_new(h, fd->connect_fd, peer->client_addr);
        return;
    }
    answer_garbage(h, *socket_context);
    conn_free(h, *socket_context);
    *socket_context = NULL;
}

// Queries and paths are decoded in target.c; the library's own decoding is switched off.
static size_t on_unescape(void *ctx, struct MHD_Connection *mhd, char *s)
{
    (void)ctx, (void)mhd;
    return strlen(s);
}

static void on_panic(void *ctx, const char *file, unsigned line, const char *reason)
{
    (void)ctx;
    must_fail(reason ? reason : "libmicrohttpd", file, (int)line);
}

static void *watch_main(void *arg)
{
    struct httpd *h = arg;
    int64_t tick_us = h->config.request_timeout.us / WATCH_PER_DEADLINE;
    if (tick_us > WATCH_MAX_MS * US_PER_MS)
        tick_us = WATCH_MAX_MS * US_PER_MS;
    if (tick_us < WATCH_MIN_MS * US_PER_MS)
        tick_us = WATCH_MIN_MS * US_PER_MS;
    for (;;) {
        mutex_lock(&h->lock);
        if (!h->watch_stop)
            (void)cond_wait_for(&h->changed, &h->lock, (struct duration){tick_us});
        bool stop = h->watch_stop;
        mutex_unlock(&h->lock);
        if (stop)
            return NULL;
        struct mono now = clock_mono(clock_real());
        conns_watch(h, now);
        streams_watch(h, now);
    }
}

// -- start and stop --

static unsigned timeout_s(struct duration d)
{
    int64_t s = (d.us + US_PER_S - 1) / US_PER_S;
    return s < 1 ? 1 : (unsigned)s;
}

static struct MHD_Daemon *daemon_start(struct httpd *h, int fd)
{
    const struct httpd_config *c = &h->config;
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_LISTEN_SOCKET, fd, NULL},
        {MHD_OPTION_THREAD_POOL_SIZE, c->threads, NULL},
        {MHD_OPTION_THREAD_STACK_SIZE, CONNECTION_STACK, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, c->connections_max, NULL},
        {MHD_OPTION_PER_IP_CONNECTION_LIMIT, c->connections_address_max, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, timeout_s(c->idle_timeout), NULL},
        {MHD_OPTION_STRICT_FOR_CLIENT, 0, NULL},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)on_unescape, h},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)target_seen, h},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_done, h},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, h},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem tls_options[] = {
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)tls_priorities},
        {MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, tls_retrieve()},
        {MHD_OPTION_END, 0, NULL},
    };
    if (!h->tls)
        tls_options[0].option = MHD_OPTION_END;
    // The library's threads inherit the mask: signals belong to the main thread.
    sigset_t all, before;
    must(sigfillset(&all) == 0 && pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    MHD_set_panic_func(on_panic, NULL);
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO;
    struct MHD_Daemon *d = MHD_start_daemon(flags | (h->tls ? MHD_USE_TLS : 0), 0, NULL, NULL, on_access, h,
                                            MHD_OPTION_ARRAY, options, MHD_OPTION_ARRAY, tls_options, MHD_OPTION_END);
    must(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    return d;
}

// What can be wrong with the settings, before anything is started.
static bool open_parts(struct httpd *h, int *ret_fd, struct err *err)
{
    const struct httpd_config *c = &h->config;
    return forward_parse(c->trusted_proxies, c->forwarded_standard, &h->forward, &h->a, err) &&
           (c->tls_certificate.n == 0 || tls_open(c->tls_certificate, c->tls_key, &h->tls, err)) &&
           listen_open(c->listen, ret_fd, &h->port, err);
}

static void free_parts(struct httpd *h)
{
    tls_close(h->tls);
    arena_release(&h->a);
    mem_free(h);
}

bool httpd_start(const struct httpd_config *c, const struct httpd_handlers *handlers, struct httpd **ret,
                 struct err *err)
{
    int fd;
    struct httpd *h = mem_new(struct httpd);
    *h = (struct httpd){.config = *c, .handlers = *handlers};
    arena_init(&h->a, PARTS_BYTES);
    if (!open_parts(h, &fd, err)) {
        free_parts(h);
        return false;
    }
    mutex_init(&h->lock, LOCK_HTTPD_STREAMS);
    cond_init(&h->changed);
    h->workers = workers_new((size_t)c->workers,
                             c->waiting_max > 0 ? (size_t)c->waiting_max : HTTPD_WAITING_MAX, run_request);
    h->daemon = daemon_start(h, fd);
    if (!h->daemon) {
        workers_stop(h->workers);
        workers_free(h->workers);
        cond_release(&h->changed);
        mutex_release(&h->lock);
        free_parts(h);
        (void)close(fd);
        return ERR(err, ERR_CONFIG, "HTTP server could not start; lower http.threads or http.connections");
    }
    h->watch = thread_start("http-watch", watch_main, h);
    *ret = h;
    return true;
}

int httpd_port(const struct httpd *h)
{
    return h->port;
}

static void wait_until_answered(struct httpd *h)
{
    WITH_LOCK(&h->lock);
    while (atomic_load(&h->active) > 0)
        if (!cond_wait_for(&h->changed, &h->lock, duration_s(STOP_GRACE_S)))
            return; // the client does not read its answer
}

void httpd_stop(struct httpd *h)
{
    int fd = MHD_quiesce_daemon(h->daemon);
    if (fd >= 0)
        (void)close(fd);
    atomic_store(&h->draining, true);
    mutex_lock(&h->lock);
    h->stopping = true; // from here on no stream goes to sleep
    mutex_unlock(&h->lock);
    streams_wake_all(h);
    workers_stop(h->workers);
    wait_until_answered(h);
    mutex_lock(&h->lock);
    h->watch_stop = true;
    cond_broadcast(&h->changed);
    mutex_unlock(&h->lock);
    must(pthread_join(h->watch, NULL) == 0);
    MHD_stop_daemon(h->daemon);
    workers_free(h->workers);
    cond_release(&h->changed);
    mutex_release(&h->lock);
    free_parts(h);
}

bool httpd_tls_reload(struct httpd *h, bool always, bool *ret_changed, struct err *err)
{
    *ret_changed = false;
    return !h->tls || tls_reload(h->tls, always, ret_changed, err);
}

struct instant httpd_tls_expires(struct httpd *h)
{
    return h->tls ? tls_expires(h->tls) : INSTANT_NEVER;
}
