// SPDX-License-Identifier: Apache-2.0
// The test server: non-blocking sockets on epoll, one buffer per connection.
#include "http_target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sbuf.h"
#include "base/sync.h"

enum { EVENTS = 256, REQUEST_MAX = 4 * 1024 * 1024, PATIENCE_S = 60, BACKLOG = 4096, TICK_MS = 5 };

struct peer {
    int fd;
    struct sbuf in, out;
    size_t sent;
    bool held, dripping, close_after;
    struct peer *next, *before; // all peers
};

struct target {
    int listener, epoll;
    int port;
    pthread_t thread;
    struct peer *peers;
    _Atomic size_t accepted, requests, held;
    _Atomic bool stop, release;
};

static void peer_free(struct target *t, struct peer *p)
{
    if (p->held)
        atomic_fetch_sub(&t->held, 1);
    if (p->before)
        p->before->next = p->next;
    else
        t->peers = p->next;
    if (p->next)
        p->next->before = p->before;
    (void)close(p->fd);
    sbuf_release(&p->in);
    sbuf_release(&p->out);
    mem_free(p);
}

static void answer(struct peer *p, int status, const char *headers, struct str body)
{
    sbuf_fmt(&p->out, "HTTP/1.1 %d Test\r\n%sContent-Length: %zu\r\n\r\n", status, headers, body.n);
    sbuf_put(&p->out, body);
}

static void put_many(struct sbuf *b, char c, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        sbuf_putc(b, c);
}

// The number behind a prefix of the path, or −1.
static int64_t number_behind(struct str path, const char *prefix)
{
    int64_t n;
    struct str pre = str_of(prefix);
    return str_starts(path, pre) && str_to_i64((struct str){path.p + pre.n, path.n - pre.n}, &n) ? n : -1;
}

static void answer_sized(struct peer *p, struct str path)
{
    struct sbuf text;
    int64_t n;
    sbuf_init(&text, NULL, REQUEST_MAX);
    if ((n = number_behind(path, "/bytes/")) >= 0) {
        put_many(&text, 'x', n);
        answer(p, 200, "Content-Type: text/plain\r\n", sbuf_str(&text));
    } else if ((n = number_behind(path, "/headers/")) >= 0) {
        for (int64_t i = 0; i < n; i++)
            sbuf_fmt(&text, "X-%lld: y\r\n", (long long)i);
        answer(p, 200, text.p ? text.p : "", STR(""));
    } else if ((n = number_behind(path, "/header/")) >= 0) {
        sbuf_puts(&text, "X-Long: ");
        put_many(&text, 'y', n);
        sbuf_puts(&text, "\r\n");
        answer(p, 200, text.p, STR(""));
    } else if ((n = number_behind(path, "/status/")) >= 0) {
        sbuf_fmt(&text, "status %lld\n", (long long)n);
        answer(p, (int)n, "Retry-After: 7\r\n", n == 204 ? STR("") : sbuf_str(&text));
    } else {
        answer(p, 404, "", STR("no such test\n"));
    }
    sbuf_release(&text);
}

static void answer_wrong(struct peer *p, struct str path)
{
    p->close_after = true;
    if (str_is(path, "/garbage"))
        sbuf_puts(&p->out, "\x01\x02 this is not HTTP\r\n\r\n");
    if (str_is(path, "/cut"))
        sbuf_puts(&p->out, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
}

static void request_answer(struct target *t, struct peer *p, struct str path, struct str request)
{
    if (str_is(path, "/hold")) {
        p->held = true;
        atomic_fetch_add(&t->held, 1);
    } else if (str_is(path, "/echo")) {
        answer(p, 200, "", request);
    } else if (str_is(path, "/binary")) {
        answer(p, 200, "", str_of_n("\xff\x00\xfe\x80", 4));
    } else if (str_is(path, "/loop")) {
        answer(p, 302, "Location: /loop\r\n", STR(""));
    } else if (str_starts(path, STR("/to?"))) {
        char location[512];
        (void)snprintf(location, sizeof location, "Location: %.*s\r\n", (int)path.n - 4, path.p + 4);
        answer(p, 302, location, STR("elsewhere"));
    } else if (str_is(path, "/drip")) {
        sbuf_puts(&p->out, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
        p->dripping = true;
    } else if (str_is(path, "/events")) {
        sbuf_puts(&p->out,
                  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
                           "8\r\ndata: 1\n\r\n8\r\ndata: 2\n\r\n8\r\ndata: 3\n\r\n0\r\n\r\n");
    } else if (str_is(path, "/close") || str_is(path, "/garbage") || str_is(path, "/cut")) {
        answer_wrong(p, path);
    } else {
        answer_sized(p, path);
    }
}

// Length of the whole request at the start of the buffer; 0 when more must come.
static size_t request_length(struct str in)
{
    const char *end = memmem(in.p, in.n, "\r\n\r\n", 4);
    if (!end)
        return 0;
    size_t head = (size_t)(end - in.p) + 4, body = 0;
    const char *length = memmem(in.p, head, "Content-Length: ", strlen("Content-Length: "));
    if (length)
        body = strtoul(length + strlen("Content-Length: "), NULL, 10);
    return in.n >= head + body ? head + body : 0;
}

static void requests_read(struct target *t, struct peer *p)
{
    for (size_t n; p->in.n > 0 && (n = request_length(sbuf_str(&p->in))) > 0;) {
        struct str request = {p->in.p, n}, path, rest;
        (void)str_split(request, ' ', &rest);
        path = str_split(rest, ' ', &rest);
        atomic_fetch_add(&t->requests, 1);
        request_answer(t, p, path, request);
        memmove(p->in.p, p->in.p + n, p->in.n - n);
        p->in.n -= n;
    }
}

// False when the connection is over.
static bool peer_write(struct peer *p)
{
    while (p->sent < p->out.n) {
        ssize_t n = send(p->fd, p->out.p + p->sent, p->out.n - p->sent, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN;
        p->sent += (size_t)n;
    }
    sbuf_clear(&p->out);
    p->sent = 0;
    return !p->close_after;
}

static bool peer_read(struct target *t, struct peer *p)
{
    char buffer[16384];
    ssize_t n;
    while ((n = recv(p->fd, buffer, sizeof buffer, 0)) > 0)
        sbuf_put(&p->in, str_of_n(buffer, (size_t)n));
    if (n == 0 || errno != EAGAIN)
        return false;
    requests_read(t, p);
    return peer_write(p);
}

static void accept_all(struct target *t)
{
    for (int fd; (fd = accept4(t->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        struct peer *p = mem_new(struct peer);
        p->fd = fd;
        sbuf_init(&p->in, NULL, REQUEST_MAX);
        sbuf_init(&p->out, NULL, REQUEST_MAX);
        p->next = t->peers;
        if (p->next)
            p->next->before = p;
        t->peers = p;
        atomic_fetch_add(&t->accepted, 1);
        struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = p};
        must(epoll_ctl(t->epoll, EPOLL_CTL_ADD, fd, &e) == 0);
    }
}

static void peers_tick(struct target *t)
{
    bool release = atomic_exchange(&t->release, false);
    for (struct peer *p = t->peers, *next; p; p = next) {
        next = p->next;
        if (p->dripping)
            sbuf_putc(&p->out, '.');
        if (release && p->held) {
            p->held = false;
            atomic_fetch_sub(&t->held, 1);
            answer(p, 204, "", STR(""));
        }
        if (p->out.n > 0 && !peer_write(p))
            peer_free(t, p);
    }
}

static void *serve(void *arg)
{
    struct target *t = arg;
    struct epoll_event v[EVENTS];
    while (!atomic_load(&t->stop)) {
        int n = epoll_wait(t->epoll, v, EVENTS, TICK_MS);
        for (int i = 0; i < n; i++) {
            struct peer *p = v[i].data.ptr;
            if (!p)
                accept_all(t);
            else if (!peer_read(t, p))
                peer_free(t, p);
        }
        peers_tick(t);
    }
    return NULL;
}

struct target *target_new(void)
{
    struct target *t = mem_new(struct target);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    t->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    t->epoll = epoll_create1(EPOLL_CLOEXEC);
    must(t->listener >= 0 && t->epoll >= 0);
    must(bind(t->listener, (struct sockaddr *)&a, sizeof a) == 0 && listen(t->listener, BACKLOG) == 0);
    must(getsockname(t->listener, (struct sockaddr *)&a, &n) == 0);
    t->port = ntohs(a.sin_port);
    struct epoll_event e = {.events = EPOLLIN};
    must(epoll_ctl(t->epoll, EPOLL_CTL_ADD, t->listener, &e) == 0);
    t->thread = thread_start("target", serve, t);
    return t;
}

void target_free(struct target *t)
{
    atomic_store(&t->stop, true);
    must(pthread_join(t->thread, NULL) == 0);
    while (t->peers)
        peer_free(t, t->peers);
    (void)close(t->listener);
    (void)close(t->epoll);
    mem_free(t);
}

int target_port(const struct target *t) { return t->port; }
void target_release(struct target *t) { atomic_store(&t->release, true); }
size_t target_accepted(const struct target *t) { return atomic_load(&t->accepted); }
size_t target_requests(const struct target *t) { return atomic_load(&t->requests); }
size_t target_held(const struct target *t) { return atomic_load(&t->held); }

int target_await_held(const struct target *t, size_t n)
{
    struct waker never;
    waker_init(&never, LOCK_TEST);
    for (int i = 0; i < PATIENCE_S * 100 && target_held(t) != n; i++)
        (void)waker_wait(&never, duration_ms(10));
    waker_release(&never);
    return target_held(t) == n;
}
