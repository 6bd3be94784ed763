// SPDX-License-Identifier: Apache-2.0
// Structs to JSON text, straight into the buffer: lists of runs are the busiest answers of the server, and
// a document tree in between costs several times the text. Names of fields and words of enums are our own
// plain ASCII and are not escaped; every value is.
#include "base/field.h"

#include <math.h>

#include "base/field_impl.h"

static bool is_present(const struct field *f, const void *at)
{
    switch (f->kind) {
    case FIELD_KIND_STR:
    case FIELD_KIND_JSON:
        return ((const struct str *)at)->p != NULL;
    case FIELD_KIND_I64:
        return *(const int64_t *)at != FIELD_ABSENT;
    case FIELD_KIND_F64:
        return !isnan(*(const double *)at);
    case FIELD_KIND_ENUM:
        return *(const int *)at >= 0;
    case FIELD_KIND_INSTANT:
        return !instant_is_never(*(const struct instant *)at);
    case FIELD_KIND_ID:
        return !ulid_is_zero(*(const struct ulid *)at);
    case FIELD_KIND_STRS:
        return ((const struct strs *)at)->v != NULL;
    case FIELD_KIND_MAP:
        return ((const struct str_map *)at)->v != NULL;
    case FIELD_KIND_BOOL:
    case FIELD_KIND_OBJECT:
        break; // always there; an object without a member is taken back after it was written
    }
    return true;
}

static void put_quoted(struct sbuf *out, const char *plain)
{
    sbuf_putc(out, '"');
    sbuf_puts(out, plain);
    sbuf_putc(out, '"');
}

static void put_strs(struct sbuf *out, const struct strs *list)
{
    sbuf_putc(out, '[');
    for (size_t i = 0; i < list->n; i++) {
        if (i > 0)
            sbuf_putc(out, ',');
        sbuf_json(out, list->v[i]);
    }
    sbuf_putc(out, ']');
}

static void put_map(struct sbuf *out, const struct str_map *map)
{
    sbuf_putc(out, '{');
    for (size_t i = 0; i < map->n; i++) {
        if (i > 0)
            sbuf_putc(out, ',');
        sbuf_json(out, map->v[i].key);
        sbuf_putc(out, ':');
        sbuf_json(out, map->v[i].value);
    }
    sbuf_putc(out, '}');
}

static void put_value(struct sbuf *out, const struct field *f, const void *at)
{
    char text[INSTANT_TEXT_MAX];
    _Static_assert(sizeof text >= ULID_TEXT_MAX, "one buffer for both");
    switch (f->kind) {
    case FIELD_KIND_STR:
        sbuf_json(out, *(const struct str *)at);
        break;
    case FIELD_KIND_JSON:
        sbuf_put(out, *(const struct str *)at);
        break;
    case FIELD_KIND_BOOL:
        sbuf_puts(out, *(const bool *)at ? "true" : "false");
        break;
    case FIELD_KIND_I64:
        sbuf_i64(out, *(const int64_t *)at);
        break;
    case FIELD_KIND_F64:
        sbuf_f64(out, *(const double *)at);
        break;
    case FIELD_KIND_ENUM:
        put_quoted(out, f->names[*(const int *)at]);
        break;
    case FIELD_KIND_INSTANT:
        put_quoted(out, instant_format(*(const struct instant *)at, text));
        break;
    case FIELD_KIND_ID:
        put_quoted(out, ulid_format(*(const struct ulid *)at, text));
        break;
    case FIELD_KIND_STRS:
        put_strs(out, at);
        break;
    case FIELD_KIND_MAP:
        put_map(out, at);
        break;
    case FIELD_KIND_OBJECT:
        break; // put_object
    }
}

static void put_key(struct sbuf *out, const struct field *f, bool first)
{
    if (!first)
        sbuf_putc(out, ',');
    put_quoted(out, f->name);
    sbuf_putc(out, ':');
}

// Nested structs have no mark of absence: one that would be {} is left out unless its row is required.
static bool put_object(struct sbuf *out, const struct field *f, const void *at, unsigned flags, bool first)
{
    size_t before = out->n;
    put_key(out, f, first);
    sbuf_putc(out, '{');
    bool any = field_encode_members(f->sub, at, flags, out);
    if (!any && !(f->flags & FIELD_REQUIRED)) {
        out->n = before;
        if (out->p)
            out->p[before] = '\0';
        return false;
    }
    sbuf_putc(out, '}');
    return true;
}

// A stored text leaves defaults out: it is read back often and written once. So a default that was ever
// released is stored data and must not change.
static bool is_default(const struct field *f, const void *at)
{
    if (!f->has_def)
        return false;
    if (f->kind == FIELD_KIND_BOOL)
        return *(const bool *)at == (f->def != 0);
    if (f->kind == FIELD_KIND_I64)
        return *(const int64_t *)at == f->def;
    return f->kind == FIELD_KIND_ENUM && *(const int *)at == f->def;
}

// Writes one member; false when it was left out.
static bool put_member(struct sbuf *out, const struct field *f, const void *obj, unsigned flags, bool first)
{
    bool stored = flags & FIELD_ENCODE_STORED;
    const void *at = field_get(f, obj);
    if (stored ? is_default(f, at) : (f->flags & FIELD_HIDDEN) != 0)
        return false;
    if (!is_present(f, at)) {
        if (!(f->flags & FIELD_NULLABLE) || stored)
            return false;
        put_key(out, f, first);
        sbuf_puts(out, "null");
        return true;
    }
    if ((f->flags & FIELD_SECRET) && !stored) {
        put_key(out, f, first);
        sbuf_puts(out, "\"***\"");
        return true;
    }
    if (f->kind == FIELD_KIND_OBJECT)
        return put_object(out, f, at, flags, first);
    put_key(out, f, first);
    put_value(out, f, at);
    return true;
}

bool field_encode_members(const struct fields *t, const void *obj, unsigned flags, struct sbuf *out)
{
    bool any = false;
    for (size_t i = 0; i < t->n; i++)
        any |= put_member(out, &t->v[i], obj, flags, !any);
    return any;
}

void field_encode(const struct fields *t, const void *obj, unsigned flags, struct sbuf *out)
{
    sbuf_putc(out, '{');
    (void)field_encode_members(t, obj, flags, out);
    sbuf_putc(out, '}');
}
