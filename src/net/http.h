// SPDX-License-Identifier: Apache-2.0
// HTTP client: many requests at once on event loops (http_send), or one that waits (http_call, for the CLI).
//
// libcurl stays behind this header. http and https only; proxies as asked for, no netrc or cookie from the environment;
// certificates are verified. All that a server sends is bounded: headers, body kept, time, redirects.
// What cannot be answered is not an `err`: it is a response with an error class and a sentence, because
// the caller records it as the outcome of a run.
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include "base/clock.h"
#include "net/egress.h"
#include "net/http_carries.h"

struct loop;
struct http_client;

enum http_error {
    HTTP_DONE,               // a response came, whatever its status
    HTTP_CONNECTION_ERROR,   // name not found, refused, closed, not HTTP
    HTTP_TIMEOUT,            // no connection or no whole answer in time
    HTTP_TLS_ERROR,          // certificate or handshake
    HTTP_EGRESS_DENIED,      // the address is not allowed by the egress rules
    HTTP_REDIRECT_ERROR,     // more redirects than allowed, or to another scheme
    HTTP_BAD_REQUEST,        // the request itself cannot be sent (URL, method, header)
    HTTP_TOO_LARGE,          // response headers past HTTP_HEADERS_MAX, or a body past response_max
    HTTP_CANCELLED,          // http_cancel, http_client_free, or on_chunk returned false
    HTTP_CLIENT_ERROR,       // out of memory, sockets or threads on our side
};
extern const char *const http_error_names[]; // "DONE", "CONNECTION_ERROR", …, NULL-terminated

enum {
    HTTP_BODY_KEPT_DEFAULT = 64 * 1024,
    HTTP_HEADERS_MAX = 32 * 1024, // bytes of all response header lines
    HTTP_HEADER_LINES_MAX = 128,
    HTTP_REDIRECTS_MAX = 5,
    HTTP_CONNECT_TIMEOUT_S_DEFAULT = 10,
    HTTP_RETRY_AFTER_S_MAX = 7 * 86400, // longer waits are cut to this
};

// Zeroed members mean the default. The request and all it points at must stay until the callback
// (http_send) or until the return (http_call).
struct http_request {
    struct str method;       // default "GET", or "POST" with a body
    struct str url;          // absolute, http or https
    struct str_map headers;  // no CR, LF or NUL in names and values; names may repeat
    struct str body;         // p == NULL: none
    struct duration connect_timeout; // default HTTP_CONNECT_TIMEOUT_S_DEFAULT
    struct duration timeout; // whole exchange; default: none
    struct http_parts parts; // instead of a body
    struct http_auth auth;
    struct http_tls tls;
    // Proxy to go through (http or https URL) and who we are to it. The egress guard then judges the proxy's address,
    // and the target's when the URL holds it as a number; names are the proxy's to resolve.
    struct str proxy, proxy_user, proxy_password;
    int64_t response_max; // body bytes past which the answer is HTTP_TOO_LARGE; 0 = none
    // How many to follow, 0 … HTTP_REDIRECTS_MAX. Another origin gets none of our credentials: no Authorization, no
    // Cookie, no client certificate, and of the headers only those that are known to be harmless.
    int64_t redirects;
    size_t body_kept;        // default HTTP_BODY_KEPT_DEFAULT; the rest is read, counted and dropped
    const struct egress *egress; // http_call only; NULL: no guard (the CLI reaches where its user says)
    struct str ca_file;      // PEM bundle instead of the system's; absent = the system's
    bool tls_insecure;       // no certificate check (a CLI flag; never set by the server)
    size_t lane;             // http_send: the loop to run on, modulo the number of loops
    // http_call only: body bytes as they come (then none are kept); false ends the call with HTTP_CANCELLED.
    // Called for every status. With it `timeout` should be 0: an event stream has no end.
    bool (*on_chunk)(void *ctx, int status, struct str chunk);
    void *ctx;
};

struct http_response {
    enum http_error error;
    char sentence[256];      // what went wrong, fit for a user; "" when error == HTTP_DONE
    int status;              // 0 when none came
    struct str reason;       // reason phrase sent, or ""
    struct str_map headers;  // of the last response, in order, names as sent
    struct str body;         // first body_kept bytes, never absent
    int64_t body_bytes;      // all that came
    bool truncated;          // body_bytes > body.n
    struct duration connect, first_byte, total; // since the transfer was begun; 0 when not reached
    struct duration retry_after; // Retry-After as a wait from now; 0 when absent, past or not understood
    int64_t redirects;       // how many were followed
};

// First header of this name (ASCII case ignored), or absent.
struct str http_header(const struct http_response *r, const char *name);
// Retry-After: seconds, or an IMF-fixdate / RFC 850 / asctime date (RFC 9110 §10.2.3, §5.6.7). 0 when
// neither.
struct duration http_retry_after(struct str value, struct instant now);
// Faults of an absolute URL that would be refused: scheme, host, user info, control characters, length.
bool http_url_check(struct str url, struct err *err) __attribute__((warn_unused_result));
// Parts of a URL that passed the check, as views: "user@host:port", and "host" ("[::1]" with its brackets).
struct str http_url_authority(struct str url);
struct str http_url_host(struct str url);
// The URL without user and password, fit for logs.
struct str http_url_public(struct str url, struct arena *a);
// A header name is an RFC 9110 token, a value holds no control character but tab; not one that frames
// messages.
bool http_header_check(struct str name, struct str value, struct err *err)
    __attribute__((warn_unused_result));
// Standard reason phrase, or "".
const char *http_reason(int status);

// ---- one that waits ----

// Performs the request on the calling thread. Texts of the answer live in the arena. False only when the
// arena is exhausted or libcurl cannot start; everything else is in *ret, `error` included.
bool http_call(const struct http_request *r, struct http_response *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));

// ---- many at once ----

struct http_options {
    const struct clock *clock;
    struct str user_agent;       // sent unless a request names its own
    const struct egress *egress; // for all requests, because they share connections; NULL: no guard
    size_t in_flight_max;        // per loop, default HTTP_IN_FLIGHT_DEFAULT; more wait in order
};
enum { HTTP_IN_FLIGHT_DEFAULT = 10240 };

// A client on n running loops. The loops must outlive it. NULL with *err set when libcurl cannot start.
struct http_client *http_client_new(const struct http_options *o, struct loop *const *loops, size_t n,
                                    struct err *err);
// Ends every transfer with HTTP_CANCELLED (callbacks are called), then frees. Not from a loop's thread.
void http_client_free(struct http_client *c);

// Called once per request accepted, on the loop's thread; *r and all it points at live until it returns.
typedef void (*http_done)(void *ctx, const struct http_response *r);
// Begins a request, from any thread. *ret_id is for http_cancel and is written before the request can end.
// False when the client is stopping or its message queue is full (then `done` is never called).
bool http_send(struct http_client *c, const struct http_request *r, http_done done, void *ctx,
               uint64_t *ret_id)
    __attribute__((warn_unused_result));
// Ends it soon with HTTP_CANCELLED; unknown ids are ignored (it may have ended meanwhile). Any thread.
void http_cancel(struct http_client *c, uint64_t id);

struct http_stats { size_t in_flight, waiting, connections; };
// Sums over all loops; a snapshot for metrics and tests.
void http_client_stats(struct http_client *c, struct http_stats *ret);

#endif
