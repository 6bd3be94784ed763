// SPDX-License-Identifier: Apache-2.0
// The engine's ordered lists.
#include "../tests/sim/bench.h"
#include "engine/agenda.h"

static struct agenda a;

static int setup(void **state)
{
    (void)state;
    agenda_init(&a);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    agenda_release(&a);
    return 0;
}

static struct mono minute(int64_t m) { return (struct mono){m * 60 * US_PER_S}; }

static void a_node_stands_in_one_list_at_most(void **state)
{
    (void)state;
    struct agenda_node n;
    node_init(&n, NODE_TASK);
    agenda_put(&a, &n, AGENDA_DUE, 5);
    agenda_put(&a, &n, AGENDA_READY, 3);
    assert_null(agenda_top(&a, AGENDA_DUE));
    assert_ptr_equal(agenda_top(&a, AGENDA_READY), &n);
    agenda_drop(&a, &n);
    agenda_drop(&a, &n);
    assert_int_equal(agenda_count(&a, AGENDA_READY), 0);
}

static void among_equal_keys_the_run_ids_decide(void **state)
{
    (void)state;
    struct agenda_node n[3];
    const struct ulid ids[] = {{{[6] = 2}}, {{[6] = 1}}, {{[6] = 1, [13] = 1}}};
    for (int i = 0; i < 3; i++) {
        node_init(&n[i], NODE_ENTRY);
        n[i].order = node_order(ids[i]);
        agenda_put(&a, &n[i], AGENDA_READY, 7);
    }
    static const int expected[] = {1, 2, 0};
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(agenda_top(&a, AGENDA_READY), &n[expected[i]]);
        agenda_drop(&a, &n[expected[i]]);
    }
}

static void the_smallest_key_is_on_top(void **state)
{
    (void)state;
    struct agenda_node n[100];
    for (int i = 0; i < 100; i++) {
        node_init(&n[i], NODE_ENTRY);
        agenda_put(&a, &n[i], AGENDA_DUE, (i * 37) % 100);
    }
    for (int i = 0; i < 100; i++) {
        struct agenda_node *top = agenda_top(&a, AGENDA_DUE);
        assert_int_equal(top->key, i);
        agenda_drop(&a, top);
    }
}

static void priority_goes_first_and_a_minute_of_waiting_is_one_step(void **state)
{
    (void)state;
    int64_t low = urgency(minute(0), PRIORITY_LOW, false);
    assert_true(urgency(minute(0), PRIORITY_HIGH, false) < low);
    assert_true(urgency(minute(2), PRIORITY_CRITICAL, false) < low);
    assert_true(urgency(minute(4), PRIORITY_CRITICAL, false) > low); // LOW is never starved
    assert_int_equal(urgency(minute(3), PRIORITY_CRITICAL, false), low);
}

static void late_work_comes_after_all_on_time_work_of_its_minute(void **state)
{
    (void)state;
    assert_true(urgency(minute(0), PRIORITY_CRITICAL, true) > urgency(minute(0), PRIORITY_LOW, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_node_stands_in_one_list_at_most, setup, teardown),
        cmocka_unit_test_setup_teardown(among_equal_keys_the_run_ids_decide, setup, teardown),
        cmocka_unit_test_setup_teardown(the_smallest_key_is_on_top, setup, teardown),
        cmocka_unit_test(priority_goes_first_and_a_minute_of_waiting_is_one_step),
        cmocka_unit_test(late_work_comes_after_all_on_time_work_of_its_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
