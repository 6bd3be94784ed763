// SPDX-License-Identifier: Apache-2.0
// The OpenAPI 3.1 document, written from the route table and the field tables on each request: it cannot
// differ from what the server does.
#include "api/openapi.h"

#include "api/etag.h"
#include "api/handlers.h"

enum { STATUS_FOUND = 302 };

static void member(struct sbuf *out, const char *name, struct str value)
{
    sbuf_json(out, str_of(name));
    sbuf_putc(out, ':');
    sbuf_json(out, value);
}

// ---- parameters ----

static const char id_schema[] =
    "{\"type\":\"string\",\"pattern\":\"^[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}$\"}";
static const char text_schema[] = "{\"type\":\"string\"}";

static void parameter_begin(struct sbuf *out, struct str name, const char *in, const char *doc, bool required)
{
    sbuf_puts(out, "{\"name\":");
    sbuf_json(out, name);
    sbuf_fmt(out, ",\"in\":\"%s\",\"required\":%s,", in, required ? "true" : "false");
    if (doc) {
        member(out, "description", str_of(doc));
        sbuf_putc(out, ',');
    }
    sbuf_puts(out, "\"schema\":");
}

static void query_schema(struct sbuf *out, const struct query_param *p)
{
    static const char *const schemas[] = {
        [QUERY_STR] = text_schema,
        [QUERY_BOOL] = "{\"type\":\"boolean\"}",
        [QUERY_INSTANT] = "{\"type\":\"string\",\"format\":\"date-time\"}",
        [QUERY_ID] = id_schema,
    };
    if (p->kind == QUERY_I64) {
        sbuf_fmt(out, "{\"type\":\"integer\",\"minimum\":%lld", (long long)p->min);
        if (p->max > p->min)
            sbuf_fmt(out, ",\"maximum\":%lld", (long long)p->max);
        sbuf_putc(out, '}');
        return;
    }
    if (p->kind != QUERY_ENUM) {
        sbuf_puts(out, schemas[p->kind]);
        return;
    }
    sbuf_puts(out, "{\"type\":\"string\",\"enum\":[");
    for (size_t i = 0; p->names[i]; i++)
        sbuf_fmt(out, "%s\"%s\"", i ? "," : "", p->names[i]);
    sbuf_puts(out, "]}");
}

static void header_parameter(struct sbuf *out, const char *name, const char *doc, const char *schema,
                             size_t n)
{
    if (n > 0)
        sbuf_putc(out, ',');
    parameter_begin(out, str_of(name), "header", doc, false);
    sbuf_puts(out, schema);
    sbuf_putc(out, '}');
}

static bool is_id(struct str name) { return str_is(name, "id") || str_ends(name, STR("Id")); }

static void write_parameters(struct sbuf *out, const struct route *r)
{
    size_t n = 0;
    sbuf_puts(out, ",\"parameters\":[");
    for (const char *p = strchr(r->path, '{'); p; p = strchr(p + 1, '{'), n++) {
        struct str name = str_of_n(p + 1, (size_t)(strchr(p, '}') - p - 1));
        if (n > 0)
            sbuf_putc(out, ',');
        parameter_begin(out, name, "path", NULL, true);
        sbuf_puts(out, is_id(name) ? id_schema : text_schema);
        sbuf_putc(out, '}');
    }
    for (const struct query_param *q = r->query; q && q->name; q++, n++) {
        if (n > 0)
            sbuf_putc(out, ',');
        parameter_begin(out, str_of(q->name), "query", q->doc, false);
        query_schema(out, q);
        sbuf_putc(out, '}');
    }
    if (r->flags & ROUTE_IF_MATCH)
        header_parameter(out, "If-Match", "ETag of the version to change; 412 when it is another.",
                         text_schema, n++);
    if (r->flags & ROUTE_IDEMPOTENT)
        header_parameter(
            out, "Idempotency-Key",
            "A word of the client's own, such as a UUID: however often a request with it is sent, it is "
            "carried out once, and the first answer is given again for a day.",
            "{\"type\":\"string\",\"minLength\":1,\"maxLength\":255}", n++);
    if (route_tagged(r))
        header_parameter(out, "If-None-Match", "ETag of what is known already; 304 while it is the same.",
                         text_schema, n++);
    if (r->answer == ANSWER_STREAM)
        header_parameter(out, "Last-Event-ID", "Last event that was received; the next ones follow.",
                         text_schema, n++);
    sbuf_putc(out, ']');
}

// ---- bodies ----

static void ref(struct sbuf *out, const char *name, const char *suffix)
{
    sbuf_fmt(out, "{\"$ref\":\"#/components/schemas/%s%s\"}", name, suffix);
}

static void list_schema(struct sbuf *out, const struct fields *t)
{
    sbuf_puts(
        out,
        "{\"type\":\"object\",\"required\":[\"content\",\"page\",\"size\",\"totalElements\",\"totalPages\","
        "\"nextCursor\"],\"properties\":{\"content\":{\"type\":\"array\",\"items\":");
    ref(out, t->name, "");
    sbuf_puts(out,
              "},\"page\":{\"type\":\"integer\",\"minimum\":0},\"size\":{\"type\":\"integer\",\"minimum\":0},"
              "\"totalElements\":{\"type\":\"integer\",\"minimum\":0},\"totalPages\":{\"type\":\"integer\","
              "\"minimum\":0},\"nextCursor\":{\"type\":[\"string\",\"null\"]},\"totalIsEstimate\":"
              "{\"type\":\"boolean\"}},\"additionalProperties\":false}");
}

// What the answer's body is; false: it has none.
static bool answer_content(const struct route *r, struct sbuf *out)
{
    const struct shape *shape = r->out ? shape_find(r->out) : NULL;
    if (r->answer == ANSWER_STREAM) {
        sbuf_puts(out, ",\"content\":{\"text/event-stream\":{\"schema\":{\"type\":\"string\"}}}");
        return true;
    }
    if (r->answer == ANSWER_NONE)
        return false;
    sbuf_fmt(out,
             ",\"content\":{\"%s\":{\"schema\":", shape && shape->media ? shape->media : "application/json");
    if (shape && shape->media)
        sbuf_puts(out, shape->schema);
    else if (shape)
        ref(out, shape->name, "");
    else if (r->response && r->answer == ANSWER_LIST)
        list_schema(out, r->response);
    else if (r->response)
        ref(out, r->response->name, "");
    else
        sbuf_puts(out, "{}");
    sbuf_puts(out, "}}");
    return true;
}

static const char header_schema[] = "{\"schema\":{\"type\":\"string\"}}";

static void answer_headers(struct sbuf *out, const struct route *r, int status)
{
    const char *text = header_schema;
    sbuf_fmt(out, ",\"headers\":{\"X-Request-Id\":%s", text);
    if ((status == 201 || status == 202) && r->response == &run_fields)
        sbuf_fmt(out, ",\"Location\":%s", text);
    else if (status == 201 && (r->flags & ROUTE_IDEMPOTENT))
        sbuf_fmt(out, ",\"Location\":%s", text);
    if (route_tagged(r) || (r->flags & ROUTE_IF_MATCH))
        sbuf_fmt(out, ",\"ETag\":%s", text);
    if (r->flags & ROUTE_IDEMPOTENT)
        sbuf_fmt(out, ",\"Idempotency-Replayed\":%s", text);
    sbuf_putc(out, '}');
}

static bool has_dry_run(const struct route *r)
{
    for (const struct query_param *q = r->query; q && q->name; q++)
        if (strcmp(q->name, "dryRun") == 0)
            return true;
    return false;
}

static void success(struct sbuf *out, const struct route *r, int status, const char *doc)
{
    sbuf_fmt(out, "\"%d\":{\"description\":\"%s\"", status, doc);
    answer_headers(out, r, status);
    (void)answer_content(r, out);
    sbuf_putc(out, '}');
}

static void write_responses(struct sbuf *out, const struct route *r)
{
    int problems[PROBLEM_STATUSES_MAX];
    operation_problems(r, problems);
    sbuf_puts(out, ",\"responses\":{");
    if (r->status != 200 && has_dry_run(r)) {
        success(out, r, 200, "Nothing was stored; or each was answered by itself.");
        sbuf_putc(out, ',');
    }
    bool leads = r->status == STATUS_FOUND;
    if (leads)
        sbuf_fmt(out, "\"%d\":{\"description\":\"Look there.\",\"headers\":{\"Location\":%s}}", r->status,
                 header_schema);
    if (leads && r->out)
        sbuf_putc(out, ',');
    if (!leads || r->out)
        success(out, r, leads ? 200 : r->status, r->answer == ANSWER_NONE ? "Done." : "The answer.");
    if (route_tagged(r))
        sbuf_puts(out, ",\"304\":{\"description\":\"It is what If-None-Match names.\"}");
    bool health = r->out && strcmp(r->out, "Health") == 0;
    for (size_t i = 0; problems[i]; i++)
        if (problems[i] != 503 || !health)
            sbuf_fmt(out, ",\"%d\":{\"$ref\":\"#/components/responses/Problem%d\"}", problems[i],
                     problems[i]);
    if (health) { // which tells what is down in its own way
        sbuf_putc(out, ',');
        success(out, r, 503, "It cannot do its work now.");
    }
    sbuf_puts(out, "}");
}

static void request_body(struct sbuf *out, const struct route *r)
{
    bool patch = strcmp(r->method, "PATCH") == 0;
    const char *example = request_example(r);
    if (!r->request && !r->in)
        return;
    sbuf_fmt(out, ",\"requestBody\":{\"required\":%s,\"content\":{\"application/%s\":{\"schema\":",
             r->flags & ROUTE_BODY_OPTIONAL ? "false" : "true", patch ? "merge-patch+json" : "json");
    if (r->in)
        ref(out, r->in, "");
    else
        ref(out, r->request->name, patch ? "Patch" : "Input");
    if (example)
        sbuf_fmt(out, ",\"example\":%s", example);
    sbuf_puts(out, "}}}");
}

void openapi_operation(const struct route *r, struct sbuf *out)
{
    sbuf_putc(out, '"');
    for (const char *m = r->method; *m; m++)
        sbuf_putc(out, (char)(*m - 'A' + 'a'));
    sbuf_puts(out, "\":{\"operationId\":\"");
    operation_id(r, out);
    sbuf_puts(out, "\",\"tags\":[");
    sbuf_json(out, operation_tag(r));
    sbuf_puts(out, "],");
    member(out, "summary", str_of(r->doc));
    write_parameters(out, r);
    request_body(out, r);
    if (r->action == ACTION_PUBLIC) {
        sbuf_puts(out, r->flags & ROUTE_CALLER
                           ? ",\"security\":[{},{\"bearer\":[]},{\"apiKey\":[]},{\"cookie\":[]}]"
                           : ",\"security\":[]");
    } else {
        sbuf_puts(out, ",\"security\":[{\"bearer\":[]},{\"apiKey\":[]},{\"cookie\":[]}],");
        member(out, "x-action", str_of(action_name((enum action)r->action)));
    }
    write_responses(out, r);
    sbuf_putc(out, '}');
}

// ---- the document ----

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

static bool tag_seen(size_t until)
{
    for (size_t i = 0; i < until; i++)
        if (str_eq(operation_tag(&routes[i]), operation_tag(&routes[until])))
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
            openapi_operation(&routes[k], out);
        }
        sbuf_putc(out, '}');
    }
    sbuf_putc(out, '}');
}

static void write_tags(struct sbuf *out)
{
    bool first = true;
    sbuf_puts(out, "\"tags\":[");
    for (size_t i = 0; i < routes_n; i++) {
        if (tag_seen(i))
            continue;
        sbuf_puts(out, first ? "{\"name\":" : ",{\"name\":");
        sbuf_json(out, operation_tag(&routes[i]));
        sbuf_putc(out, '}');
        first = false;
    }
    sbuf_puts(out, "],");
}

bool api_openapi(struct call *c, struct err *err)
{
    (void)err;
    struct sbuf *out = call_out(c);
    sbuf_puts(out, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Chronos\",");
    member(out, "version", str_of(c->app->settings.version));
    sbuf_puts(out, ",\"description\":\"Job scheduling. Every path below /api/v1 is also served below /api.\","
                   "\"license\":{\"name\":\"Apache-2.0\",\"identifier\":\"Apache-2.0\"}},"
                   "\"servers\":[{\"url\":\"/\"}],");
    write_tags(out);
    write_paths(out);
    sbuf_putc(out, ',');
    openapi_components(out, c->a);
    sbuf_putc(out, '}');
    return true;
}
