// SPDX-License-Identifier: Apache-2.0
// Accounts and sessions over REST. No answer with a token may be kept by a cache (RFC 6749 §5.1).
#include "app/session.h"

#include "api/handlers.h"

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
    if (!call_decode(c, &w, err) || !app_login(c->app, &c->caller, &w, &s, &c->retry_after, c->a, err))
        return false;
    session_write(c, &s);
    return true;
}

bool api_refresh(struct call *c, struct err *err)
{
    struct refresh_request r;
    struct session_answer s;
    if (!call_decode(c, &r, err) || !app_refresh(c->app, r.refresh_token, &s, c->a, err))
        return false;
    session_write(c, &s);
    return true;
}

bool api_logout(struct call *c, struct err *err)
{
    struct refresh_request r;
    return call_decode(c, &r, err) && app_logout(c->app, &c->caller, r.refresh_token, c->a, err);
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
