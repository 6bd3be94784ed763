// SPDX-License-Identifier: Apache-2.0
// Reading and matching of parameters. What is wrong with a value says so at its own pointer.
#include "jobs/database_params.h"

#include <sodium.h>

enum { PARAMS_MAX = 1000, SHOWN_MAX = 64 };

static const char *const type_words[] = {"int",  "float", "decimal",   "text",    "bool",   "bytes",   "json",
                                         "date", "time",  "timestamp", "integer", "string", "boolean", NULL};
static const enum query_type types[] = {QUERY_I64,   QUERY_F64,  QUERY_DECIMAL, QUERY_TEXT, QUERY_BOOL,
                                        QUERY_BYTES, QUERY_JSON, QUERY_DATE,    QUERY_TIME, QUERY_TIMESTAMP,
                                        QUERY_I64,   QUERY_TEXT, QUERY_BOOL};

// ---- values ----

static bool bytes_read(struct str text, struct query_value *ret, struct arena *arena)
{
    unsigned char *p = arena_alloc(arena, text.n + 1);
    size_t n;
    if (!p || sodium_base642bin(p, text.n + 1, text.p, text.n, " \n", &n, NULL,
                                sodium_base64_VARIANT_ORIGINAL) != 0)
        return false;
    ret->text = str_of_n((const char *)p, n);
    return true;
}

static bool decimal_ok(struct str s)
{
    size_t digits = 0, points = 0;
    for (size_t i = 0; i < s.n; i++) {
        bool sign = i == 0 && (s.p[i] == '-' || s.p[i] == '+');
        digits += s.p[i] >= '0' && s.p[i] <= '9';
        points += s.p[i] == '.';
        if (!sign && s.p[i] != '.' && (s.p[i] < '0' || s.p[i] > '9'))
            return false;
    }
    return digits > 0 && points <= 1;
}

static bool float_read(struct str text, double *ret)
{
    char copy[SHOWN_MAX], *end = copy;
    if (text.n == 0 || text.n >= sizeof copy)
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    *ret = strtod(copy, &end);
    return *end == '\0';
}

static bool typed(enum query_type type, struct str text, struct query_value *ret, const char **ret_wrong,
                  struct arena *arena)
{
    struct query_value v = {.type = type, .text = text};
    bool yes = str_eq_nocase(text, STR("true")) || str_is(text, "1");
    const char *wrong = NULL;
    if (type == QUERY_I64 && !str_to_i64(text, &v.i))
        wrong = "is no whole number of 64 bits";
    else if (type == QUERY_F64 && !float_read(text, &v.f))
        wrong = "is no number";
    else if (type == QUERY_DECIMAL && !decimal_ok(text))
        wrong = "is no decimal number: write digits, a point and a sign only";
    else if (type == QUERY_BOOL && !yes && !str_eq_nocase(text, STR("false")) && !str_is(text, "0"))
        wrong = "must be true or false";
    else if (type == QUERY_BYTES && !bytes_read(text, &v, arena))
        wrong = "must be base64";
    v.i = type == QUERY_BOOL ? yes : v.i;
    *ret_wrong = wrong;
    if (!wrong)
        *ret = v;
    return !wrong;
}

static struct str text_of(const json_t *v, struct arena *arena)
{
    struct sbuf b;
    if (json_is_string(v))
        return arena_str(arena, json_str(v));
    sbuf_init(&b, arena, JOB_PAYLOAD_MAX);
    json_write(v, &b);
    return sbuf_str(&b);
}

bool database_value_read(const json_t *json, struct query_value *ret, const char **ret_wrong,
                         struct arena *arena)
{
    struct query_value v = {.type = QUERY_NULL};
    if (json_is_object(json)) {
        const json_t *value = json_object_get(json, "value");
        int at = field_enum_find(type_words, json_str(json_object_get(json, "type")));
        *ret_wrong = "must have a type (int, float, decimal, text, bool, bytes, json, date, time, timestamp) "
                     "and a value";
        if (at < 0 || !value || json_object_size(json) != 2)
            return false;
        if (!json_is_null(value))
            return typed(types[at], text_of(value, arena), ret, ret_wrong, arena);
    } else if (json_is_string(json)) {
        v = (struct query_value){.type = QUERY_TEXT, .text = arena_str(arena, json_str(json))};
    } else if (json_is_integer(json)) {
        v = (struct query_value){.type = QUERY_I64, .i = json_integer_value(json)};
    } else if (json_is_real(json)) {
        v = (struct query_value){.type = QUERY_F64, .f = json_real_value(json)};
    } else if (json_is_boolean(json)) {
        v = (struct query_value){.type = QUERY_BOOL, .i = json_is_true(json)};
    } else if (!json_is_null(json)) {
        *ret_wrong = "must be a text, a number, true, false, null, or an object with type and value";
        return false;
    }
    *ret = v;
    return true;
}

// ---- reading ----

static bool has_template(const json_t *v)
{
    struct str s = json_str(v);
    return s.n >= 2 && memmem(s.p, s.n, "{{", 2) != NULL;
}

static void read_one(const json_t *value, struct str pointer, bool templates, struct database_param *ret,
                     struct arena *arena, struct faults *faults)
{
    const char *wrong;
    if (templates && has_template(json_object_get(value, "value")))
        ret->v = (struct query_value){.type = QUERY_NULL}; // what it becomes is known when it runs
    else if (!database_value_read(value, &ret->v, &wrong, arena))
        faults_add(faults, pointer, "%s", wrong);
}

bool database_params_read(struct str json, struct str pointer, bool templates, struct database_params *ret,
                          struct arena *arena, struct faults *faults)
{
    struct database_params p = {.n = 0};
    size_t i, before = faults->n;
    const char *key;
    struct err err;
    json_t *v, *root CLEANUP_JSON = NULL;
    *ret = p;
    if (!json.p)
        return true;
    if (!json_parse(json, &root, &err) ||
        !(json_is_object(root) || json_is_array(root) || json_is_null(root))) {
        faults_add(faults, pointer, "must be an object of values by name, or a list of values in order");
        return false;
    }
    size_t n = json_is_object(root) ? json_object_size(root) : json_array_size(root);
    p.v = arena_new_array(arena, struct database_param, n);
    if (n > PARAMS_MAX || !p.v) {
        faults_add(faults, pointer, "must have at most %d values", PARAMS_MAX);
        return false;
    }
    json_array_foreach(root, i, v)
        read_one(v, arena_fmt(arena, "%.*s/%zu", STR_ARG(pointer), i), templates, &p.v[p.n++], arena, faults);
    json_object_foreach(root, key, v)
    {
        p.v[p.n].name = arena_str(arena, str_of(key));
        read_one(v, arena_fmt(arena, "%.*s/%s", STR_ARG(pointer), key), templates, &p.v[p.n++], arena,
                 faults);
    }
    *ret = p;
    return faults->n == before;
}

// ---- matching ----

static const struct database_param *find(const struct database_params *p, const struct query_place *place)
{
    if (!place->name.p)
        return place->position < p->n && !p->v[place->position].name.p ? &p->v[place->position] : NULL;
    for (size_t i = 0; i < p->n; i++)
        if (str_eq(p->v[i].name, place->name))
            return &p->v[i];
    return NULL;
}

static bool wanted(const struct query_text *t, struct str name)
{
    for (size_t i = 0; i < t->n; i++)
        for (size_t k = 0; k < t->v[i].n; k++)
            if (str_eq(t->v[i].places[k].name, name))
                return true;
    return false;
}

void database_params_match(const struct database_params *p, const struct query_text *t, const char *given,
                           struct str pointer, struct faults *faults)
{
    if (p->n > 0 && !p->v[0].name.p && p->n != t->positions) {
        faults_add(faults, pointer, "has %zu values in order, and the query %zu question marks", p->n,
                   t->positions);
        return;
    }
    for (size_t i = 0; i < t->n; i++)
        for (size_t k = 0; k < t->v[i].n; k++) {
            const struct query_place *place = &t->v[i].places[k];
            bool known = find(p, place) || (given && str_is(place->name, given));
            if (!known && place->name.p)
                faults_add(faults, pointer, "has no value for :%.*s of the query", STR_ARG(place->name));
            else if (!known)
                faults_add(faults, pointer,
                           "has no value for question mark %zu of the query: give a list of %zu values",
                           place->position + 1, t->positions);
        }
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].name.p && !wanted(t, p->v[i].name))
            faults_add(faults, arena_fmt(faults->a, "%.*s/%.*s", STR_ARG(pointer), STR_ARG(p->v[i].name)),
                       "is not used: the query has no :%.*s", STR_ARG(p->v[i].name));
}

struct query_value *database_params_bind(const struct database_params *p, const struct query_statement *s,
                                         const struct database_param *given, struct arena *arena)
{
    struct query_value *v = arena_new_array(arena, struct query_value, s->n);
    for (size_t i = 0; v && i < s->n; i++) {
        const struct database_param *one = find(p, &s->places[i]);
        if (!one && given && str_eq(given->name, s->places[i].name))
            one = given;
        v[i] = one ? one->v : (struct query_value){.type = QUERY_NULL};
    }
    return v;
}
