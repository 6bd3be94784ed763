// SPDX-License-Identifier: Apache-2.0
// Cookies of browsers' sessions, and what a request with one must show before it may do anything: that it comes from a
// page of this server. Why so: docs/why/browser-sessions.md.
//
// Over TLS (ours, or of a proxy we trust) the cookie is "__Host-chronos_session", which no other host and no plain HTTP
// can plant. On plain HTTP there is one on loopback only, where browsers know no such names: "chronos_session".
#ifndef API_COOKIE_H
#define API_COOKIE_H

#include "api/call.h"

#define CSRF_HEADER "X-Chronos-CSRF"

// The session's cookie of this request; absent when there is none, or when the request came from another origin.
struct str cookie_session(const struct call *c);
// True when the request may change something on behalf of its cookie: it comes from this origin and carries the token.
// ERR_DENIED.
bool cookie_proves(struct call *c, struct str cookie, struct err *err) __attribute__((warn_unused_result));
// Whether there can be cookies here: over TLS or on loopback. ERR_INVALID.
bool cookie_possible(struct call *c, struct err *err) __attribute__((warn_unused_result));
// Whether a session may be opened for who asks: also from a page of ours. ERR_DENIED.
bool cookie_allowed(struct call *c, struct err *err) __attribute__((warn_unused_result));

// Headers of the answer: the session and the readable token; and their end.
void cookie_set_session(struct call *c, struct str cookie, struct str csrf);
void cookie_clear_session(struct call *c);
// A short-lived cookie of a sign-in under way; an empty value ends it.
void cookie_set_sign_on(struct call *c, struct str value, int64_t seconds);
struct str cookie_sign_on(const struct call *c); // absent when there is none

#endif
