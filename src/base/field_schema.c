// SPDX-License-Identifier: Apache-2.0
// JSON Schema (draft 2020-12) of a field table: one self-contained object, nested tables inline, so that
// it can stand in OpenAPI components as well as alone.
#include "base/field.h"

#include "base/field_impl.h"

static bool is_shown(const struct field *f, bool request)
{
    return !(f->flags & FIELD_HIDDEN) && !(request && (f->flags & FIELD_READ_ONLY));
}

static void put_type(struct sbuf *out, const struct field *f)
{
    static const char *const types[] = {
        [FIELD_KIND_STR] = "string",     [FIELD_KIND_BOOL] = "boolean", [FIELD_KIND_I64] = "integer",
        [FIELD_KIND_F64] = "number",     [FIELD_KIND_ENUM] = "string",  [FIELD_KIND_INSTANT] = "string",
        [FIELD_KIND_ID] = "string",      [FIELD_KIND_STRS] = "array",   [FIELD_KIND_MAP] = "object",
        [FIELD_KIND_JSON] = NULL,        [FIELD_KIND_OBJECT] = "object",
    };
    const char *type = types[f->kind];
    if (!type)
        return; // any JSON value
    if (f->flags & FIELD_NULLABLE)
        sbuf_fmt(out, "\"type\":[\"%s\",\"null\"],", type);
    else
        sbuf_fmt(out, "\"type\":\"%s\",", type);
}

static void put_bounds(struct sbuf *out, const struct field *f, const char *least, const char *most)
{
    if (f->min > 0)
        sbuf_fmt(out, "\"%s\":%lld,", least, (long long)f->min);
    sbuf_fmt(out, "\"%s\":%lld,", most, (long long)field_length_max(f));
}

static void put_words(struct sbuf *out, const struct field *f)
{
    sbuf_puts(out, "\"enum\":[");
    for (int i = 0; f->names[i]; i++)
        sbuf_fmt(out, "%s\"%s\"", i > 0 ? "," : "", f->names[i]);
    if (f->flags & FIELD_NULLABLE)
        sbuf_puts(out, ",null");
    sbuf_puts(out, "],");
}

static void put_members(const struct fields *t, bool request, struct sbuf *out);

static void put_limits(struct sbuf *out, const struct field *f, bool request)
{
    switch (f->kind) {
    case FIELD_KIND_STR:
        put_bounds(out, f, "minLength", "maxLength");
        break;
    case FIELD_KIND_I64:
    case FIELD_KIND_F64:
        if (field_has_min(f))
            sbuf_fmt(out, "\"minimum\":%lld,", (long long)f->min);
        if (field_has_max(f))
            sbuf_fmt(out, "\"maximum\":%lld,", (long long)f->max);
        break;
    case FIELD_KIND_ENUM:
        put_words(out, f);
        break;
    case FIELD_KIND_INSTANT:
        sbuf_puts(out, "\"format\":\"date-time\",");
        break;
    case FIELD_KIND_ID:
        sbuf_puts(out, "\"pattern\":\"^[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}$\",");
        break;
    case FIELD_KIND_STRS:
        sbuf_puts(out, "\"items\":{\"type\":\"string\"},");
        put_bounds(out, f, "minItems", "maxItems");
        break;
    case FIELD_KIND_MAP:
        if (!(f->flags & FIELD_NESTED))
            sbuf_puts(out, "\"additionalProperties\":{\"type\":[\"string\",\"number\",\"boolean\",\"null\"]},");
        put_bounds(out, f, "minProperties", "maxProperties");
        break;
    case FIELD_KIND_OBJECT:
        put_members(f->sub, request, out);
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
static void put_property(struct sbuf *out, const struct field *f, bool request)
{
    sbuf_fmt(out, "\"%s\":{", f->name);
    put_type(out, f);
    put_limits(out, f, request);
    put_default(out, f);
    if (f->flags & FIELD_READ_ONLY)
        sbuf_puts(out, "\"readOnly\":true,");
    if ((f->flags & FIELD_SECRET) && f->kind == FIELD_KIND_STR)
        sbuf_puts(out, "\"format\":\"password\",");
    sbuf_puts(out, "\"description\":");
    sbuf_json(out, str_of(f->doc ? f->doc : ""));
    sbuf_putc(out, '}');
}

static void put_required(const struct fields *t, bool request, struct sbuf *out)
{
    bool any = false;
    for (size_t i = 0; i < t->n; i++) {
        if (!(t->v[i].flags & FIELD_REQUIRED) || !is_shown(&t->v[i], request))
            continue;
        sbuf_fmt(out, "%s\"%s\"", any ? "," : "\"required\":[", t->v[i].name);
        any = true;
    }
    if (any)
        sbuf_puts(out, "],");
}

// properties, required and additionalProperties, without braces.
static void put_members(const struct fields *t, bool request, struct sbuf *out)
{
    bool any = false;
    sbuf_puts(out, "\"properties\":{");
    for (size_t i = 0; i < t->n; i++) {
        if (!is_shown(&t->v[i], request))
            continue;
        if (any)
            sbuf_putc(out, ',');
        put_property(out, &t->v[i], request);
        any = true;
    }
    sbuf_puts(out, "},");
    put_required(t, request, out);
    sbuf_puts(out, "\"additionalProperties\":false");
}

void field_schema(const struct fields *t, bool request, struct sbuf *out)
{
    sbuf_puts(out, "{\"type\":\"object\",");
    if (t->doc) {
        sbuf_puts(out, "\"description\":");
        sbuf_json(out, str_of(t->doc));
        sbuf_putc(out, ',');
    }
    put_members(t, request, out);
    sbuf_putc(out, '}');
}
