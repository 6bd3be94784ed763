// SPDX-License-Identifier: Apache-2.0
// What a request may carry besides method, URL, headers and body: credentials, certificates, a form. Part of
// net/http.h.
#ifndef NET_HTTP_CARRIES_H
#define NET_HTTP_CARRIES_H

#include "base/str.h"

enum http_auth_kind { HTTP_AUTH_NONE, HTTP_AUTH_BASIC, HTTP_AUTH_BEARER, HTTP_AUTH_SIGV4 };
struct http_auth { // never sent on to another origin
    enum http_auth_kind kind;
    struct str user, password;  // BASIC; SIGV4: id of the key and the key
    struct str token;           // BEARER
    struct str region, service; // SIGV4
};
struct http_tls { // PEM texts; absent = the system's authorities, no certificate of our own
    struct str ca, cert, key, key_password;
};
struct http_part { // of a multipart form
    struct str name, value, filename, content_type;
    int fd;       // −1: the value; else a regular file, which stays the caller's
    int64_t size; // of the file
};
struct http_parts {
    const struct http_part *v;
    size_t n;
};

#endif
