// SPDX-License-Identifier: Apache-2.0
// Decodes definitions for attempts, or copies one that was decoded before.
#include "jobs/definitions.h"

#include "base/mem.h"
#include "jobs/payload.h"
#include "jobs/runner.h"
#include "model/parameter.h"

struct definition {
    struct ulid job_id;
    struct str text;
    struct job job;
    const struct job_type *type;
    void *payload; // templates not expanded
    struct arena arena;
    struct definition *newer, *older;
};

// ---- copies ----

static void copy_texts(const struct fields *t, void *obj, struct arena *a)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct field *f = &t->v[i];
        void *at = (char *)obj + f->offset;
        struct str *s = at;
        struct strs *list = at;
        struct str_map *map = at;
        if ((f->kind == FIELD_KIND_STR || f->kind == FIELD_KIND_JSON) && s->p)
            *s = arena_str(a, *s);
        if (f->kind == FIELD_KIND_STRS && list->n > 0) {
            struct str *v = arena_new_array(a, struct str, list->n);
            for (size_t k = 0; v && k < list->n; k++)
                v[k] = arena_str(a, list->v[k]);
            list->v = v;
        }
        if (f->kind == FIELD_KIND_MAP && map->n > 0) {
            struct str_pair *v = arena_new_array(a, struct str_pair, map->n);
            for (size_t k = 0; v && k < map->n; k++)
                v[k] = (struct str_pair){arena_str(a, map->v[k].key), arena_str(a, map->v[k].value)};
            map->v = v;
        }
        if (f->kind == FIELD_KIND_OBJECT)
            copy_texts(f->sub, at, a);
    }
}

// All pointers of a decoded struct are in fields of its table.
static bool copy(struct job *job, void **payload, const struct job_type *type, const struct job *from_job,
                 const void *from_payload, struct arena *a)
{
    void *p = arena_alloc(a, type->payload->size);
    if (!p)
        return false;
    *job = *from_job;
    copy_texts(&job_fields, job, a);
    memcpy(p, from_payload, type->payload->size);
    copy_texts(type->payload, p, a);
    *payload = p;
    return !a->exhausted;
}

// ---- the table ----

static void entry_unlink(struct definitions *d, struct definition *e)
{
    *(e->newer ? &e->newer->older : &d->newest) = e->older;
    *(e->older ? &e->older->newer : &d->oldest) = e->newer;
}

static void entry_put_first(struct definitions *d, struct definition *e)
{
    e->newer = NULL;
    e->older = d->newest;
    *(d->newest ? &d->newest->newer : &d->oldest) = e;
    d->newest = e;
}

static size_t entry_bytes(const struct definition *e)
{
    return sizeof *e + e->arena.used;
}

static void entry_drop(struct definitions *d, struct definition *e)
{
    must(map_remove(&d->by_job, e->job_id) == e);
    entry_unlink(d, e);
    d->bytes -= entry_bytes(e);
    arena_release(&e->arena);
    mem_free(e);
}

// True from the second time on, as long as no other job takes the place.
static bool seen_before(struct definitions *d, struct ulid job_id)
{
    static const uint8_t key[16] = "definition-seen";
    uint64_t h = hash_bytes(key, job_id.b, sizeof job_id.b);
    uint32_t *place = &d->seen[h % DEFINITIONS_SEEN], tag = (uint32_t)(h >> 32) | 1;
    bool seen = *place == tag;
    *place = tag;
    return seen;
}

static void remember(struct definitions *d, const struct attempt *a, struct str text)
{
    if (text.n > DEFINITIONS_TEXT_MAX || !seen_before(d, a->job_id))
        return;
    struct definition *e = mem_new(struct definition);
    e->job_id = a->job_id;
    e->type = a->type;
    arena_init(&e->arena, d->bytes_max);
    e->text = arena_str(&e->arena, text);
    if (!e->text.p || !copy(&e->job, &e->payload, a->type, &a->job, a->payload, &e->arena)) {
        arena_release(&e->arena);
        mem_free(e);
        return;
    }
    d->bytes += entry_bytes(e);
    must(map_put(&d->by_job, e->job_id, e) == NULL);
    entry_put_first(d, e);
    while (d->bytes > d->bytes_max)
        entry_drop(d, d->oldest);
}

struct definitions *definitions_new(size_t bytes_max)
{
    struct definitions *d = mem_new(struct definitions);
    d->bytes_max = bytes_max;
    map_init(&d->by_job);
    return d;
}

void definitions_free(struct definitions *d)
{
    while (d->oldest)
        entry_drop(d, d->oldest);
    map_release(&d->by_job);
    mem_free(d);
}

// ---- loading ----

// Defaults of parameters that were not given.
static bool parameters_default(struct attempt *a, struct faults *scratch, struct err *err)
{
    struct parameters p;
    if (!a->job.parameters.p)
        return true;
    faults_init(scratch, &a->arena);
    if (!parameters_read(a->job.parameters, STR("/parameters"), &p, scratch))
        return ERR(err, ERR_CORRUPT, "the job's parameters cannot be read: %.*s", STR_ARG(scratch->v[0].detail));
    return parameters_fill(&p, a->inputs, &a->inputs, &a->arena, err);
}

static bool templates_fill(struct attempt *a, struct faults *scratch, struct err *err)
{
    return parameters_default(a, scratch, err) && attempt_expand(a, a->type->payload, a->payload, err);
}

bool definition_load(struct definitions *d, struct attempt *a, struct str text, struct err *err)
{
    struct definition *e = map_get(&d->by_job, a->job_id);
    if (e && str_eq(e->text, text)) {
        d->hits++;
        entry_unlink(d, e);
        entry_put_first(d, e);
        a->type = e->type;
        if (!copy(&a->job, &a->payload, e->type, &e->job, e->payload, &a->arena))
            return ERR(err, ERR_TOO_LARGE, "the job's definition is too large");
        return templates_fill(a, &d->faults, err);
    }
    d->misses++;
    if (e)
        entry_drop(d, e); // the job was changed
    if (!payload_decode(a, text, &d->faults, err))
        return false;
    remember(d, a, text);
    return templates_fill(a, &d->faults, err);
}
