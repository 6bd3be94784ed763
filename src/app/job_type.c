// SPDX-License-Identifier: Apache-2.0
// Everything comes out of the types' own tables, so that it cannot differ from what is accepted at save.
#include "app/job_type.h"

#include "base/json.h"
#include "jobs/job_type.h"

enum { SCHEMA_BYTES_MAX = 256 * 1024, EXAMPLES_BYTES_MAX = 64 * 1024, CLASSES_MAX = 32 };

#define ANSWER .flags = FIELD_READ_ONLY
#define T      struct job_type_info
static const struct field info_rows[] = {
    FIELD_STR(T, name, "name", ANSWER, .doc = "Name, as a job's type."),
    FIELD_STR(T, doc, "description", ANSWER, .doc = "What it does, in a sentence."),
    FIELD_BOOL(T, available, "available", ANSWER, .doc = "Whether it can run on the server that answers."),
    FIELD_STR(T, unavailable_reason, "unavailableReason", .flags = FIELD_READ_ONLY | FIELD_NULLABLE,
              .doc = "Why it cannot, and what helps."),
    FIELD_STRS(T, failure_classes, "failureClasses", ANSWER,
               .doc = "Classes its failures can have, for retryPolicy.retryOn."),
    FIELD_JSON(T, examples, "examples", FIELD_IS_LIST, ANSWER, .doc = "Payloads that work."),
    FIELD_JSON(T, payload_schema, "payloadSchema", FIELD_IS_OBJECT, ANSWER,
               .doc = "JSON Schema (2020-12) of its payload."),
};
#undef T
const struct fields job_type_info_fields =
    FIELDS("JobType", struct job_type_info, info_rows, .doc = "Something that jobs can do.");

static struct str schema_of(const struct job_type *t, struct arena *a)
{
    static const char head[] = "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"title\":";
    struct sbuf body, whole;
    sbuf_init(&body, a, SCHEMA_BYTES_MAX);
    sbuf_init(&whole, a, SCHEMA_BYTES_MAX);
    field_schema(t->payload, true, &body);
    if (body.n < 2)
        return STR_NONE;
    sbuf_puts(&whole, head);
    sbuf_json(&whole, str_of(t->payload->name));
    sbuf_putc(&whole, ',');
    sbuf_put(&whole, (struct str){body.p + 1, body.n - 1}); // behind its brace
    return sbuf_ok(&body) && sbuf_ok(&whole) ? sbuf_str(&whole) : STR_NONE;
}

static struct str examples_of(const struct job_type *t, struct arena *a)
{
    struct sbuf b;
    sbuf_init(&b, a, EXAMPLES_BYTES_MAX);
    sbuf_putc(&b, '[');
    for (const char *const *e = t->examples; e && *e; e++) {
        sbuf_puts(&b, e == t->examples ? "" : ",");
        sbuf_puts(&b, *e);
    }
    sbuf_putc(&b, ']');
    return sbuf_ok(&b) ? sbuf_str(&b) : STR_NONE;
}

static struct strs classes_of(const struct job_type *t, struct arena *a)
{
    static const char *const of_all[] = {"TIMEOUT",    "LOST",           "DEFINITION_ERROR", "SECRET_ERROR",
                                         "LOAD_ERROR", "INTERNAL_ERROR", NULL};
    const char *const *lists[] = {t->failure_classes, of_all};
    struct strs all = {.v = arena_new_array(a, struct str, CLASSES_MAX)};
    for (size_t k = 0; all.v && k < sizeof lists / sizeof lists[0]; k++)
        for (const char *const *c = lists[k]; c && *c && all.n < CLASSES_MAX; c++)
            all.v[all.n++] = str_of(*c);
    return all;
}

static bool fill(const struct app *app, const struct job_type *t, struct job_type_info *ret, struct arena *a,
                 struct err *err)
{
    struct err why;
    *ret = (struct job_type_info){.name = str_of(t->name),
                                  .doc = str_of(t->doc),
                                  .available = true,
                                  .failure_classes = classes_of(t, a),
                                  .examples = examples_of(t, a),
                                  .payload_schema = schema_of(t, a)};
    if (t->available && app->job_env && !t->available(app->job_env, &why)) {
        ret->available = false;
        ret->unavailable_reason = arena_str(a, str_of(why.text));
    }
    return (ret->failure_classes.v && ret->examples.p && ret->payload_schema.p) ||
           ERR(err, ERR_UNAVAILABLE, "the description of \"%s\" is too large for its memory", t->name);
}

bool app_job_types(struct app *app, const struct caller *c, struct job_type_info **ret, size_t *ret_n,
                   struct arena *a, struct err *err)
{
    enum reach reach;
    size_t n = 0;
    if (!app_authorize(c, ACTION_JOB_TYPE_READ, &reach, err))
        return false;
    while (job_types[n])
        n++;
    struct job_type_info *v = arena_new_array(a, struct job_type_info, n + 1);
    if (!v)
        return ERR(err, ERR_UNAVAILABLE, "the list of job types is too large for its memory");
    for (size_t i = 0; i < n; i++)
        if (!fill(app, job_types[i], &v[i], a, err))
            return false;
    *ret = v;
    *ret_n = n;
    return true;
}

bool app_job_type(struct app *app, const struct caller *c, struct str name, struct job_type_info *ret,
                  struct arena *a, struct err *err)
{
    enum reach reach;
    if (!app_authorize(c, ACTION_JOB_TYPE_READ, &reach, err))
        return false;
    for (const struct job_type *const *t = job_types; *t; t++)
        if (str_eq_nocase(name, str_of((*t)->name)))
            return fill(app, *t, ret, a, err);
    return ERR(err, ERR_NOT_FOUND, "job type \"%.*s\" is not part of this server", STR_ARG(name));
}

bool app_job_type_table(size_t i, struct job_type_table *ret)
{
    for (size_t k = 0; k <= i; k++)
        if (!job_types[k])
            return false;
    *ret = (struct job_type_table){job_types[i]->name, job_types[i]->payload};
    return true;
}
