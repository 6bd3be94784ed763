// SPDX-License-Identifier: Apache-2.0
// The wire: one thread, one connection at a time, two sockets.
#include "proxy.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/sync.h"

enum { CHUNK = 65536, LOOK_MS = 10 };

struct proxy {
    int listener, client, server;
    struct sockaddr_in target;
    int64_t port;
    _Atomic int mode;
    _Atomic bool stop;
    pthread_t thread;
};

static void hang_up(struct proxy *p)
{
    cleanup_fd(&p->client);
    cleanup_fd(&p->server);
    p->client = p->server = -1;
}

static void meet(struct proxy *p)
{
    p->client = accept(p->listener, NULL, NULL);
    p->server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(p->server, (struct sockaddr *)&p->target, sizeof p->target) != 0)
        hang_up(p);
}

// False: this end has closed.
static bool pass(int from, int to)
{
    char buf[CHUNK];
    ssize_t n = read(from, buf, sizeof buf);
    for (ssize_t done = 0, k; n > 0 && done < n; done += k)
        if ((k = send(to, buf + done, (size_t)(n - done), MSG_NOSIGNAL)) <= 0)
            return false;
    return n > 0;
}

static void serve(struct proxy *p, const struct pollfd *fds)
{
    int mode = p->mode;
    if (mode == PROXY_SILENT)
        return;
    if (fds[0].revents && (!pass(p->client, p->server) || mode == PROXY_ONE_WAY)) {
        char byte; // the server has worked on it when it answers
        if (mode == PROXY_ONE_WAY)
            (void)!read(p->server, &byte, 1);
        hang_up(p);
        return;
    }
    if (fds[1].revents && mode == PROXY_PASS && !pass(p->server, p->client))
        hang_up(p);
}

static void *proxy_main(void *arg)
{
    struct proxy *p = arg;
    while (!p->stop) {
        bool met = p->client >= 0, silent = p->mode == PROXY_SILENT;
        struct pollfd fds[] = {{.fd = met ? p->client : p->listener, .events = silent && met ? 0 : POLLIN},
                               {.fd = p->server, .events = silent ? 0 : POLLIN}};
        if (poll(fds, met ? 2 : 1, LOOK_MS) <= 0)
            continue;
        if (met)
            serve(p, fds);
        else
            meet(p);
    }
    return NULL;
}

struct proxy *proxy_new(const char *host, int64_t port)
{
    struct proxy *p = mem_new(struct proxy);
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof own;
    p->client = p->server = -1;
    p->target = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    must(inet_pton(AF_INET, host, &p->target.sin_addr) == 1);
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(bind(p->listener, (struct sockaddr *)&own, sizeof own) == 0 && listen(p->listener, 1) == 0);
    must(getsockname(p->listener, (struct sockaddr *)&own, &n) == 0);
    p->port = ntohs(own.sin_port);
    p->thread = thread_start("proxy", proxy_main, p);
    return p;
}

int64_t proxy_port(const struct proxy *p) { return p->port; }

void proxy_set(struct proxy *p, enum proxy_mode mode) { p->mode = mode; }

void proxy_free(struct proxy *p)
{
    p->stop = true;
    (void)pthread_join(p->thread, NULL);
    hang_up(p);
    cleanup_fd(&p->listener);
    mem_free(p);
}
