// SPDX-License-Identifier: Apache-2.0
// The first administrator over HTTP: a page for people, whose link holds the token in its fragment (which no server
// ever sees), and the call it makes. The page runs one script of this server and nothing else.
#include "app/setup.h"

#include "api/handlers.h"

static const char page[] =
    "<!doctype html>\n"
    "<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<title>Chronos: first administrator</title></head>\n"
    "<body><main><h1>First administrator</h1>\n"
    "<p>This server has no administrator yet. The link that it printed at its start works once, for one hour.</p>\n"
    "<form id=\"setup\">\n"
    "<p><label>Set-up token<br><input name=\"token\" required autocomplete=\"off\" size=\"48\"></label></p>\n"
    "<p><label>E-mail address<br><input name=\"email\" type=\"email\" required autocomplete=\"username\"></label></p>\n"
    "<p><label>Password, at least 12 characters<br><input name=\"password\" type=\"password\" minlength=\"12\" "
    "required autocomplete=\"new-password\"></label></p>\n"
    "<p><button>Create administrator</button></p>\n"
    "<p id=\"answer\" role=\"status\"></p>\n"
    "</form></main><script src=\"/setup.js\"></script></body></html>\n";

static const char script[] =
    "'use strict';\n"
    "const form = document.getElementById('setup'), answer = document.getElementById('answer');\n"
    "const given = new URLSearchParams(location.hash.slice(1)).get('t');\n"
    "if (given) { form.token.value = given; history.replaceState(null, '', location.pathname); }\n"
    "form.addEventListener('submit', async (event) => {\n"
    "  event.preventDefault();\n"
    "  answer.textContent = 'One moment …';\n"
    "  try {\n"
    "    const r = await fetch('/api/v1/setup', {method: 'POST',\n"
    "      headers: {'Content-Type': 'application/json'},\n"
    "      body: JSON.stringify({token: form.token.value.trim(), email: form.email.value.trim(),\n"
    "        password: form.password.value})});\n"
    "    const body = await r.json();\n"
    "    if (r.ok) { form.reset(); answer.textContent = 'Done: ' + body.email + ' may sign in now.'; return; }\n"
    "    const faults = (body.errors || []).map((e) => e.pointer + ' ' + e.detail);\n"
    "    answer.textContent = [body.detail, ...faults].join('; ');\n"
    "  } catch (e) { answer.textContent = 'The server did not answer: ' + e.message; }\n"
    "});\n";

static void page_headers(struct call *c)
{
    call_header(c, "Content-Security-Policy",
                STR("default-src 'none'; script-src 'self'; connect-src 'self'; form-action 'self'; "
                    "base-uri 'none'; frame-ancestors 'none'"));
    call_header(c, "Referrer-Policy", STR("no-referrer"));
    call_header(c, "Cache-Control", STR("no-store"));
}

bool api_setup_page(struct call *c, struct err *err)
{
    bool open;
    if (!app_setup_open(c->app, &open, err))
        return false;
    if (!open)
        return ERR(err, ERR_CONFLICT, "set-up is done: an administrator exists; sign in instead");
    page_headers(c);
    c->resp->content_type = "text/html; charset=utf-8";
    sbuf_puts(call_out(c), page);
    return true;
}

bool api_setup_script(struct call *c, struct err *err)
{
    (void)err;
    page_headers(c);
    c->resp->content_type = "text/javascript; charset=utf-8";
    sbuf_puts(call_out(c), script);
    return true;
}

bool api_setup(struct call *c, struct err *err)
{
    struct setup_request r;
    struct session_answer s;
    if (!call_decode(c, &r, err) ||
        !app_setup_finish(c->app, &c->caller, &r, &s, &c->faults, &c->retry_after, c->a, err))
        return false;
    call_header(c, "Cache-Control", STR("no-store"));
    call_one(c, &session_answer_fields, &s);
    return true;
}
