// SPDX-License-Identifier: Apache-2.0
// The socket is opened here and not by the HTTP library, so that a taken port gives a sentence and not a
// NULL.
#include "httpd/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sync.h"

enum { BACKLOG = 1024, HOST_MAX = 256, PORT_MAX = 65535, PORT_TEXT_MAX = 8 };

struct endpoint {
    char host[HOST_MAX];
    char port[PORT_TEXT_MAX];
};

static bool endpoint_parse(struct str s, struct endpoint *ret)
{
    size_t colon = s.n;
    while (colon > 0 && s.p[colon - 1] != ':')
        colon--;
    int64_t port;
    if (colon == 0 || !str_to_i64(str_of_n(s.p + colon, s.n - colon), &port) || port < 0 || port > PORT_MAX)
        return false;
    struct str host = str_of_n(s.p, colon - 1);
    bool brackets = host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
    if (brackets)
        host = str_of_n(host.p + 1, host.n - 2);
    // An IPv6 address without brackets could hide a forgotten port.
    if (host.n == 0 || host.n >= HOST_MAX || (!brackets && str_find(host, ':') < host.n))
        return false;
    *ret = (struct endpoint){.host = ""};
    memcpy(ret->host, host.p, host.n);
    (void)snprintf(ret->port, sizeof ret->port, "%d", (int)port);
    return true;
}

static int port_of(int fd)
{
    struct sockaddr_storage ss = {.ss_family = AF_UNSPEC};
    socklen_t n = sizeof ss;
    must(getsockname(fd, (struct sockaddr *)&ss, &n) == 0);
    if (ss.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&ss)->sin6_port);
    return ntohs(((struct sockaddr_in *)&ss)->sin_port);
}

static bool try_listen(const struct addrinfo *ai, int *ret_fd)
{
    int on = 1;
    CLEANUP(cleanup_fd) int fd =
        socket(ai->ai_family, ai->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, ai->ai_protocol);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
        return false;
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0)
        return false;
    *ret_fd = fd;
    fd = -1;
    return true;
}

static bool refuse(struct str address, int code, struct err *err)
{
    const char *why = NULL;
    if (code == EADDRINUSE)
        why = "address already in use; stop the other server or set http.listen";
    else if (code == EACCES)
        why = "permission denied; set http.listen to a port above 1023";
    else if (code == EADDRNOTAVAIL)
        why = "no such address on this machine; set http.listen to one it has";
    if (why) {
        (void)ERR(err, ERR_CONFIG, "cannot listen on %.*s: %s", STR_ARG(address), why);
        err->native = code;
        return false;
    }
    errno = code;
    return ERR_ERRNO(err, "cannot listen on %.*s", STR_ARG(address));
}

bool listen_open(struct str address, int *ret_fd, int *ret_port, struct err *err)
{
    struct endpoint e;
    if (!endpoint_parse(address, &e))
        return ERR(err, ERR_CONFIG, "http.listen \"%.*s\" is not host:port, such as 127.0.0.1:8080",
                   STR_ARG(address));
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(e.host, e.port, &hints, &list);
    if (rc != 0)
        return ERR(err, ERR_CONFIG, "cannot listen on %.*s: %s; set http.listen to an address",
                   STR_ARG(address), gai_strerror(rc));
    bool ok = false;
    for (const struct addrinfo *ai = list; ai && !ok; ai = ai->ai_next)
        ok = try_listen(ai, ret_fd);
    int code = errno;
    freeaddrinfo(list);
    if (!ok)
        return refuse(address, code, err);
    *ret_port = port_of(*ret_fd);
    return true;
}
