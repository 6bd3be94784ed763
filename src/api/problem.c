// SPDX-License-Identifier: Apache-2.0
// Problem documents. See problem.h.
#include "api/problem.h"

static const struct {
    enum err_code code;
    int status;
    const char *title;
    const char *instead; // shown in place of the error's own text, which may tell about the server's inside
} rows[] = {
    {ERR_INVALID, 400, "Bad request", NULL},
    {ERR_UNAUTHENTICATED, 401, "Not signed in", NULL},
    {ERR_DENIED, 403, "Not allowed", NULL},
    {ERR_NOT_FOUND, 404, "Not found", NULL},
    {ERR_CONFLICT, 409, "Conflict", NULL},
    {ERR_STALE, 412, "Changed meanwhile", NULL},
    {ERR_TOO_LARGE, 413, "Too large", NULL},
    {ERR_UNPROCESSABLE, 422, "Cannot be processed", NULL},
    {ERR_THROTTLED, 429, "Too many requests", NULL},
    {ERR_UNAVAILABLE, 503, "Not available now", "the data store cannot answer now; try again"},
    {ERR_BUSY, 503, "Busy", "the data store is busy; try again"},
    {ERR_UNKNOWN_COMMIT, 503, "Outcome unknown",
     "the connection to the data store was lost while writing; read the object before trying again"},
    {ERR_FULL, 507, "Out of space", "the data store has no space left; ask an administrator"},
    {ERR_UPSTREAM, 502, "Another service failed",
     "a service that is needed for this did not answer as it should; try again, the server's log has more"},
    {ERR_TIMEOUT, 504, "Timed out", "the request took too long; try again"},
    {ERR_INTERNAL, 500, "Internal error", "the server made a mistake; its log has more under the trace id"},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static const struct {
    int status;
    const char *code, *title;
} by_status[] = {
    {400, "INVALID", "Bad request"},
    {405, "METHOD_NOT_ALLOWED", "Method not allowed"},
    {408, "REQUEST_TIMEOUT", "Request timed out"},
    {411, "LENGTH_REQUIRED", "Length required"},
    {413, "TOO_LARGE", "Too large"},
    {414, "URI_TOO_LONG", "Address too long"},
    {415, "UNSUPPORTED_MEDIA_TYPE", "Unsupported media type"},
    {429, "THROTTLED", "Too many requests"},
    {431, "HEADER_TOO_LARGE", "Header too large"},
    {501, "NOT_IMPLEMENTED", "Not implemented"},
    {503, "UNAVAILABLE", "Not available now"},
};
enum { BY_STATUS = sizeof by_status / sizeof by_status[0] };

struct problem problem_of(const struct err *err, const struct faults *faults)
{
    size_t i = 0;
    while (i + 1 < ROWS && rows[i].code != err->code)
        i++; // the last row stands for every code that is only ours
    return (struct problem){
        .status = rows[i].status,
        .code = err_code_name(rows[i].code),
        .title = rows[i].title,
        .detail = str_of(rows[i].instead ? rows[i].instead : err->text),
        .faults = faults,
        .pointer = err->field[0] && !rows[i].instead ? str_of(err->field) : STR_NONE,
    };
}

static void write_fault(struct str pointer, struct str detail, struct sbuf *out)
{
    bool query = pointer.n > 0 && pointer.p[0] == '?';
    sbuf_puts(out, query ? "{\"parameter\":" : "{\"pointer\":");
    sbuf_json(out, query ? (struct str){pointer.p + 1, pointer.n - 1} : pointer);
    sbuf_puts(out, ",\"detail\":");
    sbuf_json(out, detail);
    sbuf_putc(out, '}');
}

static void write_faults(const struct problem *p, struct sbuf *out)
{
    bool list = p->faults && p->faults->n > 0;
    if (!list && !p->pointer.p)
        return;
    sbuf_puts(out, ",\"errors\":[");
    for (size_t i = 0; list && i < p->faults->n; i++) {
        if (i > 0)
            sbuf_putc(out, ',');
        write_fault(p->faults->v[i].pointer, p->faults->v[i].detail, out);
    }
    if (!list)
        write_fault(p->pointer, p->detail, out);
    sbuf_putc(out, ']');
}

static void write_type(const char *code, struct sbuf *out)
{
    sbuf_puts(out, "{\"type\":\"/problems/");
    for (; *code; code++)
        sbuf_putc(out, *code == '_' ? '-' : *code >= 'A' && *code <= 'Z' ? (char)(*code - 'A' + 'a') : *code);
    sbuf_putc(out, '"');
}

void problem_write(const struct problem *p, struct str instance, const char *trace_id, struct sbuf *out)
{
    const char *code = p->code, *title = p->title;
    for (size_t i = 0; i < BY_STATUS && !code; i++)
        if (by_status[i].status == p->status) {
            code = by_status[i].code;
            title = by_status[i].title;
        }
    if (!code) {
        code = "INVALID";
        title = "Bad request";
    }
    write_type(code, out);
    sbuf_puts(out, ",\"title\":");
    sbuf_json(out, str_of(title));
    sbuf_puts(out, ",\"status\":");
    sbuf_i64(out, p->status);
    sbuf_puts(out, ",\"detail\":");
    sbuf_json(out, p->detail);
    if (instance.p) {
        sbuf_puts(out, ",\"instance\":");
        sbuf_json(out, instance);
    }
    sbuf_puts(out, ",\"code\":");
    sbuf_json(out, str_of(code));
    if (trace_id && trace_id[0]) {
        sbuf_puts(out, ",\"traceId\":");
        sbuf_json(out, str_of(trace_id));
    }
    write_faults(p, out);
    sbuf_putc(out, '}');
}

static void put_html(struct sbuf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        const char *entity = s.p[i] == '&'   ? "&amp;"
                             : s.p[i] == '<' ? "&lt;"
                             : s.p[i] == '>' ? "&gt;"
                             : s.p[i] == '"' ? "&quot;"
                                             : NULL;
        if (entity)
            sbuf_puts(out, entity);
        else
            sbuf_putc(out, s.p[i]);
    }
}

static void problem_page(const struct call *c, const struct problem *p, struct sbuf *out)
{
    struct str title = p->title ? str_of(p->title) : STR("This did not work");
    sbuf_puts(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Chronos: ");
    put_html(out, title);
    sbuf_puts(out, "</title></head>\n<body><main><h1>");
    put_html(out, title);
    sbuf_puts(out, "</h1>\n<p>");
    put_html(out, p->detail);
    sbuf_puts(out, "</p>\n<p><a href=\"");
    put_html(out, str_of(c->back));
    sbuf_puts(out, "\">Try again</a></p>\n<p>Trace id: <code>");
    put_html(out, str_of(c->trace_id));
    sbuf_puts(out, "</code></p></main></body></html>\n");
}

void problem_answer(struct call *c, const struct problem *p)
{
    enum { RETRY_S_DEFAULT = 1 };
    sbuf_clear(&c->resp->body);
    c->resp->status = p->status;
    c->resp->content_type = c->back ? "text/html; charset=utf-8" : "application/problem+json";
    if (c->resp->source) { // a stream that will not be opened after all
        c->resp->source->closed(c->resp->source->ctx);
        c->resp->source = NULL;
    }
    if (c->back)
        problem_page(c, p, &c->resp->body);
    else
        problem_write(p, c->req->path, c->trace_id, &c->resp->body);
    if (p->status == 503 || p->status == 429 || c->retry_after.us > 0) {
        int64_t wait_s = c->retry_after.us / US_PER_S;
        call_header(c, "Retry-After", arena_fmt(c->a, "%lld", (long long)(wait_s > 0 ? wait_s : RETRY_S_DEFAULT)));
    }
    if (p->status == 401)
        call_header(c, "WWW-Authenticate",
                    httpd_header(c->req, "authorization").p
                        ? STR("Bearer realm=\"chronos\", error=\"invalid_token\"")
                        : STR("Bearer realm=\"chronos\""));
}
