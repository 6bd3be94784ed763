// SPDX-License-Identifier: Apache-2.0
// Name resolution has no way to be interrupted, so a thread of its own does it and is left behind when nobody
// waits for it any more; what both sides use is counted.
#include "net/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sync.h"

enum { PORT_TEXT_MAX = 16, PORT_MAX = 65535 };

struct lookup {
    _Atomic int users; // the thread and who waits for it
    int done;          // eventfd
    char host[DIAL_HOST_MAX + 1], port[PORT_TEXT_MAX];
    struct addrinfo *found;
    int failed; // of getaddrinfo
};

static void lookup_drop(struct lookup *l)
{
    if (atomic_fetch_sub(&l->users, 1) > 1)
        return;
    if (l->found)
        freeaddrinfo(l->found);
    close(l->done);
    mem_free(l);
}

static void *lookup_main(void *arg)
{
    struct lookup *l = arg;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    l->failed = getaddrinfo(l->host, l->port, &hints, &l->found);
    (void)eventfd_write(l->done, 1);
    lookup_drop(l);
    return NULL;
}

// ---- waiting ----

struct waiting {
    const struct dial *d;
    struct mono until;
};

static bool stopped(const struct dial *d) { return d->stop && atomic_load(d->stop); }

// Waits for events on a descriptor; ERR_TIMEOUT, or ERR_UNAVAILABLE when stopped.
static bool wait_for(const struct waiting *w, int fd, short events, struct err *err)
{
    const struct dial *d = w->d;
    for (;;) {
        int64_t left_ms = mono_since(w->until, clock_mono(d->clock)).us / US_PER_MS;
        if (stopped(d))
            return ERR(err, ERR_UNAVAILABLE, "\"%.*s:%d\": stopped while connecting", STR_ARG(d->host),
                       d->port);
        if (left_ms <= 0)
            return ERR(err, ERR_TIMEOUT, "\"%.*s:%d\" does not answer within %lld s", STR_ARG(d->host),
                       d->port, (long long)(d->at_most.us / US_PER_S));
        struct pollfd p = {.fd = fd, .events = events};
        if (poll(&p, 1, left_ms < DIAL_SLICE_MS ? (int)left_ms : DIAL_SLICE_MS) > 0)
            return true;
    }
}

// NULL with *err; else the caller drops it.
static struct lookup *resolve(const struct waiting *w, struct err *err)
{
    const struct dial *d = w->d;
    if (d->host.n == 0 || d->host.n > DIAL_HOST_MAX || memchr(d->host.p, '\0', d->host.n) || d->port < 1 ||
        d->port > PORT_MAX) {
        (void)ERR(err, ERR_INVALID, "a host has 1 to %d bytes, a port is from 1 to %d", DIAL_HOST_MAX,
                  PORT_MAX);
        return NULL;
    }
    struct lookup *l = mem_new(struct lookup);
    memcpy(l->host, d->host.p, d->host.n);
    (void)snprintf(l->port, sizeof l->port, "%d", d->port);
    l->users = 2;
    l->done = eventfd(0, EFD_CLOEXEC);
    must(l->done >= 0);
    must(pthread_detach(thread_start("lookup", lookup_main, l)) == 0);
    bool answered = wait_for(w, l->done, POLLIN, err);
    if (answered && l->failed == 0)
        return l;
    if (answered)
        (void)ERR(err, ERR_UNAVAILABLE, "host \"%s\" cannot be resolved: %s", l->host,
                  gai_strerror(l->failed));
    lookup_drop(l);
    return NULL;
}

static bool connect_to(const struct waiting *w, const struct addrinfo *at, int *ret_fd, struct err *err)
{
    const struct dial *d = w->d;
    int fd CLEANUP(cleanup_fd) = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return ERR_ERRNO(err, "a socket cannot be opened");
    int failed = connect(fd, at->ai_addr, at->ai_addrlen) == 0 ? 0 : errno;
    if (failed == EINPROGRESS) {
        socklen_t n = sizeof failed;
        if (!wait_for(w, fd, POLLOUT, err))
            return false;
        must(getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &n) == 0);
    }
    if (failed != 0) {
        errno = failed;
        (void)ERR_ERRNO(err, "\"%.*s:%d\" cannot be reached", STR_ARG(d->host), d->port);
        err->code = ERR_UNAVAILABLE;
        err->native = 0; // there it would be taken for an answer
        return false;
    }
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    *ret_fd = fd;
    fd = -1;
    return true;
}

bool dial(const struct dial *d, int *ret_fd, struct err *err)
{
    struct waiting w = {d, mono_add(clock_mono(d->clock), d->at_most)};
    struct lookup *l = resolve(&w, err);
    if (!l)
        return false;
    bool ok = false, tried = false;
    for (const struct addrinfo *at = l->found; at && !ok; at = at->ai_next) {
        if (d->egress && !egress_permits(d->egress, at->ai_addr))
            continue;
        tried = true;
        ok = connect_to(&w, at, ret_fd, err);
    }
    if (!ok && !tried)
        (void)ERR(err, ERR_DENIED,
                  "the address of \"%s\" is refused by the egress guard; an administrator can open it with "
                  "egress.allow",
                  l->host);
    lookup_drop(l);
    return ok;
}

bool dial_address(const struct dial *d, char ret[static DIAL_ADDRESS_MAX], struct err *err)
{
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    socklen_t n = sizeof peer;
    int fd CLEANUP(cleanup_fd) = -1;
    if (!dial(d, &fd, err))
        return false;
    if (getpeername(fd, (struct sockaddr *)&peer, &n) != 0 ||
        getnameinfo((struct sockaddr *)&peer, n, ret, DIAL_ADDRESS_MAX, NULL, 0, NI_NUMERICHOST) != 0)
        return ERR(err, ERR_UNAVAILABLE, "\"%.*s:%d\" has closed the connection", STR_ARG(d->host), d->port);
    return true;
}

bool dial_peer_permitted(int fd, const struct egress *egress)
{
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    socklen_t n = sizeof peer;
    return getpeername(fd, (struct sockaddr *)&peer, &n) == 0 &&
           (!egress || egress_permits(egress, (struct sockaddr *)&peer));
}
