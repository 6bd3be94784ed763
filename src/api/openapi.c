// SPDX-License-Identifier: Apache-2.0
// The OpenAPI 3.1 document, written from the route table and the field tables on each request: it cannot differ from
// what the server does. Also the plain page at "/".
#include "api/handlers.h"

static void member(struct sbuf *out, const char *name, struct str value)
{
    sbuf_json(out, str_of(name));
    sbuf_putc(out, ':');
    sbuf_json(out, value);
}

static void schema_ref(struct sbuf *out, const struct fields *t, bool request)
{
    sbuf_fmt(out, "{\"$ref\":\"#/components/schemas/%s%s\"}", t->name, request ? "Input" : "");
}

static void write_parameter(struct sbuf *out, struct str name, const char *in, const char *doc, const char *schema,
                            bool required)
{
    sbuf_puts(out, "{\"name\":");
    sbuf_json(out, name);
    sbuf_fmt(out, ",\"in\":\"%s\",\"required\":%s,", in, required ? "true" : "false");
    if (doc) {
        member(out, "description", str_of(doc));
        sbuf_putc(out, ',');
    }
    sbuf_fmt(out, "\"schema\":%s}", schema);
}

static void write_query(struct sbuf *out, const struct query_param *p)
{
    static const char *const schemas[] = {
        [QUERY_STR] = "{\"type\":\"string\"}",
        [QUERY_I64] = "{\"type\":\"integer\"}",
        [QUERY_BOOL] = "{\"type\":\"boolean\"}",
        [QUERY_INSTANT] = "{\"type\":\"string\",\"format\":\"date-time\"}",
        [QUERY_ID] = "{\"type\":\"string\"}",
        [QUERY_ENUM] = "{\"type\":\"string\"}",
    };
    if (p->kind != QUERY_ENUM) {
        write_parameter(out, str_of(p->name), "query", p->doc, schemas[p->kind], false);
        return;
    }
    enum { ENUM_MAX = 512 };
    char words[ENUM_MAX];
    size_t n = (size_t)snprintf(words, sizeof words, "{\"type\":\"string\",\"enum\":[");
    for (size_t i = 0; p->names[i]; i++)
        n += (size_t)snprintf(words + n, sizeof words - n, "%s\"%s\"", i ? "," : "", p->names[i]);
    (void)snprintf(words + n, sizeof words - n, "]}");
    write_parameter(out, str_of(p->name), "query", p->doc, words, false);
}

static void write_parameters(struct sbuf *out, const struct route *r)
{
    static const char string[] = "{\"type\":\"string\"}";
    size_t n = 0;
    sbuf_puts(out, ",\"parameters\":[");
    for (const char *p = strchr(r->path, '{'); p; p = strchr(p + 1, '{'), n++) {
        if (n > 0)
            sbuf_putc(out, ',');
        write_parameter(out, str_of_n(p + 1, (size_t)(strchr(p, '}') - p - 1)), "path", NULL, string, true);
    }
    for (const struct query_param *q = r->query; q && q->name; q++, n++) {
        if (n > 0)
            sbuf_putc(out, ',');
        write_query(out, q);
    }
    if (r->flags & ROUTE_IF_MATCH) {
        if (n > 0)
            sbuf_putc(out, ',');
        write_parameter(out, STR("If-Match"), "header", "ETag of the version to change; 412 when it is another.",
                        string, false);
    }
    sbuf_putc(out, ']');
}

static void write_list_schema(struct sbuf *out, const struct fields *t)
{
    sbuf_puts(out, "{\"type\":\"object\",\"required\":[\"content\",\"page\",\"size\",\"totalElements\",\"totalPages\","
                   "\"nextCursor\"],\"properties\":{\"content\":{\"type\":\"array\",\"items\":");
    schema_ref(out, t, false);
    sbuf_puts(out, "},\"page\":{\"type\":\"integer\"},\"size\":{\"type\":\"integer\"},\"totalElements\":"
                   "{\"type\":\"integer\"},\"totalPages\":{\"type\":\"integer\"},\"nextCursor\":"
                   "{\"type\":[\"string\",\"null\"]},\"totalIsEstimate\":{\"type\":\"boolean\"}}}");
}

static void write_responses(struct sbuf *out, const struct route *r)
{
    sbuf_fmt(out, ",\"responses\":{\"%d\":{\"description\":\"Done.\"", r->status);
    if (r->answer == ANSWER_STREAM)
        sbuf_puts(out, ",\"content\":{\"text/event-stream\":{\"schema\":{\"type\":\"string\"}}}");
    if (r->response && (r->answer == ANSWER_ONE || r->answer == ANSWER_LIST)) {
        sbuf_puts(out, ",\"content\":{\"application/json\":{\"schema\":");
        if (r->answer == ANSWER_LIST)
            write_list_schema(out, r->response);
        else
            schema_ref(out, r->response, false);
        sbuf_puts(out, "}}");
    }
    sbuf_puts(out, "},\"default\":{\"description\":\"What went wrong.\",\"content\":{\"application/problem+json\":"
                   "{\"schema\":{\"$ref\":\"#/components/schemas/Problem\"}}}}}");
}

static void write_operation(struct sbuf *out, const struct route *r, size_t index)
{
    sbuf_putc(out, '"');
    for (const char *m = r->method; *m; m++)
        sbuf_putc(out, (char)(*m - 'A' + 'a'));
    sbuf_fmt(out, "\":{\"operationId\":\"op%zu\",", index);
    member(out, "summary", str_of(r->doc));
    write_parameters(out, r);
    if (r->request) {
        sbuf_fmt(out, ",\"requestBody\":{\"required\":%s,\"content\":{\"application/%s\":{\"schema\":",
                 r->flags & ROUTE_BODY_OPTIONAL ? "false" : "true",
                 strcmp(r->method, "PATCH") == 0 ? "merge-patch+json" : "json");
        schema_ref(out, r->request, true);
        sbuf_puts(out, "}}}");
    }
    sbuf_puts(out, r->action == ACTION_PUBLIC ? ",\"security\":[]" : ",\"security\":[{\"bearer\":[]}]");
    if (r->action != ACTION_PUBLIC) {
        sbuf_putc(out, ',');
        member(out, "x-action", str_of(action_name((enum action)r->action)));
    }
    write_responses(out, r);
    sbuf_putc(out, '}');
}

static bool same_path(const struct route *x, const struct route *y)
{
    return strcmp(x->path, y->path) == 0 && (x->flags & ROUTE_ROOT) == (y->flags & ROUTE_ROOT);
}

static bool path_seen(size_t until)
{
    for (size_t i = 0; i < until; i++)
        if (same_path(&routes[i], &routes[until]))
            return true;
    return false;
}

static void write_paths(struct sbuf *out)
{
    bool first = true;
    sbuf_puts(out, "\"paths\":{");
    for (size_t i = 0; i < routes_n; i++) {
        if (path_seen(i))
            continue;
        sbuf_fmt(out, "%s\"%s%s\":{", first ? "" : ",", routes[i].flags & ROUTE_ROOT ? "" : "/api/v1",
                 routes[i].path);
        first = false;
        bool first_method = true;
        for (size_t k = i; k < routes_n; k++) {
            if (!same_path(&routes[k], &routes[i]))
                continue;
            if (!first_method)
                sbuf_putc(out, ',');
            first_method = false;
            write_operation(out, &routes[k], k);
        }
        sbuf_putc(out, '}');
    }
    sbuf_putc(out, '}');
}

static bool table_seen(const struct fields *t, size_t until, bool request)
{
    for (size_t i = 0; i < until; i++)
        if ((request ? routes[i].request : routes[i].response) == t)
            return true;
    return false;
}

static void write_schemas(struct sbuf *out)
{
    sbuf_puts(out, "\"components\":{\"securitySchemes\":{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\","
                   "\"bearerFormat\":\"JWT\"}},\"schemas\":{\"Problem\":{\"type\":\"object\",\"required\":[\"type\","
                   "\"title\",\"status\",\"code\"],\"properties\":{\"type\":{\"type\":\"string\"},\"title\":"
                   "{\"type\":\"string\"},\"status\":{\"type\":\"integer\"},\"detail\":{\"type\":\"string\"},"
                   "\"instance\":{\"type\":\"string\"},\"code\":{\"type\":\"string\"},"
                   "\"traceId\":{\"type\":\"string\"},"
                   "\"errors\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"pointer\":"
                   "{\"type\":\"string\"},\"parameter\":{\"type\":\"string\"},\"detail\":{\"type\":\"string\"}}}}}}");
    for (int request = 0; request <= 1; request++)
        for (size_t i = 0; i < routes_n; i++) {
            const struct fields *t = request ? routes[i].request : routes[i].response;
            if (!t || table_seen(t, i, request))
                continue;
            sbuf_fmt(out, ",\"%s%s\":", t->name, request ? "Input" : "");
            field_schema(t, request, out);
        }
    sbuf_puts(out, "}}");
}

bool api_openapi(struct call *c, struct err *err)
{
    (void)err;
    struct sbuf *out = call_out(c);
    sbuf_puts(out, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Chronos\",");
    member(out, "version", str_of(c->app->settings.version));
    sbuf_puts(out, ",\"description\":\"Job scheduling. Every path below /api/v1 is also served below /api.\"},");
    write_paths(out);
    sbuf_putc(out, ',');
    write_schemas(out);
    sbuf_putc(out, '}');
    return true;
}

bool api_root_page(struct call *c, struct err *err)
{
    (void)err;
    c->resp->content_type = "text/html; charset=utf-8";
    call_header(c, "Content-Security-Policy", STR("default-src 'none'; frame-ancestors 'none'; base-uri 'none'"));
    sbuf_puts(call_out(c),
              "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Chronos</title></head>\n"
              "<body><main><h1>Chronos</h1><ul>\n"
              "<li><a href=\"/openapi.json\">The interface</a> as an OpenAPI document; its base path is /api/v1</li>\n"
              "<li><a href=\"/readyz\">Health</a></li>\n"
              "<li><a href=\"/metrics\">Figures</a> for Prometheus</li>\n"
              "</ul></main></body></html>\n");
    return true;
}
