// SPDX-License-Identifier: Apache-2.0
// OAuth 2.0 tokens by client credentials (RFC 6749 §4.4), kept until shortly before they end. Internal to
// jobs/http*.
#ifndef JOBS_HTTP_TOKEN_H
#define JOBS_HTTP_TOKEN_H

#include "base/clock.h"
#include "jobs/http_payload.h"

// A kept token for these credentials that still holds; absent when there is none. Any thread.
struct str http_token_find(const struct http_auth_payload *auth, struct mono now, struct arena *a);
// The request for a new one. Texts live in the arena.
bool http_token_request(const struct http_auth_payload *auth, struct http_request *ret, struct arena *a);
// Takes the token out of an answer with status 2xx and keeps it. ERR_INVALID says what is wrong with the
// answer.
bool http_token_take(const struct http_auth_payload *auth, struct str body, struct mono now, struct str *ret,
                     struct arena *a, struct err *err);
// The service did not take it: forget it, unless another has come meanwhile.
void http_token_drop(const struct http_auth_payload *auth, struct str token);

#endif
