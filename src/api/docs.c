// SPDX-License-Identifier: Apache-2.0
// Pages of the server itself: the reader of the OpenAPI document, and where to go from "/". They run scripts
// of this server only.
#include "api/docs_text.h"
#include "api/handlers.h"

static void page(struct call *c, const char *media, const char *text)
{
    call_header(
        c, "Content-Security-Policy",
        STR("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'"));
    call_header(c, "Referrer-Policy", STR("no-referrer"));
    call_header(c, "X-Content-Type-Options", STR("nosniff"));
    call_header(c, "Cache-Control", STR("no-cache"));
    c->resp->content_type = media;
    sbuf_puts(call_out(c), text);
}

bool api_docs_page(struct call *c, struct err *err)
{
    (void)err;
    page(c, "text/html; charset=utf-8", text_reader_html);
    return true;
}

bool api_docs_script(struct call *c, struct err *err)
{
    (void)err;
    page(c, "text/javascript; charset=utf-8", text_reader_js);
    return true;
}

bool api_docs_style(struct call *c, struct err *err)
{
    (void)err;
    page(c, "text/css; charset=utf-8", text_reader_css);
    return true;
}

bool api_docs_redirect(struct call *c, struct err *err)
{
    (void)err;
    call_header(c, "Location", STR("/docs/api"));
    return true;
}

bool api_root_page(struct call *c, struct err *err)
{
    (void)err;
    page(c, "text/html; charset=utf-8",
         "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Chronos</title></head>\n"
         "<body><main><h1>Chronos</h1><ul>\n"
         "<li><a href=\"/docs/api\">The interface</a>, to read and to try; as a document: "
         "<a href=\"/openapi.json\">openapi.json</a></li>\n"
         "<li><a href=\"/readyz\">Health</a></li>\n"
         "<li><a href=\"/metrics\">Figures</a> for Prometheus</li>\n"
         "</ul></main></body></html>\n");
    return true;
}
