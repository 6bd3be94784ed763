// SPDX-License-Identifier: Apache-2.0
// Checking payloads at save, decoding them at start.
#include "jobs/payload.h"

#include "jobs/template.h"

const struct job_type *job_type_find(struct str name)
{
    for (const struct job_type *const *t = job_types; *t; t++)
        if (str_is(name, (*t)->name))
            return *t;
    return NULL;
}

// ---- at save ----

static void widen_one(json_t *payload, const char *key, json_t *value)
{
    if (json_is_string(value) || json_is_number(value))
        (void)json_object_set_new(payload, key, json_pack("[O]", value));
}

static void widen_items(json_t *list)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) {
        if (!json_is_integer(item))
            continue;
        char text[24];
        (void)snprintf(text, sizeof text, "%lld", (long long)json_integer_value(item));
        (void)json_array_set_new(list, i, json_string(text));
    }
}

void payload_widen(const struct fields *t, json_t *payload)
{
    void *next;
    const char *key;
    json_t *value;
    json_object_foreach_safe(payload, next, key, value) {
        const struct field *f = field_find(t, str_of(key));
        if (!f || f->kind != FIELD_KIND_STRS)
            continue;
        widen_one(payload, key, value);
        widen_items(json_object_get(payload, key));
    }
}

static void unknown_type(const struct job *j, struct faults *faults)
{
    struct sbuf names;
    sbuf_init(&names, faults->a, FIELD_MAX_DEFAULT);
    for (const struct job_type *const *t = job_types; *t; t++) {
        sbuf_puts(&names, t == job_types ? "" : ", ");
        sbuf_puts(&names, (*t)->name);
    }
    faults_add(faults, STR("/type"), "\"%.*s\" is not a job type of this server: write one of %.*s",
               STR_ARG(j->type), STR_ARG(sbuf_str(&names)));
}

// Takes "type" out of the payload; it must equal the job's.
static void take_type(const struct job_type *type, json_t *payload, struct faults *faults)
{
    const json_t *own = json_object_get(payload, "type");
    if (own && !json_is_null(own) && !str_is(json_str(own), type->name))
        faults_add(faults, STR("/payload/type"), "must be \"%s\", the job's type, or be left out",
                   type->name);
    (void)json_object_del(payload, "type");
}

static struct str canonical(const struct job_type *type, const void *payload, struct arena *a)
{
    struct sbuf b, members;
    sbuf_init(&members, a, 2 * JOB_PAYLOAD_MAX);
    sbuf_init(&b, a, 2 * JOB_PAYLOAD_MAX);
    sbuf_puts(&b, "{\"type\":");
    sbuf_json(&b, str_of(type->name));
    if (field_encode_members(type->payload, payload, FIELD_ENCODE_STORED, &members)) {
        sbuf_putc(&b, ',');
        sbuf_put(&b, sbuf_str(&members));
    }
    sbuf_putc(&b, '}');
    return sbuf_ok(&b) && sbuf_ok(&members) ? sbuf_str(&b) : STR_NONE;
}

// Declarations with faults are reported by job_check: then any name will do here.
static void names_of(const struct job *j, const struct secret_names *secrets, struct template_names *ret,
                     struct arena *a)
{
    *ret = (struct template_names){.secrets = secrets};
    struct faults *ignored = j->parameters.p ? arena_new(a, struct faults) : NULL;
    if (!ignored)
        return;
    faults_init(ignored, a);
    (void)parameters_read(j->parameters, STR(""), &ret->parameters, ignored);
}

struct str job_payload_check(const struct job *j, const struct secret_names *secrets, struct faults *faults,
                             struct arena *a)
{
    struct template_names names;
    const struct str base = STR("/payload");
    const struct job_type *type = job_type_find(j->type);
    size_t before = faults->n;
    struct err err;
    json_t *json CLEANUP_JSON = NULL;
    if (!type) {
        unknown_type(j, faults);
        return STR_NONE;
    }
    if (!json_parse(j->payload.p ? j->payload : STR("{}"), &json, &err)) {
        faults_add(faults, base, "%s", err.text);
        return STR_NONE;
    }
    if (!json_is_object(json)) {
        faults_add(faults, base, "must be an object");
        return STR_NONE;
    }
    void *payload = arena_alloc(a, type->payload->size);
    if (!payload) {
        faults_add(faults, base, "is too large");
        return STR_NONE;
    }
    take_type(type, json, faults);
    payload_widen(type->payload, json);
    if (field_decode(type->payload, json, FIELD_DECODE_STRICT, base, payload, a, faults)) {
        names_of(j, secrets, &names, a);
        template_check(type->payload, payload, base, &names, faults);
        if (type->check)
            type->check(payload, base, faults, a);
    }
    if (faults->n > before)
        return STR_NONE;
    struct str text = canonical(type, payload, a);
    if (!text.p)
        faults_add(faults, base, "is too large");
    return text;
}

// ---- at start ----

static bool first_fault(const struct faults *f, const char *what, struct err *err)
{
    return ERR(err, ERR_CORRUPT, "%s cannot be read: %.*s %.*s", what, STR_ARG(f->v[0].pointer),
               STR_ARG(f->v[0].detail));
}

static bool job_load(struct attempt *a, struct str definition, struct faults *faults, struct err *err)
{
    json_t *json CLEANUP_JSON = NULL;
    if (field_decode_text(&job_fields, definition, &a->job, &a->arena))
        return true;
    if (!json_parse(definition, &json, err))
        return err_wrap(err, "the job's definition");
    if (!field_decode(&job_fields, json, FIELD_DECODE_STORED, STR(""), &a->job, &a->arena, faults))
        return first_fault(faults, "the job's definition", err);
    return true;
}

bool payload_decode(struct attempt *a, struct str definition, struct faults *faults, struct err *err)
{
    json_t *json CLEANUP_JSON = NULL;
    faults_init(faults, &a->arena);
    if (!job_load(a, definition, faults, err))
        return false;
    a->type = job_type_find(a->job.type);
    if (!a->type)
        return ERR(err, ERR_INVALID, "job type \"%.*s\" is not part of this server", STR_ARG(a->job.type));
    void *payload = arena_alloc(&a->arena, a->type->payload->size);
    if (!payload)
        return ERR(err, ERR_TOO_LARGE, "the job's payload is too large");
    struct str text = a->job.payload.p ? a->job.payload : STR("{}");
    a->payload = payload;
    if (field_decode_text(a->type->payload, text, payload, &a->arena))
        return true;
    if (!json_parse(text, &json, err))
        return err_wrap(err, "the job's payload");
    if (!field_decode(a->type->payload, json, FIELD_DECODE_STORED, STR("/payload"), payload, &a->arena, faults))
        return first_fault(faults, "the job's payload", err);
    return true;
}
