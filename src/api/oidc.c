// SPDX-License-Identifier: Apache-2.0
// Sign-in by an OpenID provider over HTTP: the two addresses a browser is sent to, and the code that ends the
// sign-in of a command line. docs/how-to/single-sign-on.md.
#include "app/oidc.h"

#include "api/cookie.h"
#include "api/handlers.h"

static const char page_begin[] =
    "<!doctype html>\n"
    "<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<title>Chronos: code for the command line</title></head>\n"
    "<body><main><h1>Signed in</h1>\n"
    "<p>Copy this code to the terminal where you typed <code>chronos login --oidc</code>. It is good once, for five "
    "minutes. If you did not type that, close this page: whoever has the code signs in as you.</p>\n"
    "<p><code>";
static const char page_end[] = "</code></p></main></body></html>\n";

static void headers(struct call *c)
{
    call_header(c, "Cache-Control", STR("no-store"));
    call_header(c, "Referrer-Policy", STR("no-referrer"));
    call_header(c, "Content-Security-Policy", STR("default-src 'none'; base-uri 'none'; frame-ancestors 'none'"));
}

bool api_oidc_login(struct call *c, struct err *err)
{
    struct oidc_begin b = {.return_to = query_str(c, "return"), .challenge = query_str(c, "cli")};
    struct oidc_begun begun;
    if (!call_faulty(c, err) || !cookie_possible(c, err) || !app_oidc_begin(c->app, &b, &begun, c->a, err))
        return false;
    headers(c);
    cookie_set_sign_on(c, begun.cookie, OIDC_SIGN_ON_S);
    call_header(c, "Location", begun.url);
    return true;
}

// Browsers name it; programs ask for JSON or for anything.
static bool wants_page(const struct call *c)
{
    struct str accept = httpd_header(c->req, "accept");
    while (accept.p) {
        struct str part = str_split(accept, ',', &accept);
        if (str_eq_nocase(str_trim(str_split(part, ';', &(struct str){0})), STR("text/html")))
            return true;
    }
    return false;
}

bool api_oidc_callback(struct call *c, struct err *err)
{
    struct oidc_return r = {.code = httpd_query(c->req, "code"), .state = httpd_query(c->req, "state"),
                            .issuer = httpd_query(c->req, "iss"), .error = httpd_query(c->req, "error"),
                            .cookie = cookie_sign_on(c)};
    struct oidc_done done;
    headers(c);
    call_header(c, "Vary", STR("Accept"));
    if (wants_page(c))
        c->back = "login"; // beside this address, wherever a proxy has put both
    cookie_set_sign_on(c, STR(""), 0);
    if (!cookie_possible(c, err) || !app_oidc_finish(c->app, &c->caller, &r, &done, c->a, err))
        return false;
    if (!done.code.p) {
        cookie_set_session(c, done.session.cookie, done.session.csrf_token);
        call_header(c, "Location", done.return_to);
        return true;
    }
    enum { STATUS_OK = 200 };
    c->resp->status = STATUS_OK;
    c->resp->content_type = "text/html; charset=utf-8";
    sbuf_puts(call_out(c), page_begin);
    sbuf_put(call_out(c), done.code); // letters, digits, "-" and "_"
    sbuf_puts(call_out(c), page_end);
    return true;
}

bool api_oidc_token(struct call *c, struct err *err)
{
    struct oidc_code r;
    struct session_answer s;
    if (!call_decode(c, &r, err) || !app_oidc_redeem(c->app, &r, &s, c->a, err))
        return false;
    call_header(c, "Cache-Control", STR("no-store"));
    call_one(c, &session_answer_fields, &s);
    return true;
}
