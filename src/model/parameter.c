// SPDX-License-Identifier: Apache-2.0
// Declarations of parameters, and the values given for them.
#include "model/parameter.h"

#include <math.h>
#include <stdlib.h>

static const char *const type_names[] = {"STRING", "NUMBER", "BOOLEAN", NULL};
enum { DESCRIPTION_MAX = 1000, DEFAULT_MAX = 16 * 1024, NUMBER_TEXT_MAX = 64, VALUES_TEXT_MAX = 256 * 1024 };

#define T struct parameter
static const struct field rows[] = {
    FIELD_STR(T, name, "name", .flags = FIELD_REQUIRED, .min = 1, .max = PARAMETER_NAME_MAX,
              .doc = "Name: {{param.NAME}} in the text fields of the payload."),
    FIELD_ENUM(T, type, "type", type_names, FIELD_DEFAULT(PARAMETER_STRING), .doc = "What its values are."),
    FIELD_JSON(T, def, "default", .max = DEFAULT_MAX, .doc = "Value of runs that are not given one."),
    FIELD_BOOL(T, required, "required", FIELD_DEFAULT(false), .doc = "Whether every start must give it."),
    FIELD_STR(T, description, "description", .max = DESCRIPTION_MAX, .doc = "Free text for people."),
};
#undef T
const struct fields parameter_fields =
    FIELDS("Parameter", struct parameter, rows, .doc = "What may be given to a run of a job.");

bool parameter_name_ok(struct str name)
{
    if (name.n == 0 || name.n > PARAMETER_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '_' && c != '-' && c != '.')
            return false;
    }
    return true;
}

const struct parameter *parameters_find(const struct parameters *p, struct str name)
{
    for (size_t i = 0; i < p->n; i++)
        if (str_eq(p->v[i].name, name))
            return &p->v[i];
    return NULL;
}

// ---- values ------------------------------------------------------------------------------------

static json_t *number_of(struct str text)
{
    char buf[NUMBER_TEXT_MAX], *end;
    int64_t whole;
    if (str_to_i64(text, &whole))
        return json_integer(whole);
    if (text.n == 0 || text.n >= sizeof buf)
        return NULL;
    memcpy(buf, text.p, text.n);
    buf[text.n] = '\0';
    double v = strtod(buf, &end);
    return *end == '\0' && isfinite(v) ? json_real(v) : NULL;
}

// A new reference to the value as its type says, or NULL.
static json_t *typed(int type, json_t *v)
{
    struct str text = json_str(v);
    switch (type) {
    case PARAMETER_NUMBER:
        return json_is_number(v) ? json_incref(v) : json_is_string(v) ? number_of(text) : NULL;
    case PARAMETER_BOOLEAN:
        if (str_is(text, "true") || str_is(text, "false"))
            return json_boolean(str_is(text, "true"));
        return json_is_boolean(v) ? json_incref(v) : NULL;
    default:
        return json_is_string(v) ? json_incref(v) : NULL;
    }
}

static const char *type_words(int type)
{
    return type == PARAMETER_NUMBER ? "a number" : type == PARAMETER_BOOLEAN ? "true or false" : "a string";
}

static struct str text_of(const json_t *v, struct arena *a)
{
    struct sbuf b;
    sbuf_init(&b, a, VALUES_TEXT_MAX);
    json_write(v, &b);
    return sbuf_ok(&b) ? sbuf_str(&b) : STR_NONE;
}

// ---- declarations ------------------------------------------------------------------------------

static void one_check(struct parameter *p, const struct parameters *before, struct str base, struct faults *f)
{
    struct err err;
    json_t *v CLEANUP_JSON = NULL, *as CLEANUP_JSON = NULL;
    if (!parameter_name_ok(p->name))
        faults_add(f, arena_fmt(f->a, "%.*s/name", STR_ARG(base)),
                   "may hold letters, digits, '_', '-' and '.' only, at most %d", PARAMETER_NAME_MAX);
    if (parameters_find(before, p->name))
        faults_add(f, arena_fmt(f->a, "%.*s/name", STR_ARG(base)), "\"%.*s\" is declared twice",
                   STR_ARG(p->name));
    if (p->def.p && str_is(p->def, "null"))
        p->def = STR_NONE;
    if (!p->def.p)
        return;
    if (!json_parse(p->def, &v, &err) || !(as = typed(p->type, v)) || !json_equal(as, v))
        faults_add(f, arena_fmt(f->a, "%.*s/default", STR_ARG(base)),
                   "must be %s, as the parameter's type says", type_words(p->type));
}

bool parameters_read(struct str text, struct str base, struct parameters *ret, struct faults *faults)
{
    struct err err;
    json_t *list CLEANUP_JSON = NULL;
    size_t from = faults->n;
    struct parameters p = {0};
    *ret = p;
    if (!text.p)
        return true;
    if (!json_parse(text, &list, &err) || !json_is_array(list)) {
        faults_add(faults, base, "must be a list of declarations such as {\"name\":\"day\"}");
        return false;
    }
    size_t n = json_array_size(list);
    p.v = n <= JOB_PARAMETERS_MAX ? arena_new_array(faults->a, struct parameter, n) : NULL;
    if (!p.v) {
        faults_add(faults, base, "must have at most %d entries", JOB_PARAMETERS_MAX);
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        struct str at = arena_fmt(faults->a, "%.*s/%zu", STR_ARG(base), i);
        if (!field_decode(&parameter_fields, json_array_get(list, i), FIELD_DECODE_STRICT, at, &p.v[i],
                          faults->a, faults))
            continue;
        one_check(&p.v[i], &p, at, faults);
        p.n = i + 1;
    }
    if (faults->n > from)
        return false;
    *ret = p;
    return true;
}

// ---- given values ------------------------------------------------------------------------------

static struct str below(const char *name, struct arena *a)
{
    return arena_fmt(a, "/parameters/%s", name); // names that may need escaping are faults themselves
}

static void take_one(const struct parameters *p, const char *name, json_t *v, bool drop, json_t *out,
                     struct faults *f)
{
    const struct parameter *known = parameters_find(p, str_of(name));
    enum { SHOWN_MAX = 64 };
    if (!known && !drop)
        faults_add(f, below(parameter_name_ok(str_of(name)) ? name : "", f->a),
                   "\"%.*s\" is no parameter of this job: leave it out, or declare it in the job",
                   (int)str_utf8_cut(str_of(name), SHOWN_MAX), name);
    if (!known || json_is_null(v))
        return;
    json_t *as = typed(known->type, v);
    if (as)
        (void)json_object_set_new(out, name, as);
    else
        faults_add(f, below(name, f->a), "must be %s", type_words(known->type));
}

struct str parameters_take(const struct parameters *p, struct str inputs, bool drop_unknown,
                           struct faults *faults)
{
    struct err err;
    json_t *given CLEANUP_JSON = NULL, *out CLEANUP_JSON = json_object();
    size_t from = faults->n;
    const char *name;
    json_t *v;
    if (inputs.p && !json_parse(inputs, &given, &err)) {
        faults_add(faults, STR("/parameters"), "%s", err.text);
        return STR_NONE;
    }
    json_object_foreach(given, name, v) take_one(p, name, v, drop_unknown, out, faults);
    for (size_t i = 0; i < p->n; i++) {
        const struct parameter *one = &p->v[i];
        const json_t *has = json_object_getn(given, one->name.p, one->name.n);
        if (one->required && !one->def.p && (!has || json_is_null(has)))
            faults_add(faults, arena_fmt(faults->a, "/parameters/%.*s", STR_ARG(one->name)),
                       "is required: every run of this job needs it");
    }
    if (faults->n > from)
        return STR_NONE;
    return text_of(out, faults->a);
}

bool parameters_fill(const struct parameters *p, struct str inputs, struct str *ret, struct arena *a,
                     struct err *err)
{
    json_t *all CLEANUP_JSON = NULL;
    if (!json_parse(inputs.n > 0 ? inputs : STR("{}"), &all, err))
        return err_wrap(err, "the run's parameters");
    bool changed = false;
    for (size_t i = 0; i < p->n; i++) {
        const struct parameter *one = &p->v[i];
        json_t *v;
        if (json_object_getn(all, one->name.p, one->name.n))
            continue;
        if (one->required && !one->def.p)
            return ERR(err, ERR_INVALID, "parameter \"%.*s\" is required and was not given to this run",
                       STR_ARG(one->name));
        if (!one->def.p)
            continue;
        if (!json_parse(one->def, &v, err))
            return err_wrap(err, "the default of parameter \"%.*s\"", STR_ARG(one->name));
        (void)json_object_setn_new(all, one->name.p, one->name.n, v);
        changed = true;
    }
    *ret = changed ? text_of(all, a) : inputs;
    return !changed || ret->p || ERR(err, ERR_TOO_LARGE, "the run's parameters are too large");
}
