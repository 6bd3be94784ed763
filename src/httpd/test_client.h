// SPDX-License-Identifier: Apache-2.0
// Raw sockets for the tests of httpd: they must be able to send what no HTTP client would. Included by
// tests only.
#ifndef HTTPD_TEST_CLIENT_H
#define HTTPD_TEST_CLIENT_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "httpd/httpd.h"

enum { REPLY_MAX = 1 << 16, PATIENCE_S = 20 };

struct reply {
    size_t n;
    bool closed; // the server ended the connection
    char text[REPLY_MAX];
};

static inline int client_connect(const struct httpd *h)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)httpd_port(h)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    must(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    must(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

static inline void client_send(int fd, struct str s)
{
    while (s.n > 0) {
        ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
        if (n <= 0)
            return; // the server answered early and closed, which the reply shows
        s = str_of_n(s.p + n, s.n - (size_t)n);
    }
}

// Reads until the server closes, or until the text holds `until` (NULL: only until it closes).
static inline void client_read(int fd, const char *until, struct reply *r)
{
    *r = (struct reply){.n = 0};
    while (r->n + 1 < REPLY_MAX && !(until && strstr(r->text, until))) {
        ssize_t n = recv(fd, r->text + r->n, REPLY_MAX - 1 - r->n, 0);
        if (n <= 0) {
            r->closed = true;
            return;
        }
        r->n += (size_t)n;
        r->text[r->n] = '\0';
    }
}

// One request on its own connection, read to the end.
static inline void exchange(const struct httpd *h, struct str request, struct reply *r)
{
    int fd = client_connect(h);
    client_send(fd, request);
    client_read(fd, NULL, r);
    (void)close(fd);
}

static inline int reply_status(const struct reply *r)
{
    int status = 0;
    return sscanf(r->text, "HTTP/1.1 %d", &status) == 1 ? status : 0;
}

#endif
