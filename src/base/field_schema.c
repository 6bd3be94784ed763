// SPDX-License-Identifier: Apache-2.0
// JSON Schema (draft 2020-12) of a field table: one self-contained object, nested tables inline, so that
// it can stand in OpenAPI components as well as alone.
#include "base/field.h"

#include "base/field_impl.h"

// How a table is to be written.
struct writer {
    struct sbuf *out;
    enum field_schema_use use;
    const char *refs;
};

static bool is_shown(const struct field *f, enum field_schema_use use)
{
    return !(f->flags & FIELD_HIDDEN) && (use == FIELD_SCHEMA_ANSWER || !(f->flags & FIELD_READ_ONLY));
}

static bool takes_null(const struct field *f, enum field_schema_use use)
{
    return (f->flags & FIELD_NULLABLE) || (use == FIELD_SCHEMA_PATCH && !(f->flags & FIELD_REQUIRED));
}

static void put_type(const struct writer *w, const struct field *f)
{
    static const char *const types[] = {
        [FIELD_KIND_STR] = "string",     [FIELD_KIND_BOOL] = "boolean", [FIELD_KIND_I64] = "integer",
        [FIELD_KIND_F64] = "number",     [FIELD_KIND_ENUM] = "string",  [FIELD_KIND_INSTANT] = "string",
        [FIELD_KIND_ID] = "string",      [FIELD_KIND_STRS] = "array",   [FIELD_KIND_MAP] = "object",
        [FIELD_KIND_JSON] = NULL,        [FIELD_KIND_OBJECT] = "object",
    };
    const char *type = types[f->kind];
    if (!type && f->json && !takes_null(f, w->use))
        sbuf_fmt(w->out, "%s,", f->json);
    else if (!type && f->json)
        sbuf_fmt(w->out, "\"anyOf\":[{%s},{\"type\":\"null\"}],", f->json);
    else if (type && takes_null(f, w->use))
        sbuf_fmt(w->out, "\"type\":[\"%s\",\"null\"],", type);
    else if (type)
        sbuf_fmt(w->out, "\"type\":\"%s\",", type);
}

// What is masked in an answer keeps to no bounds.
static void put_bounds(const struct writer *w, const struct field *f, const char *least, const char *most)
{
    if (w->use == FIELD_SCHEMA_ANSWER && (f->flags & FIELD_SECRET))
        return;
    if (f->min > 0)
        sbuf_fmt(w->out, "\"%s\":%lld,", least, (long long)f->min);
    sbuf_fmt(w->out, "\"%s\":%lld,", most, (long long)field_length_max(f));
}

static void put_words(const struct writer *w, const struct field *f)
{
    struct sbuf *out = w->out;
    sbuf_puts(out, "\"enum\":[");
    for (int i = 0; f->names[i]; i++)
        sbuf_fmt(out, "%s\"%s\"", i > 0 ? "," : "", f->names[i]);
    if (takes_null(f, w->use))
        sbuf_puts(out, ",null");
    sbuf_puts(out, "],");
}

static void put_members(const struct writer *w, const struct fields *t, const char *more);

static void put_limits(const struct writer *w, const struct field *f)
{
    struct sbuf *out = w->out;
    switch (f->kind) {
    case FIELD_KIND_STR:
        put_bounds(w, f, "minLength", "maxLength");
        break;
    case FIELD_KIND_I64:
    case FIELD_KIND_F64:
        if (field_has_min(f))
            sbuf_fmt(out, "\"minimum\":%lld,", (long long)f->min);
        if (field_has_max(f))
            sbuf_fmt(out, "\"maximum\":%lld,", (long long)f->max);
        break;
    case FIELD_KIND_ENUM:
        put_words(w, f);
        break;
    case FIELD_KIND_INSTANT:
        sbuf_puts(out, "\"format\":\"date-time\",");
        break;
    case FIELD_KIND_ID:
        sbuf_puts(out, "\"pattern\":\"^[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}$\",");
        break;
    case FIELD_KIND_STRS:
        sbuf_puts(out, "\"items\":{\"type\":\"string\"},");
        put_bounds(w, f, "minItems", "maxItems");
        break;
    case FIELD_KIND_MAP:
        if (!(f->flags & FIELD_NESTED))
            sbuf_puts(out, "\"additionalProperties\":{\"type\":[\"string\",\"number\",\"boolean\",\"null\"]},");
        put_bounds(w, f, "minProperties", "maxProperties");
        break;
    case FIELD_KIND_OBJECT:
        put_members(w, f->sub, NULL);
        sbuf_putc(out, ',');
        break;
    case FIELD_KIND_BOOL:
    case FIELD_KIND_JSON:
        break;
    }
}

static void put_default(struct sbuf *out, const struct field *f)
{
    if (!f->has_def)
        return;
    sbuf_puts(out, "\"default\":");
    if (f->kind == FIELD_KIND_BOOL)
        sbuf_puts(out, f->def ? "true" : "false");
    else if (f->kind == FIELD_KIND_ENUM)
        sbuf_fmt(out, "\"%s\"", f->names[f->def]);
    else
        sbuf_i64(out, f->def);
    sbuf_putc(out, ',');
}

// Every part above ends with a comma; the description, always there, closes the object.
static void put_property(const struct writer *w, const struct field *f)
{
    struct sbuf *out = w->out;
    sbuf_fmt(out, "\"%s\":{", f->name);
    if (f->kind == FIELD_KIND_OBJECT && w->refs && !takes_null(f, w->use)) {
        sbuf_fmt(out, "\"$ref\":\"%s", w->refs);
        field_schema_name(f->sub, w->use, out);
        sbuf_puts(out, "\",");
    } else {
        put_type(w, f);
        put_limits(w, f);
    }
    if (w->use != FIELD_SCHEMA_PATCH)
        put_default(out, f);
    if (f->flags & FIELD_READ_ONLY)
        sbuf_puts(out, "\"readOnly\":true,");
    if ((f->flags & FIELD_SECRET) && f->kind == FIELD_KIND_STR)
        sbuf_puts(out, "\"format\":\"password\",");
    sbuf_puts(out, "\"description\":");
    sbuf_json(out, str_of(f->doc ? f->doc : ""));
    sbuf_putc(out, '}');
}

static void put_required(const struct writer *w, const struct fields *t)
{
    bool any = false;
    for (size_t i = 0; i < t->n && w->use != FIELD_SCHEMA_PATCH; i++) {
        if (!(t->v[i].flags & FIELD_REQUIRED) || !is_shown(&t->v[i], w->use))
            continue;
        sbuf_fmt(w->out, "%s\"%s\"", any ? "," : "\"required\":[", t->v[i].name);
        any = true;
    }
    if (any)
        sbuf_puts(w->out, "],");
}

static void put_members(const struct writer *w, const struct fields *t, const char *more)
{
    bool any = false;
    sbuf_puts(w->out, "\"properties\":{");
    for (size_t i = 0; i < t->n; i++) {
        if (!is_shown(&t->v[i], w->use))
            continue;
        if (any)
            sbuf_putc(w->out, ',');
        put_property(w, &t->v[i]);
        any = true;
    }
    if (more)
        sbuf_fmt(w->out, "%s%s", any ? "," : "", more);
    sbuf_puts(w->out, "},");
    put_required(w, t);
    sbuf_puts(w->out, "\"additionalProperties\":false");
}

void field_schema_members(const struct fields *t, enum field_schema_use use, const char *more, const char *refs,
                          struct sbuf *out)
{
    struct writer w = {out, use, refs};
    put_members(&w, t, more);
}

void field_schema_name(const struct fields *t, enum field_schema_use use, struct sbuf *out)
{
    static const char *const suffixes[] = {"", "Input", "Patch"};
    sbuf_fmt(out, "%s%s", t->name, suffixes[use]);
}

void field_schema(const struct fields *t, bool request, struct sbuf *out)
{
    sbuf_puts(out, "{\"type\":\"object\",");
    if (t->doc) {
        sbuf_puts(out, "\"description\":");
        sbuf_json(out, str_of(t->doc));
        sbuf_putc(out, ',');
    }
    field_schema_members(t, request ? FIELD_SCHEMA_REQUEST : FIELD_SCHEMA_ANSWER, NULL, NULL, out);
    sbuf_putc(out, '}');
}
