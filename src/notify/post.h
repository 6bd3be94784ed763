// SPDX-License-Identifier: Apache-2.0
// Handing a message over by HTTP: one request through the egress guard, no redirects, a bounded answer, and what the
// answer means for the delivery.
#ifndef NOTIFY_POST_H
#define NOTIFY_POST_H

#include "notify/channel.h"

enum { POST_HEADERS_MAX = 24, POST_SECRETS_MAX = 32, POST_URL_MAX = 2048 };

struct post {
    const char *target; // "Slack": how sentences call it
    struct str method;  // absent: POST
    struct str url, content_type, body;
    struct str_pair headers[POST_HEADERS_MAX]; // further ones
    size_t n_headers;
    // What no sentence may repeat, should the target send it back. The path of the URL is one in any case.
    struct str secrets[POST_SECRETS_MAX];
    size_t n_secrets;
};

void post_send(const struct channel_env *env, const struct post *p, struct channel_result *ret, struct arena *a);
typedef bool post_render(const struct channel_env *env, const void *config, const struct notification *n,
                         struct sbuf *out, struct arena *a, struct err *err);
// Renders and sends what came out as p->body; p is filled but for the body.
void post_rendered(const struct channel_env *env, post_render *render, const void *config,
                   const struct notification *n, struct post *p, struct channel_result *ret, struct arena *a);
void channel_fail(struct channel_result *ret, enum channel_verdict verdict, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

// At save: an absolute http(s) URL without user and password; the fault is added under base + field.
void post_check_url(struct str url, struct str base, const char *field, struct faults *faults);
// Names and values of headers; not one of `reserved` (NULL-terminated, lower case).
void post_check_headers(struct str_map headers, const char *const *reserved, struct str base, struct faults *faults);
// Adds a configuration's own headers, their values being secrets.
void post_add_headers(struct post *p, struct str_map headers);
void post_add_header(struct post *p, const char *name, struct str value);
// base + "/" + field
struct str post_pointer(struct str base, const char *field, struct faults *faults);

#endif
