// SPDX-License-Identifier: Apache-2.0
// The OpenAPI document against the server: bodies made from its schemas are taken or refused as it says, and
// both base paths are the same. The other direction, that every answer is as documented, is held by the API
// scripts (script.c).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/call.h"
#include "api/openapi.h"
#include "base/log.h"
#include "contract.h"

enum { TARGET_MAX = 256, BODY_MAX = 1 << 20, WHY_MAX = 1024, DEPTH_MAX = 6, ID_MAX = 128 };

// ---- values made from a schema ----

static json_t *make(const json_t *schema, bool all, int depth);

static json_t *make_text(const json_t *schema)
{
    const json_t *words = json_object_get(schema, "enum");
    const char *format = json_string_value(json_object_get(schema, "format"));
    if (words)
        return json_incref(json_array_get(words, 0));
    if (json_object_get(schema, "pattern"))
        return json_string("01ARZ3NDEKTSV4RRFFQ69G5FAV");
    if (format && strcmp(format, "date-time") == 0)
        return json_string("2030-01-31T08:00:00Z");
    char text[TARGET_MAX];
    int64_t n = json_integer_value(json_object_get(schema, "minLength"));
    must(n < TARGET_MAX);
    n = n ? n : 1;
    memset(text, 'a', (size_t)n);
    return json_stringn(text, (size_t)n);
}

static json_t *make_object(const json_t *schema, bool all, int depth)
{
    json_t *v = json_object();
    const json_t *required = json_object_get(schema, "required"),
                 *properties = json_object_get(schema, "properties");
    for (size_t i = 0; i < json_array_size(required); i++) {
        const char *name = json_string_value(json_array_get(required, i));
        json_object_set_new(v, name, make(json_object_get(properties, name), all, depth + 1));
    }
    const char *key;
    json_t *property;
    if (all && depth < DEPTH_MAX)
        json_object_foreach((json_t *)properties, key, property) if (!json_object_get(v, key))
            json_object_set_new(v, key, make(property, false, depth + 1));
    return v;
}

static const char *first_type(const json_t *schema)
{
    const json_t *type = json_object_get(schema, "type");
    return json_string_value(json_is_array(type) ? json_array_get(type, 0) : type);
}

// A value that the schema allows; all: with every member, not only those that are required.
static json_t *make(const json_t *schema, bool all, int depth)
{
    schema = contract_schema(schema);
    const json_t *one = json_object_get(schema, "oneOf"), *any = json_object_get(schema, "anyOf");
    one = one ? one : any;
    const char *type = one ? NULL : first_type(schema);
    if (one)
        return make(json_array_get(one, 0), all, depth);
    if (!type || strcmp(type, "object") == 0)
        return make_object(schema, all, depth);
    if (strcmp(type, "string") == 0)
        return make_text(schema);
    if (strcmp(type, "boolean") == 0)
        return json_boolean(false);
    if (strcmp(type, "array") == 0) {
        json_t *v = json_array();
        for (int64_t i = json_integer_value(json_object_get(schema, "minItems")); i > 0; i--)
            json_array_append_new(v, make(json_object_get(schema, "items"), false, depth + 1));
        return v;
    }
    return json_integer(json_integer_value(json_object_get(schema, "minimum")));
}

// A value of a type that the schema does not allow; NULL: it allows several, and the rules of the type
// decide.
static json_t *make_wrong(const json_t *schema)
{
    schema = contract_schema(schema);
    json_t *tries[] = {json_object(), json_integer(7), json_string("no such word"), json_array()};
    json_t *wrong = NULL;
    bool told = json_is_string(json_object_get(schema, "type")) || json_object_get(schema, "oneOf") ||
                json_object_get(schema, "anyOf");
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        if (!wrong && told && !contract_fits(schema, tries[i], NULL, 0))
            wrong = json_incref(tries[i]);
        json_decref(tries[i]);
    }
    return wrong;
}

// ---- asking ----

struct asked {
    struct world *w;
    const struct route *r;
    char target[TARGET_MAX];
};

static void target_make(struct asked *q, const char *job)
{
    size_t n = (size_t)snprintf(q->target, sizeof q->target, "%s", q->r->flags & ROUTE_ROOT ? "" : "/api/v1");
    for (const char *p = q->r->path; *p; p++) {
        if (*p != '{') {
            q->target[n++] = *p;
            continue;
        }
        n += (size_t)snprintf(q->target + n, sizeof q->target - n, "%s",
                              strncmp(p, "{name}", 6) == 0 ? "name" : job);
        p = strchr(p, '}');
    }
    q->target[n] = '\0';
}

static void ask(struct asked *q, const json_t *body, struct exchange *x)
{
    char *text = json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY);
    if (strncmp(q->r->path, "/auth/", strlen("/auth/")) == 0) { // what signs out leaves a world without users
        world_close(q->w);
        world_open(q->w);
    }
    world_send(q->w, &(struct request){q->r->method, q->target, "admin", str_of(text), NULL}, x);
    free(text); // of the library, and the exchange is over
    x->req.body = STR_NONE;
    if (!contract_holds(x))
        fail_msg("%s %s breaks its contract", q->r->method, q->r->path);
}

// A fault at the pointer, or below it.
static bool faulted_at(const struct exchange *x, const char *pointer)
{
    const json_t *errors = json_object_get(x->json, "errors");
    for (size_t i = 0; i < json_array_size(errors); i++) {
        const char *at = json_string_value(json_object_get(json_array_get(errors, i), "pointer"));
        if (at && strncmp(at, pointer, strlen(pointer)) == 0)
            return true;
    }
    return false;
}

static void expect_fault(struct asked *q, const json_t *body, const char *pointer, const char *what)
{
    struct exchange x;
    ask(q, body, &x);
    // Of what is looked for first there is only a job.
    bool absent = x.resp.status == 404 && strchr(q->r->path, '{') &&
                  (strncmp(q->r->path, "/jobs/{id}", 10) != 0 || strchr(q->r->path + 10, '{'));
    if (!absent && (x.resp.status != 400 || !faulted_at(&x, pointer)))
        fail_msg("%s %s with %s %s answered %d %.*s", q->r->method, q->r->path, pointer, what, x.resp.status,
                 STR_ARG(sbuf_str(&x.resp.body)));
    exchange_release(&x);
}

static void expect_shape(struct asked *q, const json_t *body)
{
    static const char *const words[] = {"is not a known field", "must be a string",      "must be an object",
                                        "must be an int",       "must be true or false", "must be a list",
                                        "is read-only",         "must be one of"};
    struct exchange x;
    ask(q, body, &x);
    const json_t *errors = json_object_get(x.json, "errors");
    for (size_t i = 0; i < json_array_size(errors); i++) {
        const char *detail = json_string_value(json_object_get(json_array_get(errors, i), "detail"));
        for (size_t k = 0; k < sizeof words / sizeof words[0]; k++)
            if (strstr(detail, words[k]) == detail)
                fail_msg("%s %s refused what its schema allows: %.*s", q->r->method, q->r->path,
                         STR_ARG(sbuf_str(&x.resp.body)));
    }
    exchange_release(&x);
}

// Every member of the object at `at` inside of body: left out where it is required, and of a wrong type.
static void try_members(struct asked *q, const json_t *schema, json_t *body, json_t *at, const char *pointer)
{
    const json_t *required = json_object_get(schema, "required");
    const char *key;
    json_t *property;
    void *next;
    json_t *properties = json_object_get(schema, "properties");
    json_object_foreach_safe(properties, next, key, property)
    {
        char here[WHY_MAX];
        json_t *name = json_string(key), *was = json_incref(json_object_get(at, key)),
               *wrong = make_wrong(property);
        (void)snprintf(here, sizeof here, "%s/%s", pointer, key);
        bool needed = false;
        for (size_t i = 0; i < json_array_size(required); i++)
            needed |= json_equal(json_array_get(required, i), name);
        (void)json_object_del(at, key);
        if (needed)
            expect_fault(q, body, here, "left out");
        if (wrong) {
            json_object_set(at, key, wrong);
            expect_fault(q, body, here, "of a wrong type");
            (void)json_object_del(at, key);
        }
        if (was)
            json_object_set(at, key, was);
        json_decref(was);
        json_decref(wrong);
        json_decref(name);
    }
    char unknown[WHY_MAX];
    (void)snprintf(unknown, sizeof unknown, "%s/zzz", pointer);
    if (json_is_false(json_object_get(schema, "additionalProperties"))) {
        json_object_set_new(at, "zzz", json_integer(1));
        expect_fault(q, body, unknown, "that nobody knows");
        (void)json_object_del(at, "zzz");
    }
}

static void try_body(struct asked *q, const json_t *schema)
{
    schema = contract_schema(schema);
    json_t *least = make(schema, false, 0), *most = make(schema, true, 0);
    expect_shape(q, least);
    expect_shape(q, most);
    try_members(q, schema, least, least, "");
    const char *key;
    json_t *property;
    json_object_foreach(json_object_get(schema, "properties"), key, property)
    {
        const json_t *inner = contract_schema(property);
        json_t *body = json_deep_copy(least), *at = json_deep_copy(json_object_get(most, key));
        char pointer[WHY_MAX];
        (void)snprintf(pointer, sizeof pointer, "/%s", key);
        json_object_set(body, key, at);
        if (json_is_object(at) && json_object_get(inner, "properties"))
            try_members(q, inner, body, at, pointer);
        json_decref(at);
        json_decref(body);
    }
    json_decref(least);
    json_decref(most);
}

static void job_make(struct world *w, char id[static ID_MAX])
{
    struct exchange x;
    world_send(w,
               &(struct request){
                   "POST", "/api/v1/jobs", "admin",
                   STR("{\"name\":\"mine\",\"type\":\"DUMMY\",\"schedule\":{\"scheduleType\":\"MANUAL\"}}"),
                   NULL},
               &x);
    assert_int_equal(x.resp.status, 201);
    (void)snprintf(id, ID_MAX, "%s", json_string_value(json_object_get(x.json, "id")));
    exchange_release(&x);
}

static const json_t *body_schema(const struct asked *q)
{
    const json_t *o = contract_operation(str_of(q->r->method), str_of(q->target));
    const json_t *content = json_object_get(json_object_get(o, "requestBody"), "content");
    return json_object_get(json_object_iter_value(json_object_iter((json_t *)content)), "schema");
}

static void bodies_are_taken_and_refused_as_their_schemas_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < routes_n; i++) {
        struct world w;
        char job[ID_MAX];
        struct asked q = {&w, &routes[i]};
        if (!routes[i].request && !routes[i].in)
            continue;
        world_open(&w);
        job_make(&w, job);
        target_make(&q, job);
        const json_t *schema = contract_schema(body_schema(&q)), *one = json_object_get(schema, "oneOf");
        assert_non_null(schema);
        for (size_t k = 0; k < json_array_size(one); k++)
            try_body(&q, json_array_get(one, k));
        if (!one)
            try_body(&q, schema);
        world_close(&w);
    }
}

static void every_example_is_what_its_schema_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < routes_n; i++) {
        const char *text = request_example(&routes[i]);
        struct world w;
        char job[ID_MAX], why[WHY_MAX];
        struct asked q = {&w, &routes[i]};
        struct err err = {0};
        struct exchange x;
        CLEANUP_JSON json_t *v = NULL;
        if (!text)
            continue;
        assert_true(json_parse(str_of(text), &v, &err));
        world_open(&w);
        job_make(&w, job);
        target_make(&q, job);
        if (!contract_fits(body_schema(&q), v, why, sizeof why))
            fail_msg("the example of %s %s: %s", q.r->method, q.r->path, why);
        ask(&q, v, &x);
        if (x.resp.status == 400)
            fail_msg("the example of %s %s: %.*s", q.r->method, q.r->path, STR_ARG(sbuf_str(&x.resp.body)));
        exchange_release(&x);
        world_close(&w);
    }
}

// Without what differs by nature.
static void drop_traces(json_t *v)
{
    json_object_del(v, "traceId");
    json_object_del(v, "instance");
}

static void both_base_paths_are_the_same(void **state)
{
    (void)state;
    struct world w;
    char job[ID_MAX];
    world_open(&w);
    job_make(&w, job);
    for (size_t i = 0; i < routes_n; i++) {
        struct asked q = {&w, &routes[i]};
        struct exchange versioned, plain;
        char short_target[TARGET_MAX];
        if ((routes[i].flags & ROUTE_ROOT) || strcmp(routes[i].method, "GET") != 0)
            continue;
        target_make(&q, job);
        (void)snprintf(short_target, sizeof short_target, "/api%s", q.target + strlen("/api/v1"));
        world_send(&w, &(struct request){"GET", q.target, "admin", STR_NONE, NULL}, &versioned);
        world_send(&w, &(struct request){"GET", short_target, "admin", STR_NONE, NULL}, &plain);
        drop_traces(versioned.json);
        drop_traces(plain.json);
        assert_int_equal(versioned.resp.status, plain.resp.status);
        assert_int_equal(versioned.json == NULL, plain.json == NULL);
        if (versioned.json && !json_equal(versioned.json, plain.json))
            fail_msg("%s and %s answer differently", q.target, short_target);
        exchange_release(&versioned);
        exchange_release(&plain);
    }
    world_close(&w);
}

static void every_route_is_found_below_both_base_paths(void **state)
{
    (void)state;
    for (size_t i = 0; i < routes_n; i++) {
        struct asked q = {NULL, &routes[i]};
        char short_target[TARGET_MAX];
        if (routes[i].flags & ROUTE_ROOT)
            continue;
        target_make(&q, "01ARZ3NDEKTSV4RRFFQ69G5FAV");
        (void)snprintf(short_target, sizeof short_target, "/api%s", q.target + strlen("/api/v1"));
        const json_t *one = contract_operation(str_of(routes[i].method), str_of(q.target));
        assert_non_null(one);
        assert_ptr_equal(one, contract_operation(str_of(routes[i].method), str_of(short_target)));
    }
}

static void operations_have_names_of_their_own_and_described_answers(void **state)
{
    (void)state;
    struct arena a CLEANUP(arena_release);
    json_t *names = json_object();
    arena_init(&a, BODY_MAX);
    for (size_t i = 0; i < routes_n; i++) {
        struct sbuf name;
        sbuf_init(&name, &a, TARGET_MAX);
        operation_id(&routes[i], &name);
        char *text = arena_cstr(&a, sbuf_str(&name));
        if (json_object_get(names, text))
            fail_msg("two operations are called %s", text);
        json_object_set_new(names, text, json_true());
        if (routes[i].answer == ANSWER_OTHER && !routes[i].out)
            fail_msg("%s %s: name a shape of its answer (.out, api/shapes.c)", routes[i].method,
                     routes[i].path);
        if (routes[i].out)
            assert_non_null(shape_find(routes[i].out));
    }
    json_decref(names);
}

int main(void)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_have_names_of_their_own_and_described_answers),
        cmocka_unit_test(every_example_is_what_its_schema_says),
        cmocka_unit_test(bodies_are_taken_and_refused_as_their_schemas_say),
        cmocka_unit_test(both_base_paths_are_the_same),
        cmocka_unit_test(every_route_is_found_below_both_base_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
