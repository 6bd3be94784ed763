// SPDX-License-Identifier: Apache-2.0
// As much of JSON Schema (2020-12) as the OpenAPI document uses, and the look-up of operations.
#include "contract.h"

#include <regex.h>

#include "api/dispatch.h"

enum { POINTER_MAX = 512, TEXT_MAX = 256 };

const json_t *contract_document(void)
{
    static json_t *document;
    if (document)
        return document;
    struct world w;
    struct exchange x;
    world_open(&w);
    world_send(&w, &(struct request){"GET", "/openapi.json", NULL, STR_NONE, NULL}, &x);
    must(x.resp.status == 200 && x.json);
    document = json_incref(x.json);
    exchange_release(&x);
    world_close(&w);
    return document;
}

static const json_t *follow(const char *ref)
{
    char text[TEXT_MAX];
    const json_t *at = contract_document();
    must(strncmp(ref, "#/", 2) == 0 && strlen(ref) < sizeof text);
    (void)snprintf(text, sizeof text, "%s", ref + 2);
    char *save = NULL;
    for (char *part = strtok_r(text, "/", &save); part; part = strtok_r(NULL, "/", &save))
        at = json_object_get(at, part);
    must(at);
    return at;
}

const json_t *contract_schema(const json_t *schema)
{
    const json_t *ref;
    while ((ref = json_object_get(schema, "$ref")))
        schema = follow(json_string_value(ref));
    return schema;
}

// ---- values ----

struct check {
    char pointer[POINTER_MAX];
    char *why;
    size_t why_max;
};

static bool bad(struct check *c, const char *what)
{
    if (c->why)
        (void)snprintf(c->why, c->why_max, "%s %s", c->pointer, what);
    return false;
}

static bool is_type(const json_t *v, const char *type)
{
    return strcmp(type, "string") == 0    ? json_is_string(v)
           : strcmp(type, "integer") == 0 ? json_is_integer(v)
           : strcmp(type, "number") == 0  ? json_is_number(v)
           : strcmp(type, "boolean") == 0 ? json_is_boolean(v)
           : strcmp(type, "array") == 0   ? json_is_array(v)
           : strcmp(type, "object") == 0  ? json_is_object(v)
                                          : json_is_null(v);
}

static bool type_fits(const json_t *schema, const json_t *v)
{
    const json_t *type = json_object_get(schema, "type");
    if (json_is_string(type))
        return is_type(v, json_string_value(type));
    bool any = !type;
    for (size_t i = 0; !any && i < json_array_size(type); i++)
        any = is_type(v, json_string_value(json_array_get(type, i)));
    return any;
}

static bool listed(const json_t *list, const json_t *v)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_equal(json_array_get(list, i), v))
            return true;
    return !list;
}

static bool between(const json_t *schema, const char *least, const char *most, double n)
{
    const json_t *low = json_object_get(schema, least), *high = json_object_get(schema, most);
    return (!low || n >= json_number_value(low)) && (!high || n <= json_number_value(high));
}

static bool text_fits(struct check *c, const json_t *schema, const json_t *v)
{
    const char *pattern = json_string_value(json_object_get(schema, "pattern"));
    const char *format = json_string_value(json_object_get(schema, "format"));
    struct instant t;
    struct err err;
    regex_t re;
    if (!between(schema, "minLength", "maxLength", (double)str_utf8_count(json_str(v))))
        return bad(c, "has another length");
    if (format && strcmp(format, "date-time") == 0 && !instant_parse(json_str(v), &t, &err))
        return bad(c, "is no instant");
    if (!pattern)
        return true;
    must(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) == 0);
    bool match = regexec(&re, json_string_value(v), 0, NULL, 0) == 0;
    regfree(&re);
    return match || bad(c, "does not match its pattern");
}

static bool fits(struct check *c, const json_t *schema, const json_t *v);

static bool member_fits(struct check *c, const json_t *schema, const json_t *v, const char *name)
{
    size_t n = strlen(c->pointer);
    (void)snprintf(c->pointer + n, sizeof c->pointer - n, "/%s", name);
    bool good = fits(c, schema, v);
    c->pointer[n] = '\0';
    return good;
}

static bool object_fits(struct check *c, const json_t *schema, const json_t *v)
{
    const json_t *properties = json_object_get(schema, "properties"),
                 *required = json_object_get(schema, "required");
    const json_t *more = json_object_get(schema, "additionalProperties");
    for (size_t i = 0; i < json_array_size(required); i++)
        if (!json_object_get(v, json_string_value(json_array_get(required, i)))) {
            char what[TEXT_MAX];
            (void)snprintf(what, sizeof what, "lacks \"%s\"", json_string_value(json_array_get(required, i)));
            return bad(c, what);
        }
    if (!between(schema, "minProperties", "maxProperties", (double)json_object_size(v)))
        return bad(c, "has another number of members");
    const char *key;
    json_t *one;
    json_object_foreach((json_t *)v, key, one)
    {
        const json_t *s = json_object_get(properties, key);
        if (!s && json_is_false(more)) {
            char what[TEXT_MAX];
            (void)snprintf(what, sizeof what, "has a member that is not documented: \"%s\"", key);
            return bad(c, what);
        }
        if ((s || json_is_object(more)) && !member_fits(c, s ? s : more, one, key))
            return false;
    }
    return true;
}

static bool array_fits(struct check *c, const json_t *schema, const json_t *v)
{
    const json_t *items = json_object_get(schema, "items");
    if (!between(schema, "minItems", "maxItems", (double)json_array_size(v)))
        return bad(c, "has another number of entries");
    for (size_t i = 0; items && i < json_array_size(v); i++) {
        char index[TEXT_MAX];
        (void)snprintf(index, sizeof index, "%zu", i);
        if (!member_fits(c, items, json_array_get(v, i), index))
            return false;
    }
    return true;
}

// How many of the alternatives it fits; what is wrong with the one that it was most like is told.
static size_t alternatives(struct check *c, const json_t *list, const json_t *v)
{
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(list); i++)
        n += fits(c, json_array_get(list, i), v);
    return n;
}

static bool fits(struct check *c, const json_t *schema, const json_t *v)
{
    schema = contract_schema(schema);
    const json_t *one = json_object_get(schema, "oneOf"), *any = json_object_get(schema, "anyOf");
    if (one && alternatives(c, one, v) != 1)
        return c->why && c->why[0] ? false : bad(c, "fits several alternatives");
    if (any && alternatives(c, any, v) == 0)
        return false;
    if (!type_fits(schema, v))
        return bad(c, "has another type");
    if (!listed(json_object_get(schema, "enum"), v))
        return bad(c, "is none of the words");
    if (json_is_string(v))
        return text_fits(c, schema, v);
    if (json_is_number(v))
        return between(schema, "minimum", "maximum", json_number_value(v)) || bad(c, "is out of its bounds");
    if (json_is_array(v))
        return array_fits(c, schema, v);
    return !json_is_object(v) || object_fits(c, schema, v);
}

bool contract_fits(const json_t *schema, const json_t *value, char *why, size_t why_max)
{
    struct check c = {.why = why, .why_max = why_max};
    if (why)
        why[0] = '\0';
    return fits(&c, schema, value);
}

// ---- answers ----

const json_t *contract_operation(struct str method, struct str path)
{
    struct str param[ROUTE_PARAMS_MAX];
    char allow[METHODS_MAX], name[TEXT_MAX], lower[TEXT_MAX];
    const struct route *r = route_find(method, path, param, allow);
    if (!r)
        return NULL;
    (void)snprintf(name, sizeof name, "%s%s", r->flags & ROUTE_ROOT ? "" : "/api/v1", r->path);
    (void)snprintf(lower, sizeof lower, "%s", r->method);
    for (char *c = lower; *c; c++)
        *c = (char)(*c | 0x20);
    return json_object_get(json_object_get(json_object_get(contract_document(), "paths"), name), lower);
}

static bool media_is(const char *got, const char *want)
{
    size_t n = strlen(want);
    return strncmp(got, want, n) == 0 && (got[n] == '\0' || got[n] == ';');
}

static bool wrong(const struct exchange *x, const char *what)
{
    fprintf(stderr, "the contract of %.*s %.*s, answered %d: %s\n", STR_ARG(x->req.method),
            STR_ARG(x->req.path), x->resp.status, what);
    return false;
}

bool contract_holds(const struct exchange *x)
{
    char status[TEXT_MAX], why[POINTER_MAX + TEXT_MAX];
    const json_t *operation = contract_operation(x->req.method, x->req.path);
    if (!operation) // no route: a problem
        return x->resp.status >= 400 &&
               (contract_fits(follow("#/components/schemas/Problem"), x->json, why, sizeof why) ||
                wrong(x, why));
    (void)snprintf(status, sizeof status, "%d", x->resp.status);
    const json_t *answer = contract_schema(json_object_get(json_object_get(operation, "responses"), status));
    if (!answer)
        return wrong(x, "the status is not documented");
    const json_t *content = json_object_get(answer, "content");
    if (!content)
        return x->resp.body.n == 0 || wrong(x, "no body is documented");
    const char *media = json_object_iter_key(json_object_iter((json_t *)content));
    if (x->resp.source)
        return media_is("text/event-stream", media) || wrong(x, "a stream is not documented");
    if (x->resp.body.n == 0 && x->resp.status < 300 && str_is(x->req.method, "HEAD"))
        return true;
    if (!media_is(x->resp.content_type, media))
        return wrong(x, "the content type is not documented");
    if (!strstr(media, "json"))
        return true;
    const json_t *schema =
        json_object_get(json_object_iter_value(json_object_iter((json_t *)content)), "schema");
    if (json_object_size(schema) == 0)
        return wrong(x, "the body is not described");
    return x->json ? contract_fits(schema, x->json, why, sizeof why) || wrong(x, why)
                   : wrong(x, "it is no JSON");
}
