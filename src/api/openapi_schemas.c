// SPDX-License-Identifier: Apache-2.0
// Components of the OpenAPI document: schemas of field tables and shapes, the definitions of jobs by type,
// problems, ways to sign in.
#include "api/handlers.h"
#include "api/openapi.h"
#include "app/job_type.h"

static const char refs[] = "#/components/schemas/";

static void name_and_colon(struct sbuf *out, const char *name, const char *suffix)
{
    sbuf_fmt(out, ",\"%s%s\":", name, suffix);
}

static void object(struct sbuf *out, const struct fields *t, enum field_schema_use use, const char *more)
{
    sbuf_puts(out, "{\"type\":\"object\",");
    if (t->doc) {
        sbuf_puts(out, "\"description\":");
        sbuf_json(out, str_of(t->doc));
        sbuf_putc(out, ',');
    }
    field_schema_members(t, use, more, refs, out);
    sbuf_putc(out, '}');
}

// ---- tables ----

enum { TABLES_MAX = 256 };
// What is written already: a table once for each use.
struct written {
    struct sbuf *out;
    struct {
        const struct fields *t;
        enum field_schema_use use;
    } v[TABLES_MAX];
    size_t n;
};

static void table(struct written *w, const struct fields *t, enum field_schema_use use);

static void nested(struct written *w, const struct fields *t, enum field_schema_use use)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->v[i].kind == FIELD_KIND_OBJECT)
            table(w, t->v[i].sub, use);
}

static bool seen(struct written *w, const struct fields *t, enum field_schema_use use)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->v[i].t == t && w->v[i].use == use)
            return true;
    must(w->n < TABLES_MAX);
    w->v[w->n].t = t;
    w->v[w->n++].use = use;
    return false;
}

static void table(struct written *w, const struct fields *t, enum field_schema_use use)
{
    if (!t || seen(w, t, use))
        return;
    sbuf_puts(w->out, ",\"");
    field_schema_name(t, use, w->out);
    sbuf_puts(w->out, "\":");
    object(w->out, t, use, NULL);
    nested(w, t, use);
}

// ---- definitions of jobs, by type ----

// As the table of jobs says, but for the words of the type and the payload that belongs to it.
static void job_of_type(struct written *w, const char *name, const struct fields *payload)
{
    enum { MORE_MAX = 512 };
    const char *const words[] = {name, NULL};
    char more[MORE_MAX];
    enum { ROWS_MAX = 64 };
    struct field rows[ROWS_MAX];
    struct fields rest = {.name = job_fields.name, .v = rows};
    must(job_fields.n <= ROWS_MAX);
    for (size_t i = 0; i < job_fields.n; i++)
        if (strcmp(job_fields.v[i].name, "payload") != 0)
            rows[rest.n++] = job_fields.v[i];
    for (size_t i = 0; i < rest.n; i++)
        if (strcmp(rows[i].name, "type") == 0) {
            rows[i].kind = FIELD_KIND_ENUM;
            rows[i].names = words;
        }
    (void)snprintf(more, sizeof more, "\"payload\":{\"$ref\":\"%sPayload%s\"}", refs, name);
    name_and_colon(w->out, "JobInput", name);
    sbuf_puts(w->out, "{\"type\":\"object\",");
    field_schema_members(&rest, FIELD_SCHEMA_REQUEST, more, refs, w->out);
    sbuf_putc(w->out, '}');
    (void)snprintf(more, sizeof more, "\"type\":{\"type\":\"string\",\"enum\":[\"%s\"]}", name);
    name_and_colon(w->out, "Payload", name);
    object(w->out, payload, FIELD_SCHEMA_REQUEST, more);
    nested(w, payload, FIELD_SCHEMA_REQUEST);
}

static void jobs_by_type(struct written *w)
{
    struct job_type_table t;
    sbuf_puts(w->out, ",\"JobInput\":{\"oneOf\":[");
    for (size_t i = 0; app_job_type_table(i, &t); i++)
        sbuf_fmt(w->out, "%s{\"$ref\":\"%sJobInput%s\"}", i ? "," : "", refs, t.name);
    sbuf_puts(w->out, "],\"discriminator\":{\"propertyName\":\"type\",\"mapping\":{");
    for (size_t i = 0; app_job_type_table(i, &t); i++)
        sbuf_fmt(w->out, "%s\"%s\":\"%sJobInput%s\"", i ? "," : "", t.name, refs, t.name);
    sbuf_puts(w->out, "}}}");
    nested(w, &job_fields, FIELD_SCHEMA_REQUEST);
    for (size_t i = 0; app_job_type_table(i, &t); i++)
        job_of_type(w, t.name, t.payload);
}

// ---- problems ----

static const char problem_schema[] =
    "\"Problem\":{\"type\":\"object\",\"description\":\"What went wrong (RFC "
    "9457).\",\"required\":[\"type\",\"title\","
    "\"status\",\"detail\",\"code\"],\"properties\":{"
    "\"type\":{\"type\":\"string\",\"description\":\"Names the kind of problem; stable.\"},"
    "\"title\":{\"type\":\"string\"},\"status\":{\"type\":\"integer\",\"minimum\":400,\"maximum\":599},"
    "\"detail\":{\"type\":\"string\",\"description\":\"What it was this time, and what helps.\"},"
    "\"instance\":{\"type\":\"string\"},"
    "\"code\":{\"type\":\"string\",\"pattern\":\"^[A-Z_]+$\",\"description\":\"A word for programs; "
    "stable.\"},"
    "\"traceId\":{\"type\":\"string\",\"description\":\"To be found in the log of the server.\"},"
    "\"errors\":{\"type\":\"array\",\"description\":\"Every fault that was "
    "found.\",\"items\":{\"type\":\"object\","
    "\"required\":[\"detail\"],\"properties\":{\"pointer\":{\"type\":\"string\",\"description\":\"JSON "
    "Pointer into the "
    "body.\"},\"parameter\":{\"type\":\"string\"},\"detail\":{\"type\":\"string\"}},\"additionalProperties\":"
    "false}}},"
    "\"additionalProperties\":false}";

static const struct {
    int status;
    const char *doc;
} problems[] = {
    {400, "The request has faults; each is listed."},
    {401, "Nobody is signed in, or the proof is no good."},
    {403, "The caller may not do this."},
    {404, "There is no such thing, or it is not the caller's."},
    {409, "It does not fit the state of things."},
    {412, "It was changed meanwhile: If-Match names another version."},
    {413, "Request or answer are too large."},
    {415, "The body must be JSON."},
    {422, "The request is understood, but cannot be processed; or its Idempotency-Key was used for another."},
    {429, "Too many requests."},
    {500, "The server made a mistake."},
    {503, "The server cannot answer now."},
    {504, "It took too long."},
    {507, "There is no space left."},
};

static void write_problems(struct sbuf *out)
{
    sbuf_puts(out, "\"responses\":{");
    for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++) {
        int status = problems[i].status;
        const char *header = status == 401 ? "WWW-Authenticate" : "Retry-After";
        sbuf_fmt(out, "%s\"Problem%d\":{\"description\":\"%s\",", i ? "," : "", status, problems[i].doc);
        if (status == 401 || status == 409 || status == 429 || status == 503)
            sbuf_fmt(out, "\"headers\":{\"%s\":{\"schema\":{\"type\":\"%s\"}}},", header,
                     status == 401 ? "string" : "integer");
        sbuf_puts(out, "\"content\":{\"application/problem+json\":{\"schema\":{\"$ref\":"
                       "\"#/components/schemas/Problem\"}}}}");
    }
    sbuf_puts(out, "},");
}

static void write_shapes(struct sbuf *out)
{
    for (size_t i = 0; i < shapes_n; i++) {
        const struct shape *s = &shapes[i];
        if (s->media)
            continue;
        name_and_colon(out, s->name, "");
        if (s->table)
            object(out, s->table, s->request ? FIELD_SCHEMA_REQUEST : FIELD_SCHEMA_ANSWER, s->schema);
        else
            sbuf_puts(out, s->schema);
    }
}

void openapi_components(struct sbuf *out, struct arena *a)
{
    struct written *w = arena_new(a, struct written);
    sbuf_puts(
        out, "\"components\":{\"securitySchemes\":{"
             "\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\",\"bearerFormat\":\"JWT\",\"description\":"
             "\"An access token of POST /auth/login.\"},"
             "\"apiKey\":{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":\"An API key of POST "
             "/api-keys.\"},"
             "\"cookie\":{\"type\":\"apiKey\",\"in\":\"cookie\",\"name\":\"chronos_session\",\"description\":"
             "\"The session of a browser.\"}},");
    write_problems(out);
    sbuf_fmt(out, "\"schemas\":{%s", problem_schema);
    if (!w)
        return; // the arena is exhausted, and dispatch says so
    *w = (struct written){.out = out};
    (void)seen(w, &job_fields, FIELD_SCHEMA_REQUEST); // written by type
    for (size_t i = 0; i < routes_n; i++) {
        bool patch = strcmp(routes[i].method, "PATCH") == 0;
        table(w, routes[i].request, patch ? FIELD_SCHEMA_PATCH : FIELD_SCHEMA_REQUEST);
        table(w, routes[i].response, FIELD_SCHEMA_ANSWER);
    }
    jobs_by_type(w);
    write_shapes(out);
    sbuf_puts(out, "}}");
}
