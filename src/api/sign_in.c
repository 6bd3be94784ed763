// SPDX-License-Identifier: Apache-2.0
// Who asks: the proof in the headers of a request → the caller of its use case.
#include "api/sign_in.h"

static void from_where(struct call *c)
{
    c->caller.remote = c->req->remote;
    c->caller.request_id = str_of(c->trace_id);
}

static bool by_token(struct call *c, struct str header, struct err *err)
{
    struct str scheme = STR("Bearer ");
    if (header.n <= scheme.n || !str_eq_nocase((struct str){header.p, scheme.n}, scheme))
        return ERR(err, ERR_UNAUTHENTICATED, "the header must read \"Authorization: Bearer\" and a token");
    struct str token = str_trim((struct str){header.p + scheme.n, header.n - scheme.n});
    return app_authenticate(c->app, token, &c->caller, c->a, err);
}

bool call_sign_in(struct call *c, struct err *err)
{
    bool open = c->route->action == ACTION_PUBLIC;
    struct str header = httpd_header(c->req, "authorization");
    bool asked = header.p && !(open && !(c->route->flags & ROUTE_CALLER));
    bool good = !asked || by_token(c, header, err);
    from_where(c);
    enum reach reach;
    return good && (open || app_authorize(&c->caller, (enum action)c->route->action, &reach, err));
}
