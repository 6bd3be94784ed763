// SPDX-License-Identifier: Apache-2.0
// Cookies of browsers. Rules: api/cookie.h.
#include "api/cookie.h"

#include "app/browser.h"

static const char session_name[] = "chronos_session", csrf_name[] = "chronos_csrf", sign_on_name[] = "chronos_oidc";

static bool one_of(struct str host, const char *const *words)
{
    for (; *words; words++)
        if (str_eq_nocase(host, str_of(*words)))
            return true;
    return false;
}

// Plain HTTP from a browser of this machine to this machine.
static bool loopback(const struct call *c)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1", "[::1]", NULL};
    struct str host = httpd_header(c->req, "host"), remote = c->req->remote;
    bool v6 = host.n > 0 && host.p[0] == '[';
    size_t end = v6 ? str_find(host, ']') + 1 : str_find(host, ':');
    if (!host.p || end > host.n)
        return false;
    return one_of((struct str){host.p, end}, hosts) &&
           (str_starts(remote, STR("127.")) || str_is(remote, "::1") || str_starts(remote, STR("::ffff:127.")));
}

// ---- reading -----------------------------------------------------------------------------------

// Value of a cookie; a second one of the same name makes both void, because one of them was planted.
static struct str cookie_find(const struct call *c, const char *prefix, const char *name)
{
    struct str found = STR_NONE, rest = httpd_header(c->req, "cookie");
    while (rest.n > 0) {
        struct str value, one = str_trim(str_split(rest, ';', &rest)), key = str_split(one, '=', &value);
        bool ours = value.p && str_starts(key, str_of(prefix)) &&
                    str_is((struct str){key.p + strlen(prefix), key.n - strlen(prefix)}, name);
        if (ours && found.p)
            return STR_NONE;
        if (ours)
            found = value;
    }
    return found;
}

static struct str cookie_of(const struct call *c, const char *name)
{
    if (c->req->https)
        return cookie_find(c, "__Host-", name);
    return loopback(c) ? cookie_find(c, "", name) : STR_NONE;
}

// "https://host:443" and "host" are the same place.
static struct str without_default_port(struct str host, bool https)
{
    struct str port = https ? STR(":443") : STR(":80");
    return str_ends(host, port) ? (struct str){host.p, host.n - port.n} : host;
}

static bool origin_is_ours(const struct call *c, struct str origin)
{
    bool https = c->req->https;
    struct str scheme = https ? STR("https://") : STR("http://"), host = httpd_header(c->req, "host");
    if (!host.p || !str_starts(origin, scheme))
        return false;
    origin = (struct str){origin.p + scheme.n, origin.n - scheme.n};
    return str_eq_nocase(without_default_port(origin, https), without_default_port(host, https));
}

// Nothing says that the request comes from elsewhere. "none": the user typed the address.
static bool from_elsewhere(const struct call *c)
{
    struct str site = httpd_header(c->req, "sec-fetch-site"), origin = httpd_header(c->req, "origin");
    if (site.p && !str_is(site, "same-origin") && !str_is(site, "none"))
        return true;
    return origin.p && !origin_is_ours(c, origin);
}

// Something says that it comes from a page of ours.
static bool from_our_page(const struct call *c)
{
    struct str site = httpd_header(c->req, "sec-fetch-site"), origin = httpd_header(c->req, "origin");
    return !from_elsewhere(c) && (str_is(site, "same-origin") || (!site.p && origin.p));
}

struct str cookie_session(const struct call *c)
{
    return from_elsewhere(c) ? STR_NONE : cookie_of(c, session_name);
}

bool cookie_proves(struct call *c, struct str cookie, struct err *err)
{
    struct str given = httpd_header(c->req, "x-chronos-csrf"), expect = browser_csrf(c->app, cookie, c->a);
    if (!from_our_page(c))
        return ERR(err, ERR_DENIED,
                   "a session in a cookie changes things only from a page of this server (Sec-Fetch-Site or Origin); "
                   "programs send \"Authorization: Bearer\"");
    if (!given.p || !expect.p || !str_eq_secret(given, expect))
        return ERR(err, ERR_DENIED,
                   "the header \"" CSRF_HEADER "\" is missing or wrong: send the value of the cookie that ends in "
                   "\"chronos_csrf\"");
    return true;
}

bool cookie_possible(struct call *c, struct err *err)
{
    return c->req->https || loopback(c) ||
           ERR(err, ERR_INVALID,
               "a session in a cookie needs TLS, here or in a trusted proxy in front (http.trustedProxies)");
}

bool cookie_allowed(struct call *c, struct err *err)
{
    if (!cookie_possible(c, err))
        return err_at(err, "/cookie");
    return from_our_page(c) ||
           ERR(err, ERR_DENIED, "a session in a cookie is opened only from a page of this server (Sec-Fetch-Site or "
                                "Origin); without \"cookie\" the answer holds tokens");
}

// ---- writing -----------------------------------------------------------------------------------

// SameSite=Lax, not Strict: links from mail and chat must lead to a page that is signed in, and every change needs more
// than the cookie. No Max-Age for the session: how long it lasts is the server's to say, and who closes the browser may
// expect to be signed out.
static void put(struct call *c, const char *name, struct str value, const char *more)
{
    bool https = c->req->https;
    call_header(c, "Set-Cookie", arena_fmt(c->a, "%s%s=%.*s; Path=/; SameSite=Lax%s%s", https ? "__Host-" : "", name,
                                           STR_ARG(value), https ? "; Secure" : "", more));
}

void cookie_set_session(struct call *c, struct str cookie, struct str csrf)
{
    put(c, session_name, cookie, "; HttpOnly");
    put(c, csrf_name, csrf, ""); // for scripts of ours: a page of another origin cannot read it
}

void cookie_clear_session(struct call *c)
{
    put(c, session_name, STR(""), "; HttpOnly; Max-Age=0");
    put(c, csrf_name, STR(""), "; Max-Age=0");
}

void cookie_set_sign_on(struct call *c, struct str value, int64_t seconds)
{
    put(c, sign_on_name, value,
        arena_fmt(c->a, "; HttpOnly; Max-Age=%lld", (long long)(value.n > 0 ? seconds : 0)).p);
}

struct str cookie_sign_on(const struct call *c)
{
    // The provider sends the browser here, so it comes from elsewhere: what is in the cookie is bound to the request.
    return cookie_of(c, sign_on_name);
}
