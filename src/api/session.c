// SPDX-License-Identifier: Apache-2.0
// Accounts and sessions over REST. No answer with a token may be kept by a cache (RFC 6749 §5.1).
#include "app/session.h"

#include "api/cookie.h"
#include "api/handlers.h"
#include "app/browser.h"

#define T struct refresh_request
static const struct field refresh_rows[] = {
    FIELD_STR(T, refresh_token, "refreshToken", .flags = FIELD_REQUIRED | FIELD_SECRET, .min = 1,
              .max = SECRET_TOKEN_MAX, .doc = "The refresh token, good once."),
};
static const struct field logout_rows[] = {
    FIELD_STR(T, refresh_token, "refreshToken", .flags = FIELD_SECRET, .min = 1, .max = SECRET_TOKEN_MAX,
              .doc = "The session to end; every session of the user when absent."),
};
#undef T
const struct fields refresh_request_fields =
    FIELDS("Refresh", struct refresh_request, refresh_rows, .doc = "Asks for the next access token.");
const struct fields logout_request_fields =
    FIELDS("Logout", struct refresh_request, logout_rows, .doc = "Ends one session or all.");

static void session_write(struct call *c, const struct session_answer *s)
{
    if (s->cookie.p)
        cookie_set_session(c, s->cookie, s->csrf_token);
    call_header(c, "Cache-Control", STR("no-store"));
    call_one(c, &session_answer_fields, s);
}

bool api_register(struct call *c, struct err *err)
{
    struct registration r;
    struct session_answer s;
    if (!call_decode(c, &r, err) || !app_register(c->app, &c->caller, &r, &s, &c->faults, c->a, err))
        return false;
    session_write(c, &s);
    return true;
}

bool api_login(struct call *c, struct err *err)
{
    struct credentials w;
    struct session_answer s;
    if (!call_decode(c, &w, err) || (w.cookie && !cookie_allowed(c, err)) ||
        !app_login(c->app, &c->caller, &w, &s, &c->retry_after, c->a, err))
        return false;
    session_write(c, &s);
    return true;
}

bool api_refresh(struct call *c, struct err *err)
{
    struct refresh_request r;
    struct session_answer s;
    if (!call_decode(c, &r, err) || !app_refresh(c->app, &c->caller, r.refresh_token, &s, c->a, err))
        return false;
    session_write(c, &s);
    return true;
}

bool api_logout(struct call *c, struct err *err)
{
    struct refresh_request r;
    if (!call_decode(c, &r, err))
        return false;
    if (c->caller.way == WAY_COOKIE && !r.refresh_token.p) {
        cookie_clear_session(c);
        return app_browser_logout(c->app, &c->caller, cookie_session(c), c->a, err);
    }
    return app_logout(c->app, &c->caller, r.refresh_token, c->a, err);
}

bool api_me(struct call *c, struct err *err)
{
    struct user u;
    if (!app_me(c->app, &c->caller, &u, c->a, err))
        return false;
    call_one(c, &user_fields, &u);
    return true;
}

bool api_password(struct call *c, struct err *err)
{
    struct password_change p;
    struct session_answer s;
    if (!call_decode(c, &p, err) ||
        !app_password_change(c->app, &c->caller, &p, &s, &c->retry_after, c->a, err))
        return false;
    session_write(c, &s);
    return true;
}
