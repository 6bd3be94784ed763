// SPDX-License-Identifier: Apache-2.0
// One request that waits for its answer, for the command line: no loop, no pool, no thread.
#include "net/http_exchange.h"

static bool answer_copy(const struct http_response *from, struct http_response *ret, struct arena *a)
{
    struct http_response r = *from;
    r.reason = arena_str(a, from->reason);
    r.body = arena_str(a, from->body);
    r.headers.v = arena_new_array(a, struct str_pair, from->headers.n);
    for (size_t i = 0; r.headers.v && i < from->headers.n; i++) {
        r.headers.v[i].key = arena_str(a, from->headers.v[i].key);
        r.headers.v[i].value = arena_str(a, from->headers.v[i].value);
    }
    if (a->exhausted)
        return false;
    *ret = r;
    return true;
}

bool http_call(const struct http_request *r, struct http_response *ret, struct arena *a, struct err *err)
{
    if (!http_library_start(err))
        return false;
    CURL *easy = curl_easy_init();
    if (!easy)
        return ERR(err, ERR_INTERNAL, "libcurl has no memory for a request");
    struct http_exchange x = {.opened = NULL};
    struct sbuf body;
    sbuf_init(&body, NULL, HTTP_BODY_KEPT_DEFAULT);
    if (http_exchange_begin(&x, r, r->egress, easy, &body))
        http_exchange_end(&x, curl_easy_perform(easy), clock_now(clock_real()));
    bool ok = answer_copy(&x.response, ret, a) ||
              ERR(err, ERR_TOO_LARGE, "no memory for the answer of \"%.*s\"", STR_ARG(http_url_host(r->url)));
    curl_easy_cleanup(easy); // before what it points at
    http_exchange_release(&x);
    sbuf_release(&body);
    return ok;
}
