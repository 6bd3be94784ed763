// SPDX-License-Identifier: Apache-2.0
// Every slot has one owner, few slots move, and the division never changes between versions.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/slots.h"

enum { OWNERS_SUM = 0xee833f07, SLOT_OF_ID = 0x5b };

static struct view view_of(size_t n)
{
    struct view v = {.n = 0};
    for (size_t i = 0; i < n; i++)
        view_add(&v, (int64_t)(i * 7919 + 13));
    return v;
}

static void every_slot_has_one_owner(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 8; n++) {
        struct view v = view_of(n);
        int total = 0;
        for (size_t i = 0; i < n; i++) {
            struct slots s = view_share(&v, v.tokens[i]);
            total += slots_count(&s);
            assert_true(slots_count(&s) > SLOTS / (int)n / 3);
        }
        assert_int_equal(total, SLOTS);
    }
}

static void only_the_share_of_who_leaves_moves(void **state)
{
    (void)state;
    struct view before = view_of(5), after = before;
    int64_t gone = before.tokens[2];
    memmove(&after.tokens[2], &after.tokens[3], 2 * sizeof after.tokens[0]);
    after.n = 4;
    for (unsigned i = 0; i < SLOTS; i++)
        if (view_owner(&before, i) != gone)
            assert_int_equal(view_owner(&before, i), view_owner(&after, i));
}

static void owners_are_the_same_for_ever(void **state)
{
    (void)state;
    struct view v = view_of(3);
    unsigned sum = 0;
    for (unsigned i = 0; i < SLOTS; i++)
        sum = sum * 31 + (unsigned)(view_owner(&v, i) % 1000);
    struct ulid id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
    assert_int_equal(sum, OWNERS_SUM);
    assert_int_equal(slot_of(id), SLOT_OF_ID);
}

static void text_of_a_view_reads_back(void **state)
{
    (void)state;
    struct arena a __attribute__((cleanup(arena_release)));
    arena_init(&a, 1 << 16);
    for (size_t n = 0; n <= VIEW_NODES_MAX; n++) {
        struct view v = view_of(n);
        struct view back = view_read(slot_view_write(&v, &a));
        assert_true(view_eq(&v, &back));
    }
    struct view bad = view_read(STR("000000000000000d x"));
    assert_int_equal(bad.n, 0);
}

static void tokens_are_sorted_and_bounded(void **state)
{
    (void)state;
    struct view v = {.n = 0};
    for (int64_t i = 2 * VIEW_NODES_MAX; i > 0; i--) {
        view_add(&v, i);
        view_add(&v, i);
    }
    assert_int_equal(v.n, VIEW_NODES_MAX);
    for (size_t i = 1; i < v.n; i++)
        assert_true(v.tokens[i - 1] < v.tokens[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_slot_has_one_owner),      cmocka_unit_test(only_the_share_of_who_leaves_moves),
        cmocka_unit_test(owners_are_the_same_for_ever),  cmocka_unit_test(text_of_a_view_reads_back),
        cmocka_unit_test(tokens_are_sorted_and_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
