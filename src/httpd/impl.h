// SPDX-License-Identifier: Apache-2.0
// Inside of httpd: what its files share. httpd.c alone includes libmicrohttpd; to the others a connection
// of the library is an opaque pointer.
//
// Threads: connection threads (the library's) parse and send; workers handle; one watch thread looks at
// deadlines. A request belongs to its connection's thread until it is pushed to the workers, to its worker
// until the connection is resumed, and to the connection thread again until it is freed there. So it has no
// lock. httpd.lock (LOCK_HTTPD_STREAMS) guards the lists of connections and streams, and the states of
// streams.
#ifndef HTTPD_IMPL_H
#define HTTPD_IMPL_H

#include <netinet/in.h>
#include <sys/types.h>

#include "base/sync.h"
#include "httpd/forward.h"
#include "httpd/httpd.h"
#include "httpd/workers.h"

struct MHD_Connection;
struct MHD_Daemon;
struct MHD_Response;

// One TCP connection.
struct conn {
    struct conn *prev, *next;    // under httpd.lock
    int fd;
    _Atomic int64_t deadline_us; // moment (mono) by which the next request must be complete; 0 = none awaited
    atomic_bool begun;           // a request line was seen and its request not yet complete
    bool served;                 // some request line was seen (connection thread)
    char remote[INET6_ADDRSTRLEN];
};

struct httpd_stream {
    struct httpd *h;
    struct httpd_stream *prev, *next; // under httpd.lock
    struct MHD_Connection *mhd;
    struct httpd_source source;
    struct sbuf out;             // written by the source and not yet sent (connection thread)
    size_t sent;                 // of out
    struct mono last_sent;       // under httpd.lock
    bool woken;                  // something may be ready (under httpd.lock)
    bool suspended;              // the connection sleeps and must be resumed (under httpd.lock)
    bool ping;                   // a comment is due (under httpd.lock)
    bool ended;                  // the source said so, or wrote too much (connection thread)
};

enum request_state {
    REQUEST_NEW,      // request line seen
    REQUEST_BODY,     // headers accepted, body arriving
    REQUEST_QUEUED,   // with the workers
    REQUEST_ANSWERED, // answer built, to be sent by the connection thread
    REQUEST_SENT,
};

struct request {
    struct httpd *h;
    struct conn *conn;
    struct MHD_Connection *mhd;
    enum request_state state;
    struct arena a;
    struct str raw_target;
    struct forward_seen seen;
    struct str_map headers;
    struct httpd_request pub;
    struct httpd_response resp;
    struct sbuf body;            // heap: large ones grow in place
    int64_t body_seen;           // bytes that arrived
    bool body_ignored;           // GET and HEAD: read and thrown away
    int refuse_status;           // ≠ 0: answer with this problem instead of handling
    const char *refuse_detail;
    struct mono queued_at;
    struct MHD_Response *answer;
    struct httpd_stream *stream;
};

struct httpd {
    struct httpd_config config;
    struct httpd_handlers handlers;
    struct MHD_Daemon *daemon;
    struct arena a;
    struct tls *tls;             // NULL: plain HTTP
    struct forward forward;
    int port;
    struct workers *workers;
    pthread_t watch;
    _Atomic int64_t active;      // requests pushed and not yet freed
    atomic_bool draining;        // no new requests
    struct mutex lock;
    struct cond changed;         // watch: stop; stop: active reached 0
    struct conn *conns;          // under lock
    struct httpd_stream *streams; // under lock
    int64_t streams_n;           // under lock
    bool stopping;               // under lock
    bool watch_stop;             // under lock
};

// httpd.c: the two calls of the library that others need. Both may be called under httpd.lock.
void connection_suspend(struct MHD_Connection *c); // connection thread only
void connection_resume(struct MHD_Connection *c);  // any thread; the connection must be suspended

// conns.c
struct conn *conn_new(struct httpd *h, int fd, const struct sockaddr *address);
// Leaves the list, so that the watch thread no longer touches its socket. Call before the socket is closed.
void conn_free(struct httpd *h, struct conn *c);
void conn_await(struct conn *c, struct duration at_most); // a request is to be complete by then
void conn_arrived(struct conn *c);                        // it is
void conns_watch(struct httpd *h, struct mono now);       // closes those past their deadline
void conn_say(int fd, const char *status_line);           // a last answer to a connection that gets no other
void conn_say_https(int fd); // the same to one that spoke HTTP where TLS is spoken, if it did

// stream.c
enum { STREAM_WAIT = 0, STREAM_END = -1 };
// NULL when streams_max are open. The source is not opened yet.
struct httpd_stream *stream_new(struct httpd *h, const struct httpd_source *source,
                                struct MHD_Connection *mhd);
// Bytes written to buf, STREAM_WAIT (the connection was suspended) or STREAM_END.
ssize_t stream_read(struct httpd_stream *s, char *buf, size_t max);
void stream_free(struct httpd_stream *s); // tells the source
void streams_watch(struct httpd *h, struct mono now); // pings the quiet ones
void streams_wake_all(struct httpd *h);

#endif
