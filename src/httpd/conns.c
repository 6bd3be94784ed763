// SPDX-License-Identifier: Apache-2.0
// Connections and their deadlines. The library's own time-out counts from the last byte, so a client that
// sends one byte now and then could hold a connection for ever; here the whole request has a time.
//
// The watch thread only ever shuts a socket down, under httpd.lock and while the connection is listed;
// closing is the library's business, which notices the end on its own thread.
#include "httpd/impl.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"

static void remote_text(const struct sockaddr *address, char out[static INET6_ADDRSTRLEN])
{
    const void *bytes = NULL;
    int family = address->sa_family;
    if (family == AF_INET) {
        bytes = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
    } else if (family == AF_INET6) {
        const struct in6_addr *in6 = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
        bytes = in6;
        if (IN6_IS_ADDR_V4MAPPED(in6)) { // a v4 client of a dual-stack socket is shown as such
            enum { V4_AT = 12 };
            family = AF_INET;
            bytes = in6->s6_addr + V4_AT;
        }
    }
    if (!bytes || !inet_ntop(family, bytes, out, INET6_ADDRSTRLEN))
        out[0] = '\0';
}

struct conn *conn_new(struct httpd *h, int fd, const struct sockaddr *address)
{
    struct conn *c = mem_new(struct conn);
    c->fd = fd;
    remote_text(address, c->remote);
    conn_await(c, h->config.request_timeout);
    WITH_LOCK(&h->lock);
    c->next = h->conns;
    if (c->next)
        c->next->prev = c;
    h->conns = c;
    return c;
}

void conn_free(struct httpd *h, struct conn *c)
{
    mutex_lock(&h->lock);
    if (c->prev)
        c->prev->next = c->next;
    else
        h->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    mutex_unlock(&h->lock);
    mem_free(c);
}

void conn_await(struct conn *c, struct duration at_most)
{
    atomic_store(&c->deadline_us, mono_add(clock_mono(clock_real()), at_most).us);
}

void conn_arrived(struct conn *c)
{
    atomic_store(&c->begun, false);
    atomic_store(&c->deadline_us, 0);
}

void conn_say(int fd, const char *status_line)
{
    static const char rest[] = "Content-Length: 0\r\nConnection: close\r\n\r\n";
    char text[128];
    int n = snprintf(text, sizeof text, "HTTP/1.1 %s\r\n%s", status_line, rest);
    must(n > 0 && (size_t)n < sizeof text);
    (void)send(fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL); // the peer may be gone, which is as well
}

// The library has read the beginning and found no TLS in it; the end of a request line or a header tells what it was.
void conn_say_https(int fd)
{
    static const char text[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\n"
                               "X-Content-Type-Options: nosniff\r\nContent-Length: 109\r\nConnection: close\r\n\r\n";
    static const char body[] = "{\"type\":\"/problems/invalid\",\"title\":\"Bad request\",\"status\":400,"
                               "\"detail\":\"this port speaks TLS; use https://\"}";
    char seen[2048];
    ssize_t n = recv(fd, seen, sizeof seen, MSG_DONTWAIT);
    if (n <= 0 || !str_contains(str_of_n(seen, (size_t)n), STR("HTTP/1.")))
        return;
    (void)send(fd, text, sizeof text - 1, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE);
    (void)send(fd, body, sizeof body - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void conns_watch(struct httpd *h, struct mono now)
{
    WITH_LOCK(&h->lock);
    for (struct conn *c = h->conns; c; c = c->next) {
        int64_t deadline = atomic_load(&c->deadline_us);
        if (deadline == 0 || now.us < deadline)
            continue;
        // No answer is being sent while a request is awaited, so this one cannot fall into another.
        if (atomic_load(&c->begun) && !h->tls)
            conn_say(c->fd, "408 Request Timeout");
        (void)shutdown(c->fd, SHUT_RDWR);
        atomic_store(&c->deadline_us, 0);
    }
}
