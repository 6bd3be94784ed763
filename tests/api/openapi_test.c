// SPDX-License-Identifier: Apache-2.0
// The OpenAPI document against the table it is written from: complete, and without a reference to nothing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/call.h"
#include "base/log.h"
#include "world.h"

enum { TEXT_MAX = 256 };

static json_t *document(struct world *w, struct exchange *x)
{
    world_open(w);
    world_send(w, &(struct request){"GET", "/openapi.json", NULL, STR_NONE, NULL}, x);
    assert_int_equal(x->resp.status, 200);
    assert_non_null(x->json);
    return x->json;
}

static void every_route_is_documented(void **state)
{
    (void)state;
    struct world w;
    struct exchange x;
    json_t *paths = json_object_get(document(&w, &x), "paths");
    for (size_t i = 0; i < routes_n; i++) {
        char path[TEXT_MAX], method[TEXT_MAX];
        (void)snprintf(path, sizeof path, "%s%s", routes[i].flags & ROUTE_ROOT ? "" : "/api/v1", routes[i].path);
        (void)snprintf(method, sizeof method, "%s", routes[i].method);
        for (char *c = method; *c; c++)
            *c = (char)(*c | 0x20);
        json_t *operation = json_object_get(json_object_get(paths, path), method);
        assert_non_null(operation);
        assert_string_equal(json_string_value(json_object_get(operation, "summary")), routes[i].doc);
        bool body = routes[i].request != NULL || routes[i].in != NULL;
        assert_int_equal(json_object_get(operation, "requestBody") != NULL, body);
        size_t braces = 0;
        for (const char *p = routes[i].path; *p; p++)
            braces += *p == '{';
        assert_true(json_array_size(json_object_get(operation, "parameters")) >= braces);
    }
    exchange_release(&x);
    world_close(&w);
}

static void check_refs(const json_t *root, const json_t *v)
{
    const char *key;
    json_t *member;
    size_t i;
    if (json_is_array(v)) {
        json_array_foreach(v, i, member)
            check_refs(root, member);
        return;
    }
    json_object_foreach((json_t *)v, key, member) {
        static const char prefix[] = "#/components/schemas/", problems[] = "#/components/responses/";
        if (strcmp(key, "$ref") != 0) {
            check_refs(root, member);
            continue;
        }
        const char *ref = json_string_value(member);
        json_t *components = json_object_get(root, "components");
        if (strncmp(ref, problems, sizeof problems - 1) == 0) {
            assert_non_null(json_object_get(json_object_get(components, "responses"), ref + sizeof problems - 1));
            continue;
        }
        assert_int_equal(strncmp(ref, prefix, sizeof prefix - 1), 0);
        json_t *schemas = json_object_get(components, "schemas");
        if (!json_object_get(schemas, ref + sizeof prefix - 1))
            fail_msg("%s leads nowhere", ref);
    }
}

static void every_reference_leads_to_a_schema(void **state)
{
    (void)state;
    struct world w;
    struct exchange x;
    json_t *root = document(&w, &x);
    check_refs(root, root);
    exchange_release(&x);
    world_close(&w);
}

static void no_schema_of_a_request_shows_what_only_the_server_sets(void **state)
{
    (void)state;
    struct world w;
    struct exchange x;
    json_t *schemas = json_object_get(json_object_get(document(&w, &x), "components"), "schemas");
    json_t *input = json_object_get(json_object_get(schemas, "JobInputDUMMY"), "properties");
    json_t *output = json_object_get(json_object_get(schemas, "Job"), "properties");
    assert_non_null(json_object_get(input, "name"));
    assert_null(json_object_get(input, "version"));
    assert_non_null(json_object_get(output, "version"));
    exchange_release(&x);
    world_close(&w);
}

int main(void)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_is_documented),
        cmocka_unit_test(every_reference_leads_to_a_schema),
        cmocka_unit_test(no_schema_of_a_request_shows_what_only_the_server_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
