// SPDX-License-Identifier: Apache-2.0
// Walks a payload beside its type's field table. Works on the JSON text, so that members the table does not know
// (they belong to the user) stay as they are.
#include "app/payload.h"

static bool has_secret(const struct fields *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->v[i].flags & FIELD_SECRET || (t->v[i].kind == FIELD_KIND_OBJECT && has_secret(t->v[i].sub)))
            return true;
    return false;
}

// NULL when the type is unknown or has nothing to hide.
static const struct fields *secret_table(const struct job *j)
{
    const struct job_type *type = job_type_find(j->type);
    return type && type->payload && has_secret(type->payload) ? type->payload : NULL;
}

static json_t *parse(struct str text)
{
    json_t *v = NULL;
    struct err ignored = {0};
    return text.p && json_parse(text, &v, &ignored) ? v : NULL;
}

static struct str written(const json_t *v, struct str otherwise, struct arena *a)
{
    struct sbuf out;
    sbuf_init(&out, a, JOB_PAYLOAD_MAX);
    json_write(v, &out);
    return sbuf_ok(&out) ? sbuf_str(&out) : otherwise;
}

static void mask(const struct fields *t, json_t *v)
{
    const char *key;
    json_t *member;
    void *next;
    json_object_foreach_safe(v, next, key, member) {
        const struct field *row = field_find(t, str_of(key));
        if (!row)
            continue;
        if (row->flags & FIELD_SECRET)
            json_object_set_new(v, key, json_string(PAYLOAD_MASK));
        else if (row->kind == FIELD_KIND_OBJECT)
            mask(row->sub, member);
    }
}

struct str payload_shown(const struct job *j, struct arena *a)
{
    const struct fields *t = secret_table(j);
    CLEANUP_JSON json_t *v = t ? parse(j->payload) : NULL;
    if (!v)
        return j->payload;
    mask(t, v);
    return written(v, STR("{}"), a);
}

static void unmask(const struct fields *t, json_t *v, const json_t *old)
{
    const char *key;
    json_t *member;
    void *next;
    json_object_foreach_safe(v, next, key, member) {
        const struct field *row = field_find(t, str_of(key));
        json_t *before = json_object_get(old, key);
        if (!row || !before)
            continue;
        if (row->flags & FIELD_SECRET && str_is(json_str(member), PAYLOAD_MASK))
            json_object_set(v, key, before);
        else if (row->kind == FIELD_KIND_OBJECT)
            unmask(row->sub, member, before);
    }
}

void payload_keep_secrets(const struct job *old, struct job *new_job, struct arena *a)
{
    if (!str_eq(old->type, new_job->type))
        return;
    const struct fields *t = secret_table(new_job);
    CLEANUP_JSON json_t *v = t ? parse(new_job->payload) : NULL;
    CLEANUP_JSON json_t *before = v ? parse(old->payload) : NULL;
    if (!before)
        return;
    unmask(t, v, before);
    new_job->payload = written(v, new_job->payload, a);
}
