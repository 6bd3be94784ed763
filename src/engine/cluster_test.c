// SPDX-License-Identifier: Apache-2.0
// The life of nodes: coming, dividing, going, losing the lease.
#include "../tests/sim/bench_nodes.h"

static struct node row_of(struct nodes_bench *b, int i)
{
    struct arena a CLEANUP(arena_release);
    struct node *v, found = {.state = NODE_DEAD};
    struct instant now;
    size_t n;
    struct err err = {0};
    arena_init(&a, SIZE_MAX);
    assert_true(b->store->ops->nodes_list(b->store, &v, &n, &now, &a, &err));
    for (size_t k = 0; k < n; k++)
        if (v[k].token == b->nodes[i].cluster->token)
            found = v[k]; // its texts are the store's
    return found;
}

// Every slot is decided for by one of the nodes that are there.
static void assert_divided(struct nodes_bench *b)
{
    int total = 0;
    struct slots all = {{0}};
    for (int i = 0; i < BENCH_NODES; i++) {
        if (!b->nodes[i].engine || b->nodes[i].stopped)
            continue;
        struct slots own = node_slots(&b->nodes[i]);
        total += slots_count(&own);
        for (size_t k = 0; k < SLOTS / 64; k++)
            all.bits[k] |= own.bits[k];
    }
    assert_int_equal(total, SLOTS);
    assert_int_equal(slots_count(&all), SLOTS);
}

static void two(struct nodes_bench *b)
{
    assert_true(node_joins(b, 0, NULL));
    assert_true(node_joins(b, 1, NULL));
    nodes_run(b, 2);
    assert_divided(b);
}

static void a_node_alone_decides_for_everything(void **state)
{
    struct nodes_bench *b = *state;
    struct cluster_status s;
    assert_true(node_joins(b, 0, NULL));
    struct slots own = node_slots(&b->nodes[0]);
    assert_int_equal(slots_count(&own), SLOTS);
    cluster_status(b->nodes[0].cluster, &s);
    assert_true(s.leased && s.settled && !s.draining && !s.clock_refused);
    assert_int_equal(s.nodes, 1);
    assert_int_equal(s.slots, SLOTS);
}

static void nodes_divide_the_slots_within_two_seconds(void **state)
{
    struct nodes_bench *b = *state;
    two(b);
    assert_true(node_joins(b, 2, NULL));
    nodes_run(b, 2);
    assert_divided(b);
    for (int i = 0; i < BENCH_NODES; i++) {
        struct slots own = node_slots(&b->nodes[i]);
        assert_true(slots_count(&own) > SLOTS / 8);
    }
}

static void a_node_that_leaves_is_not_waited_for(void **state)
{
    struct nodes_bench *b = *state;
    two(b);
    cluster_leave(b->nodes[1].cluster);
    node_dies(b, 1);
    nodes_run(b, 2);
    assert_divided(b);
}

static void a_drained_node_gives_everything_away_and_can_come_back(void **state)
{
    struct nodes_bench *b = *state;
    struct cluster_status s;
    two(b);
    cluster_drain(b->nodes[0].cluster, true);
    nodes_run(b, 2);
    struct slots own = node_slots(&b->nodes[0]);
    assert_int_equal(slots_count(&own), 0);
    assert_divided(b);
    cluster_status(b->nodes[0].cluster, &s);
    assert_true(s.draining);
    cluster_drain(b->nodes[0].cluster, false);
    nodes_run(b, 2);
    own = node_slots(&b->nodes[0]);
    assert_true(slots_count(&own) > 0);
    assert_divided(b);
}

static void a_node_whose_clock_is_far_off_decides_nothing(void **state)
{
    struct nodes_bench *b = *state;
    struct clock_virtual other = b->clock;
    clock_virtual_step(&other, duration_s(CLUSTER_CLOCK_REFUSE_S + 1));
    store_memory_set_clock(b->store, &other.base);
    assert_true(node_joins(b, 0, NULL));
    struct slots own = node_slots(&b->nodes[0]);
    struct cluster_status s;
    cluster_status(b->nodes[0].cluster, &s);
    assert_true(s.clock_refused);
    assert_int_equal(slots_count(&own), 0);
    store_memory_set_clock(b->store, &b->clock.base);
    nodes_run(b, 2);
    assert_divided(b);
}

// ---- losing the lease ----------------------------------------------------------------------------

static void runs_of_a_node_that_stands_still_are_taken_over_once(void **state)
{
    struct nodes_bench *b = *state;
    two(b);
    struct job j = node_job(b, 1, CONCURRENCY_FORBID);
    struct ulid id = node_run(b, &j);
    nodes_run(b, 2);
    assert_int_equal(b->nodes[1].n_held, 1);
    b->nodes[1].stopped = true;
    nodes_run(b, CLUSTER_LEASE_S - CLUSTER_HEARTBEAT_S - 3);
    assert_int_equal(b->nodes[0].started, 0); // it may live
    nodes_run(b, CLUSTER_HEARTBEAT_S + 5);
    assert_int_equal(node_run_status(b, id), RUN_LOST);
    assert_int_equal(b->nodes[0].started, 1);
    assert_int_equal(b->nodes[0].held[0]->number, 2);

    b->nodes[1].stopped = false; // moves again
    nodes_run(b, 0.1);
    assert_int_equal(b->nodes[1].cancelled_why, CANCEL_BY_LEASE);
    node_end(&b->nodes[1], RUN_SUCCEEDED);
    nodes_run(b, 2);
    assert_int_equal(node_run_status(b, id), RUN_LOST); // its word comes too late
    assert_divided(b);
}

static void what_runs_is_stopped_when_the_token_dies_before_its_time(void **state)
{
    struct nodes_bench *b = *state;
    struct err err = {0};
    two(b);
    struct job j = node_job(b, 1, CONCURRENCY_ALLOW);
    (void)node_run(b, &j);
    nodes_run(b, 2);
    int64_t before = b->nodes[1].cluster->token;
    assert_true(b->store->ops->node_leave(b->store, before, &err)); // by somebody else
    nodes_run(b, 2);
    assert_int_equal(b->nodes[1].cancelled_why, CANCEL_BY_LEASE);
    assert_true(b->nodes[1].cluster->token != before);
    assert_divided(b);
}

static void a_lost_registration_is_made_again(void **state)
{
    struct nodes_bench *b = *state;
    struct err err = {0};
    assert_true(node_joins(b, 0, NULL));
    struct node orphan = {.token = 99, .name = STR("n1"), .address = STR("a"), .version = STR("1"),
                          .process = STR("p"), .view = STR("")};
    assert_true(b->store->ops->node_register(b->store, &orphan, duration_s(CLUSTER_LEASE_S), &err)); // no answer
    assert_true(node_joins(b, 1, NULL)); // the row names our process
    nodes_run(b, 2);
    assert_divided(b);
}

static void a_name_is_free_when_its_process_is_gone_or_its_lease_is_over(void **state)
{
    struct nodes_bench *b = *state;
    struct err err = {0};
    struct node other = {.token = 99, .name = STR("n0"), .address = STR("a"), .version = STR("1"),
                         .process = STR("other"), .view = STR("")};
    assert_true(b->store->ops->node_register(b->store, &other, duration_s(CLUSTER_LEASE_S), &err));
    assert_false(node_joins(b, 0, NULL));
    nodes_run(b, CLUSTER_LEASE_S);
    assert_true(node_joins(b, 0, NULL));
    node_dies(b, 0);
    assert_true(node_joins(b, 0, gone_always));
    assert_divided(b);
}

static void forgotten(void *ctx, const struct run *r)
{
    (void)ctx;
    (void)r;
}

static void a_publication_that_the_store_forgot_is_repeated(void **state)
{
    struct nodes_bench *b = *state;
    two(b);
    struct store_snapshot *k = store_memory_snapshot(b->store);
    cluster_drain(b->nodes[1].cluster, true);
    nodes_run(b, 1);
    assert_int_equal(row_of(b, 1).state, NODE_DRAINING);
    store_memory_restore(b->store, k, forgotten, NULL); // a failover
    store_snapshot_free(k);
    assert_int_equal(row_of(b, 1).state, NODE_ACTIVE);
    nodes_run(b, 3);
    assert_int_equal(row_of(b, 1).state, NODE_DRAINING);
    assert_divided(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NODES_TEST(a_node_alone_decides_for_everything),
        NODES_TEST(nodes_divide_the_slots_within_two_seconds),
        NODES_TEST(a_node_that_leaves_is_not_waited_for),
        NODES_TEST(a_drained_node_gives_everything_away_and_can_come_back),
        NODES_TEST(a_node_whose_clock_is_far_off_decides_nothing),
        NODES_TEST(runs_of_a_node_that_stands_still_are_taken_over_once),
        NODES_TEST(what_runs_is_stopped_when_the_token_dies_before_its_time),
        NODES_TEST(a_lost_registration_is_made_again),
        NODES_TEST(a_name_is_free_when_its_process_is_gone_or_its_lease_is_over),
        NODES_TEST(a_publication_that_the_store_forgot_is_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
