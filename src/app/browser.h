// SPDX-License-Identifier: Apache-2.0
// Sessions of browsers: a secret in a cookie that scripts cannot read, checked in the store with every request, so that
// its end takes effect at once on every node. A session ends after app_settings.browser_idle without a request, and
// after browser_max in any case. What else a request with a cookie must show is decided in api/cookie.c:
// docs/why/browser-sessions.md.
//
// The secret is "chb_", 256 random bits, "." and the user's session epoch; the store holds a hash of all of it, under a
// purpose of its own, so that it is no refresh token.
#ifndef APP_BROWSER_H
#define APP_BROWSER_H

#include "app/session.h"

enum { BROWSER_COOKIE_MAX = 80, BROWSER_CSRF_CHARS = 43 };

// Opens a session for the browser that signs in: *ret says who it is and holds the cookie and the token against forged
// requests, and no access or refresh token.
bool browser_open(struct app *app, const struct user *u, struct session_answer *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// The caller behind a cookie; keeps the session alive. ERR_UNAUTHENTICATED.
bool browser_authenticate(struct app *app, struct str cookie, struct caller *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// What a request that changes something must send in a header: follows from the cookie and cannot be worked out without
// the key of the installation. Absent when it does not fit.
struct str browser_csrf(const struct app *app, struct str cookie, struct arena *a);
// Ends this session; idempotent.
bool app_browser_logout(struct app *app, const struct caller *c, struct str cookie, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));

#endif
