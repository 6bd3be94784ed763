// SPDX-License-Identifier: Apache-2.0
// One request and its answer on a libcurl easy handle: options in, bounded answer out. Internal to net/http*.
// Knows neither loops nor multis: http_call performs it on the spot, http_lane puts it into a multi.
#ifndef NET_HTTP_EXCHANGE_H
#define NET_HTTP_EXCHANGE_H

#include <curl/curl.h>

#include "base/sbuf.h"
#include "net/http.h"

// Texts of one exchange: URL, request headers, response headers.
enum { HTTP_EXCHANGE_ARENA_MAX = 2 * 1024 * 1024 };

struct http_exchange {
    const struct http_request *request;
    const struct egress *egress; // NULL: no guard
    CURL *easy;                  // borrowed
    struct arena arena;          // what libcurl reads and the response's texts; released by _release
    struct sbuf *body;           // borrowed, empty at the start
    struct http_response response;
    size_t header_bytes;
    size_t header_cap;           // room in response.headers.v
    bool denied;                 // the last socket asked for was refused by the guard
    char denied_address[64];
    bool headers_too_large, body_too_large, chunk_refused;
    bool bared;                  // redirected to another origin: nothing of ours goes along any more
    curl_mime *form;             // of request->parts
    char detail[CURL_ERROR_SIZE]; // libcurl's own words
    // Opens and closes sockets; NULL: plain socket(2). Set by a lane, which polls them.
    void (*opened)(void *ctx, curl_socket_t fd);
    void *opened_ctx;
};

bool http_library_start(struct err *err); // curl_global_init, once for the process

// Prepares the easy handle, which must be fresh or reset. False: response says HTTP_BAD_REQUEST or
// HTTP_CLIENT_ERROR.
bool http_exchange_begin(struct http_exchange *x, const struct http_request *r, const struct egress *egress,
                         CURL *easy, struct sbuf *body);
// Completes x->response from libcurl's result.
void http_exchange_end(struct http_exchange *x, CURLcode rc, struct instant now);
// Ends it without libcurl.
void http_exchange_refuse(struct http_exchange *x, enum http_error error, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void http_exchange_release(struct http_exchange *x);

// ---- http_options.c ----

// Credentials, certificates, form and proxy of the request.
bool http_options_set(struct http_exchange *x);
// The target is given as a number that the guard denies: a proxy would go there for us.
bool http_target_denied(struct http_exchange *x, const char *host);
// A redirect to this place is about to be followed; true unless it must not be.
bool http_redirect_prepare(struct http_exchange *x, struct str location);
// Header lines for libcurl: all of the request's, or with `bare` those that may go to anybody. False: the response says
// why.
bool http_headers_build(struct http_exchange *x, bool bare, struct curl_slist **ret);

#endif
