// SPDX-License-Identifier: Apache-2.0
// Unit tests of base/arena.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/arena.h"

static void memory_is_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 10 << 20);
    unsigned char *v[600];
    for (size_t i = 0; i < 600; i++) {
        v[i] = arena_alloc(&a, i);
        assert_non_null(v[i]);
        assert_int_equal((uintptr_t)v[i] % 16, 0);
        for (size_t k = 0; k < i; k++)
            assert_int_equal(v[i][k], 0);
        memset(v[i], (int)(i & 0xFF), i);
    }
    for (size_t i = 0; i < 600; i++)
        for (size_t k = 0; k < i; k++)
            assert_int_equal(v[i][k], i & 0xFF);
    arena_release(&a);
}

static void large_requests_do_not_spoil_the_small_chunk(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 10 << 20);
    char *first = arena_alloc(&a, 16);
    char *large = arena_alloc(&a, 1 << 20);
    char *second = arena_alloc(&a, 16);
    assert_true(first && large && second);
    assert_true(second - first > 0 && second - first <= 64); // still the same chunk
    memset(large, 1, 1 << 20);
    arena_release(&a);
}

static void the_budget_is_kept_and_exhaustion_sticks(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 160);
    assert_non_null(arena_alloc(&a, 100)); // 112 taken
    assert_null(arena_alloc(&a, 49));
    assert_true(a.exhausted);
    assert_null(arena_alloc(&a, 1)); // would fit, but the result is already incomplete
    assert_null(arena_cstr(&a, STR("x")));
    assert_null(arena_str(&a, STR("x")).p);
    assert_null(arena_fmt(&a, "%d", 1).p);
    arena_reset(&a);
    assert_false(a.exhausted);
    assert_non_null(arena_alloc(&a, 160));
    assert_null(arena_alloc(&a, 0));
    arena_release(&a);
    arena_init(&a, 1 << 20);
    assert_null(arena_array(&a, SIZE_MAX / 2, 3));
    assert_true(a.exhausted);
    arena_reset(&a);
    assert_null(arena_alloc(&a, SIZE_MAX - 3)); // rounding up would wrap
    arena_release(&a);
}

static void copies_end_with_nul_and_keep_absence(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 16);
    struct str copy = arena_str(&a, str_of_n("abcdef", 3));
    assert_true(str_is(copy, "abc") && copy.p[3] == '\0');
    assert_null(arena_str(&a, STR_NONE).p);
    assert_non_null(arena_str(&a, STR("")).p);
    assert_string_equal(arena_cstr(&a, STR_NONE), "");
    assert_true(str_is(arena_fmt(&a, "%s-%d", "run", 7), "run-7"));
    assert_true(str_is(arena_fmt(&a, "%s", ""), ""));
    int *v = arena_new_array(&a, int, 3);
    assert_true(v && v[0] == 0 && v[2] == 0);
    arena_release(&a);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
        cmocka_unit_test(large_requests_do_not_spoil_the_small_chunk),
        cmocka_unit_test(the_budget_is_kept_and_exhaustion_sticks),
        cmocka_unit_test(copies_end_with_nul_and_keep_absence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
