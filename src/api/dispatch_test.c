// SPDX-License-Identifier: Apache-2.0
// Paths to routes, and rules that the whole table must keep.
#include "api/dispatch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct route *find(const char *method, const char *path, struct str param[ROUTE_PARAMS_MAX])
{
    char allow[METHODS_MAX];
    return route_find(str_of(method), str_of(path), param, allow);
}

static void paths_lead_to_their_routes(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path, *route, *first, *second;
    } cases[] = {
        {"GET", "/api/v1/jobs", "/jobs", NULL, NULL},
        {"GET", "/api/jobs", "/jobs", NULL, NULL},
        {"HEAD", "/api/jobs/A", "/jobs/{id}", "A", NULL},
        {"POST", "/api/v1/jobs:batch", "/jobs:batch", NULL, NULL},
        {"POST", "/api/v1/jobs/A:run-now", "/jobs/{id}:run-now", "A", NULL},
        {"GET", "/api/v1/jobs/A/runs/B/logs:stream", "/jobs/{id}/runs/{runId}/logs:stream", "A", "B"},
        {"GET", "/livez", "/livez", NULL, NULL},
        {"GET", "/", "/", NULL, NULL},
        {"GET", "/jobs", NULL, NULL, NULL},
        {"GET", "/api/v1/jobs/", NULL, NULL, NULL},
        {"GET", "/api/v1/jobs/A:", NULL, NULL, NULL},
        {"POST", "/api/v1/jobs/A:explode", NULL, NULL, NULL},
        {"GET", "/api/v1/livez", NULL, NULL, NULL},
        {"GET", "/api/v1", NULL, NULL, NULL},
        {"GET", "/apis/v1/jobs", NULL, NULL, NULL},
        {"GET", "", NULL, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct str param[ROUTE_PARAMS_MAX] = {{0}};
        const struct route *r = find(cases[i].method, cases[i].path, param);
        if (!cases[i].route) {
            assert_null(r);
            continue;
        }
        assert_non_null(r);
        assert_string_equal(r->path, cases[i].route);
        assert_true(!cases[i].first || str_is(param[0], cases[i].first));
        assert_true(!cases[i].second || str_is(param[1], cases[i].second));
    }
}

static void another_method_names_those_that_are_allowed(void **state)
{
    (void)state;
    struct str param[ROUTE_PARAMS_MAX];
    char allow[METHODS_MAX];
    assert_null(route_find(STR("POST"), STR("/api/jobs/A"), param, allow));
    assert_string_equal(allow, "GET, PUT, PATCH, DELETE");
    assert_null(route_find(STR("POST"), STR("/api/nothing"), param, allow));
    assert_string_equal(allow, "");
}

static void no_two_routes_answer_the_same_request(void **state)
{
    (void)state;
    for (size_t i = 0; i < routes_n; i++)
        for (size_t k = i + 1; k < routes_n; k++)
            assert_false(strcmp(routes[i].method, routes[k].method) == 0 &&
                         strcmp(routes[i].path, routes[k].path) == 0 &&
                         (routes[i].flags & ROUTE_ROOT) == (routes[k].flags & ROUTE_ROOT));
}

static void every_route_says_what_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < routes_n; i++) {
        const struct route *r = &routes[i];
        assert_non_null(r->handle);
        assert_true(r->doc && strlen(r->doc) > 5 && r->doc[strlen(r->doc) - 1] == '.');
        assert_true(r->action >= ACTION_PUBLIC && r->action < ACTION_COUNT);
        assert_true((r->status >= 200 && r->status < 300) || r->status == 302);
        assert_true(r->answer != ANSWER_NONE || r->status == 204 || r->status == 302);
        assert_true((r->answer != ANSWER_ONE && r->answer != ANSWER_LIST) || r->response);
        assert_true(strcmp(r->method, "GET") != 0 || !r->request);
    }
}

static void what_changes_something_needs_a_sign_in(void **state)
{
    (void)state;
    for (size_t i = 0; i < routes_n; i++) {
        bool session = strncmp(routes[i].path, "/auth/", 6) == 0 || strcmp(routes[i].path, "/setup") == 0 ||
                       strncmp(routes[i].path, "/ping/", 6) == 0; // whose key is the proof
        assert_true(strcmp(routes[i].method, "GET") == 0 || session || routes[i].action != ACTION_PUBLIC);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_lead_to_their_routes),
        cmocka_unit_test(another_method_names_those_that_are_allowed),
        cmocka_unit_test(no_two_routes_answer_the_same_request),
        cmocka_unit_test(every_route_says_what_it_is),
        cmocka_unit_test(what_changes_something_needs_a_sign_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
