// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 server: bounded requests in, responses and event streams out. One file includes libmicrohttpd. A
// request is parsed on a connection thread, handled on a worker thread (handlers may block on a commit),
// and answered when the handler returns. Knows nothing of jobs.
//
// Bounds (settings): header 16 KiB (431), body 1 MiB (413), connections, per-address connections, idle and
// whole-request time-outs, waiting requests (503 with Retry-After).
#ifndef HTTPD_HTTPD_H
#define HTTPD_HTTPD_H

#include "base/err.h"
#include "base/sbuf.h"
#include "base/time.h"

struct httpd;
struct httpd_stream;

enum {
    HTTPD_HEADER_MAX = 16 * 1024,       // request line and headers
    HTTPD_TARGET_MAX = 2 * 1024,        // path and query as sent
    HTTPD_RESPONSE_MAX = 64 << 20,      // request arena: body, decoded input, answer
    HTTPD_WAITING_MAX = 1024,
    HTTPD_STREAM_CHUNK_MAX = 256 * 1024, // what one call of httpd_source.next may write
};

struct httpd_config {
    struct str listen;         // "127.0.0.1:8080", "[::1]:8080", "0.0.0.0:0"
    int64_t threads, workers;
    int64_t body_max, connections_max, streams_max;
    int64_t waiting_max;               // requests that wait for a worker; 0: HTTPD_WAITING_MAX
    int64_t connections_address_max;   // connections from one address; 0: only connections_max counts
    struct duration idle_timeout, request_timeout;
    struct str tls_certificate, tls_key; // PEM files; absent: no TLS
    struct strs trusted_proxies;         // networks whose word on the client counts
    bool forwarded_standard;             // they write Forwarded, not X-Forwarded-For and X-Forwarded-Proto
};

struct httpd_request {
    struct str method;         // upper case as received
    struct str path;           // percent-decoded, no query; never holds NUL, "//" or "/../"
    struct str query;          // raw, without "?"
    struct str body;           // {NULL,0} when none
    struct str remote;         // address of the client without port, behind trusted proxies too
    bool https;                // the client came by TLS
    struct arena *a;           // lives until the response was sent
    const struct str_map *headers; // names lower-cased
};
// Header by lower-case name; absent when none.
struct str httpd_header(const struct httpd_request *r, const char *name);
// Percent-decoded query parameter; absent when none.
struct str httpd_query(const struct httpd_request *r, const char *name);

// Source of an event stream; the struct is copied. When too many streams are open, closed() is called
// without opened() and the client gets 503. A comment is sent to quiet clients, so that those who left are
// noticed. next() writes what is ready into out (whole events); writing nothing means "wait until woken".
// Returns false at the end of the stream. Called on a connection thread; must not block.
struct httpd_source {
    bool (*next)(void *ctx, struct sbuf *out);
    void (*closed)(void *ctx); // once, also when the client went away
    // The stream may be woken from now on, by any thread, until closed() is called.
    void (*opened)(void *ctx, struct httpd_stream *s);
    void *ctx;
};

struct httpd_response {
    int status;                // 200 unless set
    const char *content_type;  // "application/json" unless set
    struct str_map headers;    // further ones; values must not hold CR or LF
    struct sbuf body;          // ready to write to; in the request's arena
    const struct httpd_source *source; // a text/event-stream instead of body; in the request's arena
    bool close;                // close the connection after it
};
// Adds a header; name and value are copied to the arena.
void httpd_response_header(struct httpd_response *r, struct arena *a, const char *name, struct str value);

// Handlers. `problem` builds answers for what the server itself refuses (400, 408, 413, 431, 503).
struct httpd_handlers {
    void (*handle)(void *ctx, const struct httpd_request *req, struct httpd_response *resp);
    void (*problem)(void *ctx, const struct httpd_request *req, int status, const char *detail,
                    struct httpd_response *resp);
    void *ctx;
};

bool httpd_start(const struct httpd_config *c, const struct httpd_handlers *h, struct httpd **ret,
                 struct err *err) __attribute__((warn_unused_result));
int httpd_port(const struct httpd *h);
// Stops accepting, lets running requests end, closes streams, frees.
void httpd_stop(struct httpd *h);
void httpd_stream_wake(struct httpd_stream *s);
// Reads certificate and key again when their files changed, or in any case; open connections stay. Bad files change
// nothing. Without TLS nothing happens.
bool httpd_tls_reload(struct httpd *h, bool always, bool *ret_changed, struct err *err)
    __attribute__((warn_unused_result));
struct instant httpd_tls_expires(struct httpd *h); // INSTANT_NEVER without TLS

#endif
