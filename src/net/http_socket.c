// SPDX-License-Identifier: Apache-2.0
// libcurl's sockets on libuv: one poll handle per socket for its whole life.
//
// libcurl says "remove" whenever a kept-alive connection becomes idle and "add" when it is used again. Each
// pair would cost two epoll_ctl calls per request; so an idle socket stays armed, and only an event that
// nobody wants (the peer closes) disarms it. That is safe for sockets that libcurl closes through our
// function, which stops the handle first; the socket pairs of its resolver it closes itself, so those are
// disarmed at "remove".
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"
#include "net/http_lane.h"

enum { POLLS_FIRST = 256 };

struct http_poll {
    uv_poll_t uv;
    struct http_lane *lane;
    struct http_shard *shard; // of the last user; NULL when no multi watches it
    int wanted, armed;        // UV_READABLE | UV_WRITABLE
    bool ours;                // opened and closed through our functions
};

static void on_closed(uv_handle_t *h)
{
    mem_free(h->data);
}

static struct http_poll **poll_slot(struct http_lane *l, curl_socket_t fd)
{
    size_t cap = l->poll_cap ? l->poll_cap : POLLS_FIRST;
    while (cap <= (size_t)fd)
        cap *= 2;
    if (cap != l->poll_cap) {
        l->polls = mem_resize(l->polls, cap, sizeof l->polls[0]);
        memset(l->polls + l->poll_cap, 0, (cap - l->poll_cap) * sizeof l->polls[0]);
        l->poll_cap = cap;
    }
    return &l->polls[fd];
}

static void poll_free(struct http_lane *l, curl_socket_t fd)
{
    struct http_poll **slot = poll_slot(l, fd);
    if (!*slot)
        return;
    l->connections -= (*slot)->ours;
    uv_close((uv_handle_t *)&(*slot)->uv, on_closed); // stops it at once; freed in the next turn
    *slot = NULL;
}

static struct http_poll *poll_new(struct http_lane *l, curl_socket_t fd, bool ours)
{
    poll_free(l, fd); // a socket closed behind our back
    struct http_poll *p = mem_new(struct http_poll);
    p->lane = l;
    p->ours = ours;
    p->uv.data = p;
    if (uv_poll_init(loop_uv(l->loop), &p->uv, fd) != 0) {
        mem_free(p);
        return NULL;
    }
    *poll_slot(l, fd) = p;
    l->connections += ours;
    return p;
}

void lane_polls_close(struct http_lane *l)
{
    for (size_t fd = 0; fd < l->poll_cap; fd++)
        poll_free(l, (curl_socket_t)fd);
}

static void on_event(uv_poll_t *h, int status, int events);

static void poll_arm(struct http_poll *p, int events)
{
    if (events == p->armed)
        return;
    p->armed = events;
    if (events)
        must(uv_poll_start(&p->uv, events, on_event) == 0);
    else
        must(uv_poll_stop(&p->uv) == 0);
}

static void on_event(uv_poll_t *h, int status, int events)
{
    struct http_poll *p = h->data;
    struct http_shard *s = p->shard;
    uv_os_fd_t fd;
    must(uv_fileno((uv_handle_t *)h, &fd) == 0);
    if (status < 0)
        events = p->armed; // let libcurl find the error out
    if (!s || !(events & p->wanted)) {
        poll_arm(p, p->wanted);
        return;
    }
    int mask = status < 0 ? CURL_CSELECT_ERR : 0;
    mask |= (events & UV_READABLE) ? CURL_CSELECT_IN : 0;
    mask |= (events & UV_WRITABLE) ? CURL_CSELECT_OUT : 0;
    int running;
    (void)curl_multi_socket_action(s->multi, fd, mask, &running);
    shard_finish(s);
}

// ---- what libcurl calls ----

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
    struct http_shard *s = ctx;
    struct http_lane *l = s->lane;
    struct http_poll *p = *poll_slot(l, fd);
    (void)easy;
    (void)socket_ctx;
    if (what == CURL_POLL_REMOVE) {
        if (p && p->ours) {
            p->wanted = 0;
            p->shard = NULL;
        } else if (p) {
            poll_free(l, fd);
        }
        return 0;
    }
    if (!p && !(p = poll_new(l, fd, false)))
        return -1;
    p->shard = s;
    p->wanted = ((what & CURL_POLL_IN) ? UV_READABLE : 0) | ((what & CURL_POLL_OUT) ? UV_WRITABLE : 0);
    if ((p->wanted & ~p->armed) || (p->armed & ~p->wanted & UV_WRITABLE)) // writable would fire all the time
        poll_arm(p, p->wanted);
    return 0;
}

static void on_timer(void *ctx)
{
    struct http_shard *s = ctx;
    int running;
    (void)curl_multi_socket_action(s->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    shard_finish(s);
}

static int on_timeout(CURLM *multi, long wait_ms, void *ctx)
{
    struct http_shard *s = ctx;
    (void)multi;
    if (wait_ms < 0)
        loop_timer_stop(s->lane->loop, &s->timer);
    else
        loop_timer_set(s->lane->loop, &s->timer, mono_add(loop_now(s->lane->loop), duration_ms(wait_ms)));
    return 0;
}

bool shard_attach(struct http_shard *s)
{
    loop_timer_init(&s->timer, on_timer, s);
    const long most = SHARD_CONNECTIONS_MAX;
    return curl_multi_setopt(s->multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
           curl_multi_setopt(s->multi, CURLMOPT_SOCKETDATA, s) == CURLM_OK &&
           curl_multi_setopt(s->multi, CURLMOPT_TIMERFUNCTION, on_timeout) == CURLM_OK &&
           curl_multi_setopt(s->multi, CURLMOPT_TIMERDATA, s) == CURLM_OK &&
           curl_multi_setopt(s->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, most) == CURLM_OK &&
           curl_multi_setopt(s->multi, CURLMOPT_MAX_HOST_CONNECTIONS, most) == CURLM_OK &&
           curl_multi_setopt(s->multi, CURLMOPT_MAXCONNECTS, most) == CURLM_OK;
}

static void resolved(struct http_transfer *t)
{
    t->lane->resolving -= t->resolving;
    t->resolving = false;
}

static void on_opened(void *ctx, curl_socket_t fd)
{
    struct http_transfer *t = ctx;
    resolved(t);
    (void)poll_new(t->lane, fd, true);
}

static int on_close(void *ctx, curl_socket_t fd)
{
    poll_free(ctx, fd);
    return close(fd);
}

// A connection is there, new or kept alive; the request comes next.
static int on_ready(void *ctx, char *to, char *from, int to_port, int from_port)
{
    (void)to;
    (void)from;
    (void)to_port;
    (void)from_port;
    resolved(ctx);
    return CURL_PREREQFUNC_OK;
}

bool lane_watch_sockets(struct http_lane *l, struct http_transfer *t)
{
    CURL *easy = t->handle->easy;
    t->x.opened = on_opened;
    t->x.opened_ctx = t;
    return curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, l) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_ready) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PREREQDATA, t) == CURLE_OK;
}
