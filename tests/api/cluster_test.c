// SPDX-License-Identifier: Apache-2.0
// What one node tells of its cluster, whose other nodes are rows that the test writes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "engine/cluster.h"
#include "engine/slots.h"
#include "world.h"

enum { OUR_TOKEN = 11, OTHER_TOKEN = 22, LEASE_S = 30, RUNNING = 3, VIEW_ARENA = 1 << 16 };

static struct cluster_status told = {
    .token = OUR_TOKEN, .nodes = 2, .slots = 100, .leased = true, .offset = {-2500}, .clock_refused = false};

static void status(struct cluster *c, struct cluster_status *ret)
{
    (void)c;
    *ret = told;
}

static void put_node(struct world *w, int64_t token, const char *name)
{
    struct err err = {0};
    struct node n = {.token = token, .name = str_of(name), .address = STR("http://192.0.2.7:8080"),
                     .version = STR("9.9.9"), .process = STR("p")};
    assert_true(w->store->ops->node_register(w->store, &n, duration_s(LEASE_S), &err));
    assert_true(w->store->ops->node_renew(w->store, token, duration_s(LEASE_S), RUNNING, 7000, &err));
}

static void publish(struct world *w, int64_t token, int state, const int64_t *tokens, size_t n)
{
    struct err err = {0};
    struct arena a;
    struct view v = {0};
    arena_init(&a, VIEW_ARENA);
    for (size_t i = 0; i < n; i++)
        view_add(&v, tokens[i]);
    assert_true(w->store->ops->node_publish(w->store, token, state, slot_view_write(&v, &a), &err));
    arena_release(&a);
}

// Two nodes, and this server is the first.
static void open_cluster(struct world *w)
{
    world_open(w);
    put_node(w, OUR_TOKEN, "n1");
    put_node(w, OTHER_TOKEN, "n2");
    struct app_cluster c = {.node_name = STR("n1"), .cluster = (struct cluster *)w, .status = status};
    app_set_cluster(&w->app, &c);
}

static json_t *node_of(struct exchange *x, const char *name)
{
    size_t i;
    json_t *v;
    json_array_foreach(json_object_get(x->json, "content"), i, v) {
        if (str_is(json_str(json_object_get(v, "name")), name))
            return v;
    }
    fail_msg("%s is not in the list", name);
    return NULL;
}

static int64_t number(const json_t *v, const char *name)
{
    assert_true(json_is_integer(json_object_get(v, name)));
    return json_integer_value(json_object_get(v, name));
}

static void ask(struct world *w, const char *method, const char *target, int wanted, struct exchange *x)
{
    world_send(w, &(struct request){method, target, "admin", STR_NONE, NULL}, x);
    assert_int_equal(x->resp.status, wanted);
}

static void the_list_tells_each_node_and_its_share(void **state)
{
    (void)state;
    static const int64_t both[] = {OUR_TOKEN, OTHER_TOKEN};
    struct world w;
    struct exchange x;
    open_cluster(&w);
    publish(&w, OUR_TOKEN, NODE_ACTIVE, both, 2);
    publish(&w, OTHER_TOKEN, NODE_ACTIVE, both, 2);
    ask(&w, "GET", "/api/v1/cluster/nodes", 200, &x);
    const json_t *first = node_of(&x, "n1"), *second = node_of(&x, "n2");
    assert_int_equal(number(first, "slots") + number(second, "slots"), SLOTS);
    assert_true(number(first, "slots") > 0 && number(second, "slots") > 0);
    assert_true(json_is_true(json_object_get(first, "self")) && json_is_false(json_object_get(second, "self")));
    assert_true(str_is(json_str(json_object_get(second, "address")), "http://192.0.2.7:8080"));
    assert_true(str_is(json_str(json_object_get(second, "version")), "9.9.9"));
    assert_int_equal(number(second, "running"), RUNNING);
    assert_int_equal(number(second, "clockOffsetMs"), 7);
    assert_true(number(second, "leaseAgeMs") >= 0);
    exchange_release(&x);
    ask(&w, "GET", "/actuator/cluster-info", 200, &x);
    assert_true(json_is_true(json_object_get(x.json, "viewAgreed")));
    assert_int_equal(number(x.json, "nodes"), 2);
    assert_int_equal(number(x.json, "slots"), 100);
    assert_int_equal(number(x.json, "clockOffsetMs"), -2);
    exchange_release(&x);
    world_close(&w);
}

static void a_slot_that_two_views_give_to_different_nodes_counts_for_none(void **state)
{
    (void)state;
    static const int64_t both[] = {OUR_TOKEN, OTHER_TOKEN}, alone[] = {OTHER_TOKEN};
    struct world w;
    struct exchange x;
    open_cluster(&w);
    publish(&w, OUR_TOKEN, NODE_ACTIVE, both, 2);
    publish(&w, OTHER_TOKEN, NODE_ACTIVE, alone, 1); // it has not let go yet
    ask(&w, "GET", "/api/v1/cluster/nodes", 200, &x);
    assert_int_equal(number(node_of(&x, "n1"), "slots"), 0);
    int64_t rest = number(node_of(&x, "n2"), "slots");
    assert_true(rest > 0 && rest < SLOTS);
    exchange_release(&x);
    ask(&w, "GET", "/actuator/cluster-info", 200, &x);
    assert_true(json_is_false(json_object_get(x.json, "viewAgreed")));
    exchange_release(&x);
    world_close(&w);
}

static void drain_and_resume_are_wishes_that_the_node_obeys_later(void **state)
{
    (void)state;
    static const int64_t ours[] = {OUR_TOKEN};
    struct world w;
    struct exchange x;
    open_cluster(&w);
    ask(&w, "POST", "/api/v1/cluster/nodes/n2:drain", 202, &x);
    assert_true(json_is_true(json_object_get(x.json, "drainWanted")));
    assert_true(str_is(json_str(json_object_get(x.json, "state")), "ACTIVE"));
    exchange_release(&x);
    publish(&w, OTHER_TOKEN, NODE_DRAINING, ours, 1);
    publish(&w, OUR_TOKEN, NODE_ACTIVE, ours, 1);
    ask(&w, "GET", "/api/v1/cluster/nodes", 200, &x);
    assert_true(str_is(json_str(json_object_get(node_of(&x, "n2"), "state")), "DRAINING"));
    assert_int_equal(number(node_of(&x, "n2"), "slots"), 0);
    assert_int_equal(number(node_of(&x, "n1"), "slots"), SLOTS);
    exchange_release(&x);
    ask(&w, "POST", "/api/v1/cluster/nodes/n2:resume", 202, &x);
    assert_true(json_is_false(json_object_get(x.json, "drainWanted")));
    exchange_release(&x);
    ask(&w, "POST", "/api/v1/cluster/nodes/n3:drain", 404, &x);
    exchange_release(&x);
    world_close(&w);
}

static enum store_fault fail_lists(void *ctx, const char *op, bool writes)
{
    (void)ctx;
    (void)writes;
    return strcmp(op, "nodes_list") == 0 ? FAULT_FAIL : FAULT_NONE;
}

static void a_store_that_is_away_is_an_error_not_an_empty_cluster(void **state)
{
    (void)state;
    static const char *const targets[] = {"/api/v1/cluster/nodes", "/actuator/cluster-info"};
    struct world w;
    open_cluster(&w);
    store_memory_set_faults(w.store, (struct store_faults){.before = fail_lists});
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        struct exchange x;
        ask(&w, "GET", targets[i], 503, &x);
        exchange_release(&x);
    }
    world_close(&w);
}

int main(void)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list_tells_each_node_and_its_share),
        cmocka_unit_test(a_slot_that_two_views_give_to_different_nodes_counts_for_none),
        cmocka_unit_test(drain_and_resume_are_wishes_that_the_node_obeys_later),
        cmocka_unit_test(a_store_that_is_away_is_an_error_not_an_empty_cluster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
