// SPDX-License-Identifier: Apache-2.0
// Scanner for {{name}}, and the two walks over a field table that use it: checking and expanding.
#include "jobs/template.h"

enum { NAME_MAX_BYTES = 128 };
static const char known_names[] =
    "run.id, run.key, run.scheduledTime, run.attempt, job.id, job.name, param.NAME, secret.NAME";

// ---- scanning ----

enum piece_kind { PIECE_END, PIECE_TEXT, PIECE_NAME, PIECE_UNFINISHED };
struct piece {
    enum piece_kind kind;
    struct str text; // the text, or the trimmed name
};

// Takes the next piece off *rest.
static struct piece piece_next(struct str *rest)
{
    struct str s = *rest;
    if (s.n == 0)
        return (struct piece){.kind = PIECE_END};
    const char *open = memmem(s.p, s.n, "{{", 2);
    size_t before = open ? (size_t)(open - s.p) : s.n;
    if (open && before > 0 && open[-1] == '\\') { // text up to the backslash, then the braces themselves
        size_t skip = before == 1 ? 1 : 0, n = before == 1 ? 2 : before - 1;
        *rest = (struct str){s.p + skip + n, s.n - skip - n};
        return (struct piece){PIECE_TEXT, {s.p + skip, n}};
    }
    if (before > 0) {
        *rest = (struct str){s.p + before, s.n - before};
        return (struct piece){PIECE_TEXT, {s.p, before}};
    }
    const char *close = memmem(s.p + 2, s.n - 2, "}}", 2);
    if (!close) {
        *rest = (struct str){s.p + s.n, 0};
        return (struct piece){PIECE_UNFINISHED, s};
    }
    *rest = (struct str){close + 2, s.n - (size_t)(close + 2 - s.p)};
    return (struct piece){PIECE_NAME, str_trim((struct str){s.p + 2, (size_t)(close - s.p) - 2})};
}

enum name_kind { NAME_UNKNOWN, NAME_RUN_ID, NAME_RUN_KEY, NAME_SCHEDULED, NAME_ATTEMPT, NAME_JOB_ID,
                 NAME_JOB_NAME, NAME_PARAM, NAME_SECRET };

// The kind of a name, and for param. and secret. what stands behind the dot.
static enum name_kind name_kind(struct str name, struct str *ret_rest)
{
    static const struct { const char *name; enum name_kind kind; } fixed[] = {
        {"run.id", NAME_RUN_ID},       {"run.key", NAME_RUN_KEY}, {"run.scheduledTime", NAME_SCHEDULED},
        {"run.attempt", NAME_ATTEMPT}, {"job.id", NAME_JOB_ID},   {"job.name", NAME_JOB_NAME},
    };
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        if (str_is(name, fixed[i].name))
            return fixed[i].kind;
    struct str rest, first = str_split(name, '.', &rest);
    *ret_rest = rest;
    if (str_is(first, "param") && parameter_name_ok(rest))
        return NAME_PARAM;
    return str_is(first, "secret") && parameter_name_ok(rest) ? NAME_SECRET : NAME_UNKNOWN;
}

// ---- checking ----

static bool has_braces(struct str text)
{
    return text.n >= 2 && memmem(text.p, text.n, "{{", 2) != NULL;
}

struct check {
    const struct template_names *names;
    struct faults *faults;
};

static void secret_check(const struct check *c, const struct field *f, struct str pointer, struct str name)
{
    const struct secret_names *known = c->names->secrets;
    if (f->flags & FIELD_NO_SECRETS)
        faults_add(c->faults, pointer,
                   "uses {{secret.%.*s}}, but others could see it here while it runs: put secrets into other fields",
                   STR_ARG(name));
    else if (known && !known->known(known->ctx, name))
        faults_add(c->faults, pointer,
                   "uses {{secret.%.*s}}: the owner of the job has no such secret; put it first, by PUT "
                   "/secrets/%.*s or chronos secret set", STR_ARG(name), STR_ARG(name));
}

static void name_check(const struct check *c, const struct field *f, struct str pointer, struct str name)
{
    struct str rest = STR_NONE;
    size_t shown = str_utf8_cut(name, NAME_MAX_BYTES);
    enum name_kind kind = name_kind(name, &rest);
    if (kind == NAME_SECRET)
        secret_check(c, f, pointer, rest);
    if (kind == NAME_PARAM && c->names->parameters.n > 0 && !parameters_find(&c->names->parameters, rest))
        faults_add(c->faults, pointer, "uses {{%.*s}}, which is not in the job's \"parameters\": declare it there",
                   (int)shown, name.p);
    if (kind == NAME_UNKNOWN)
        faults_add(c->faults, pointer,
                   "uses the unknown name {{%.*s}}: known are %s; write \\{{ for plain braces", (int)shown, name.p,
                   known_names);
}

static void text_check(const struct check *c, const struct field *f, struct str text, struct str pointer)
{
    for (struct piece p; has_braces(text) && (p = piece_next(&text)).kind != PIECE_END;) {
        if (p.kind == PIECE_UNFINISHED)
            faults_add(c->faults, pointer, "has \"{{\" without \"}}\"; write \\{{ for plain braces");
        if (p.kind == PIECE_NAME)
            name_check(c, f, pointer, p.text);
    }
}

static struct str below(struct str base, struct str name, struct arena *a)
{
    struct sbuf b;
    sbuf_init(&b, a, FIELD_MAX_DEFAULT);
    sbuf_put(&b, base);
    sbuf_putc(&b, '/');
    for (size_t i = 0; i < name.n; i++) // RFC 6901 §3
        if (name.p[i] == '~')
            sbuf_puts(&b, "~0");
        else if (name.p[i] == '/')
            sbuf_puts(&b, "~1");
        else
            sbuf_putc(&b, name.p[i]);
    return sbuf_str(&b);
}

static void value_check(const struct check *c, const struct field *f, const json_t *v, struct str pointer)
{
    size_t i;
    const char *key;
    json_t *inner;
    text_check(c, f, json_str(v), pointer);
    json_array_foreach(v, i, inner)
        value_check(c, f, inner, arena_fmt(c->faults->a, "%.*s/%zu", STR_ARG(pointer), i));
    json_object_foreach((json_t *)(uintptr_t)v, key, inner)
        value_check(c, f, inner, below(pointer, str_of(key), c->faults->a));
}

static void json_check(const struct check *c, const struct field *f, struct str text, struct str pointer)
{
    json_t *v CLEANUP_JSON = NULL;
    struct err unused; // what is no JSON was told by the field table
    if (has_braces(text) && json_parse(text, &v, &unused))
        value_check(c, f, v, pointer);
}

void template_check(const struct fields *t, const void *obj, struct str base, const struct template_names *names,
                    struct faults *faults)
{
    const struct check c = {names, faults};
    for (size_t i = 0; i < t->n; i++) {
        const struct field *f = &t->v[i];
        const void *at = (const char *)obj + f->offset;
        struct str pointer = below(base, str_of(f->name), faults->a);
        const struct strs *list = at;
        const struct str_map *map = at;
        if (f->kind == FIELD_KIND_STR)
            text_check(&c, f, *(const struct str *)at, pointer);
        if (f->kind == FIELD_KIND_JSON)
            json_check(&c, f, *(const struct str *)at, pointer);
        for (size_t k = 0; f->kind == FIELD_KIND_STRS && k < list->n; k++)
            text_check(&c, f, list->v[k], arena_fmt(faults->a, "%.*s/%zu", STR_ARG(pointer), k));
        for (size_t k = 0; f->kind == FIELD_KIND_MAP && k < map->n; k++)
            text_check(&c, f, map->v[k].value, below(pointer, map->v[k].key, faults->a));
        if (f->kind == FIELD_KIND_OBJECT)
            template_check(f->sub, at, pointer, names, faults);
    }
}

bool template_uses(struct str text, const char *prefix)
{
    for (struct piece p; has_braces(text) && (p = piece_next(&text)).kind != PIECE_END;)
        if (p.kind == PIECE_NAME && str_starts(p.text, str_of(prefix)))
            return true;
    return false;
}

// ---- expanding ----

struct str template_param(const json_t *inputs, struct str name, struct arena *a)
{
    const json_t *v = json_object_getn(inputs, name.p, name.n);
    if (!v || json_is_string(v))
        return json_str(v);
    struct sbuf b;
    sbuf_init(&b, a, TEMPLATE_TEXT_MAX);
    json_write(v, &b);
    return sbuf_str(&b);
}

static bool name_put(struct str name, const struct template_values *v, struct sbuf *out, struct arena *a,
                     struct err *err)
{
    char id[ULID_TEXT_MAX], time[INSTANT_TEXT_MAX];
    struct str rest, value;
    switch (name_kind(name, &rest)) {
    case NAME_RUN_ID:
        sbuf_puts(out, ulid_format(v->run_id, id));
        return true;
    case NAME_RUN_KEY:
        sbuf_puts(out, ulid_format(v->run_key, id));
        return true;
    case NAME_JOB_ID:
        sbuf_puts(out, ulid_format(v->job_id, id));
        return true;
    case NAME_JOB_NAME:
        sbuf_put(out, v->job_name);
        return true;
    case NAME_SCHEDULED:
        sbuf_puts(out, instant_format(v->scheduled, time));
        return true;
    case NAME_ATTEMPT:
        sbuf_i64(out, v->attempt);
        return true;
    case NAME_PARAM:
        value = template_param(v->inputs, rest, a);
        sbuf_put(out, value);
        return value.p ||
               ERR(err, ERR_INVALID, "parameter \"%.*s\" was not given to this run", STR_ARG(rest));
    case NAME_SECRET:
        if (!v->secret)
            return ERR(err, ERR_UNAVAILABLE, "secret \"%.*s\": there are no secrets here", STR_ARG(rest));
        if (!v->secret(v->secret_ctx, rest, &value, a, err))
            return false;
        sbuf_put(out, value);
        return true;
    case NAME_UNKNOWN:
        break;
    }
    return ERR(err, ERR_INVALID, "the name {{%.*s}} is not known", (int)str_utf8_cut(name, NAME_MAX_BYTES),
               name.p);
}

static bool text_expand(struct str *text, const struct template_values *v, struct arena *a, struct err *err)
{
    struct str rest = *text;
    struct sbuf out;
    if (!has_braces(rest))
        return true;
    sbuf_init(&out, a, TEMPLATE_TEXT_MAX);
    for (struct piece p; (p = piece_next(&rest)).kind != PIECE_END;) {
        if (p.kind == PIECE_NAME) {
            if (!name_put(p.text, v, &out, a, err))
                return false;
        } else {
            sbuf_put(&out, p.text);
        }
    }
    if (!sbuf_ok(&out))
        return ERR(err, ERR_TOO_LARGE, "a text grows past %d bytes by what is put into it",
                   TEMPLATE_TEXT_MAX);
    *text = sbuf_str(&out);
    return true;
}

static bool value_expand(json_t **v, const struct template_values *values, struct arena *a, struct err *err);
static bool members_expand(json_t *v, const struct template_values *values, struct arena *a, struct err *err)
{
    bool ok = true;
    const char *key;
    void *next;
    json_t *inner;
    for (size_t i = 0; ok && json_is_array(v) && i < json_array_size(v); i++) {
        inner = json_incref(json_array_get(v, i));
        ok = value_expand(&inner, values, a, err);
        (void)json_array_set_new(v, i, inner);
    }
    if (!json_is_object(v))
        return ok;
    json_object_foreach_safe(v, next, key, inner) {
        inner = json_incref(inner);
        ok = ok && value_expand(&inner, values, a, err);
        (void)json_object_set_new(v, key, inner);
    }
    return ok;
}

// Takes the reference and gives one.
static bool value_expand(json_t **v, const struct template_values *values, struct arena *a, struct err *err)
{
    if (!json_is_string(*v))
        return members_expand(*v, values, a, err);
    struct str text = json_str(*v);
    if (!has_braces(text))
        return true;
    if (!text_expand(&text, values, a, err))
        return false;
    json_t *filled = json_stringn(text.p, text.n);
    if (!filled)
        return ERR(err, ERR_INVALID, "what is put into a text is not UTF-8");
    json_decref(*v);
    *v = filled;
    return true;
}

// The texts inside of a JSON value; names of members stay.
static bool json_expand(struct str *text, const struct template_values *values, struct arena *a, struct err *err)
{
    json_t *v CLEANUP_JSON = NULL;
    struct sbuf out;
    if (!has_braces(*text))
        return true;
    if (!json_parse(*text, &v, err) || !value_expand(&v, values, a, err))
        return false;
    sbuf_init(&out, a, 2 * TEMPLATE_TEXT_MAX);
    json_write(v, &out);
    if (!sbuf_ok(&out))
        return ERR(err, ERR_TOO_LARGE, "a value grows past %d bytes by what is put into it", 2 * TEMPLATE_TEXT_MAX);
    *text = sbuf_str(&out);
    return true;
}

bool template_expand(const struct fields *t, void *obj, const struct template_values *v, struct arena *a,
                     struct err *err)
{
    bool ok = true;
    for (size_t i = 0; ok && i < t->n; i++) {
        const struct field *f = &t->v[i];
        void *at = (char *)obj + f->offset;
        const struct strs *list = at;
        const struct str_map *map = at;
        if (f->kind == FIELD_KIND_STR)
            ok = text_expand(at, v, a, err);
        if (f->kind == FIELD_KIND_JSON)
            ok = json_expand(at, v, a, err);
        for (size_t k = 0; ok && f->kind == FIELD_KIND_STRS && k < list->n; k++)
            ok = text_expand(&list->v[k], v, a, err);
        for (size_t k = 0; ok && f->kind == FIELD_KIND_MAP && k < map->n; k++)
            ok = text_expand(&map->v[k].value, v, a, err);
        if (ok && f->kind == FIELD_KIND_OBJECT)
            ok = template_expand(f->sub, at, v, a, err);
        if (!ok)
            (void)err_wrap(err, "%s", f->name);
    }
    return ok;
}
