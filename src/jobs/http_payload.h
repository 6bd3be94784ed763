// SPDX-License-Identifier: Apache-2.0
// What an HTTP job may say, and which of it is refused at save. Internal to jobs/http*.
#ifndef JOBS_HTTP_PAYLOAD_H
#define JOBS_HTTP_PAYLOAD_H

#include "jobs/job_type.h"
#include "net/http.h"

enum http_auth_type { AUTH_BASIC, AUTH_BEARER, AUTH_OAUTH2, AUTH_AWS_SIGV4 };

struct http_auth_payload {
    int type; // enum http_auth_type, −1: none
    struct str username, password;
    struct str token;
    struct str token_url, client_id, client_secret, scope, audience;
    bool secret_in_body; // how OAuth2 clients prove themselves; else by the Authorization header
    struct str access_key_id, secret_access_key, session_token, region, service;
};

struct http_tls_payload {
    struct str ca, ca_file, cert, cert_file, key, key_file, key_password;
};

struct http_expect_payload {
    struct str contains, regex, pointer, equals; // equals: JSON
};

struct http_payload {
    struct str url;
    int method; // index into the method names
    struct str_map headers;
    struct str body;
    struct str multipart; // JSON list, or absent
    int64_t timeout_seconds;
    struct strs expected_status; // empty: 2xx
    struct http_expect_payload expect;
    bool follow_redirects;
    int64_t response_max; // FIELD_ABSENT: none
    struct http_auth_payload auth;
    struct http_tls_payload tls;
    struct str proxy, proxy_user, proxy_password;
};
extern const struct fields http_fields;
extern const char *const http_method_names[];

// job_type.check
void http_check(const void *payload, struct str base, struct faults *faults, struct arena *scratch);
// Holds a template: what it becomes is known when the attempt starts.
bool http_later(struct str text);

#endif
