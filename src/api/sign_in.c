// SPDX-License-Identifier: Apache-2.0
// Who asks: the proof in the headers of a request → the caller of its use case.
#include "api/sign_in.h"

#include "api/trace.h"
#include "api/cookie.h"
#include "app/browser.h"

static void from_where(struct call *c)
{
    c->caller.remote = c->req->remote;
    c->caller.request_id = str_of(c->trace_id);
    call_trace_parent(c);
}

static bool by_token(struct call *c, struct str header, struct err *err)
{
    struct str scheme = STR("Bearer ");
    if (header.n <= scheme.n || !str_eq_nocase((struct str){header.p, scheme.n}, scheme))
        return ERR(err, ERR_UNAUTHENTICATED, "the header must read \"Authorization: Bearer\" and a token");
    struct str token = str_trim((struct str){header.p + scheme.n, header.n - scheme.n});
    return app_authenticate(c->app, token, &c->caller, c->a, err);
}

// A cookie comes by itself, so what it alone proves is little: it reads, and changes things only with what pages of
// ours can add.
static bool by_cookie(struct call *c, struct str cookie, struct err *err)
{
    bool reads = str_is(c->req->method, "GET") || str_is(c->req->method, "HEAD");
    struct err why = {0};
    if (browser_authenticate(c->app, cookie, &c->caller, c->a, &why))
        return reads || cookie_proves(c, cookie, err);
    if (why.code == ERR_UNAUTHENTICATED) {
        cookie_clear_session(c);
        if (c->route->action == ACTION_PUBLIC)
            return true; // nobody in particular
    }
    *err = why;
    return false;
}

bool call_sign_in(struct call *c, struct err *err)
{
    bool open = c->route->action == ACTION_PUBLIC;
    struct str header = httpd_header(c->req, "authorization");
    bool wanted = !open || (c->route->flags & ROUTE_CALLER);
    struct str cookie = wanted && !header.p ? cookie_session(c) : STR_NONE;
    bool good = wanted && header.p ? by_token(c, header, err) : !cookie.p || by_cookie(c, cookie, err);
    from_where(c);
    enum reach reach;
    return good && (open || app_authorize(&c->caller, (enum action)c->route->action, &reach, err));
}
