// SPDX-License-Identifier: Apache-2.0
// A sealed value opens under its own key and name, and in no other way.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "auth/seal.h"

enum { ARENA_BUDGET = 64 * 1024 };
static const uint8_t KEY[SEAL_KEY_BYTES] = {1, 2, 3}, OTHER[SEAL_KEY_BYTES] = {1, 2, 4};

static void what_was_sealed_opens(void **state)
{
    struct arena *a = *state;
    static const struct str values[] = {STR_INIT(""), STR_INIT("x"), STR_INIT("0 3 17 ada@example.org")};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct str back, sealed = seal(KEY, STR("place"), values[i], a),
                         again = seal(KEY, STR("place"), values[i], a);
        assert_int_equal(sealed.n, values[i].n + SEAL_EXTRA_BYTES);
        assert_false(str_eq(sealed, again));
        assert_true(seal_open(KEY, STR("place"), sealed, &back, a));
        assert_true(str_eq(back, values[i]));
    }
}

static void another_key_or_place_does_not_open_it(void **state)
{
    struct arena *a = *state;
    struct str back, sealed = seal(KEY, STR("place"), STR("secret"), a);
    assert_false(seal_open(OTHER, STR("place"), sealed, &back, a));
    assert_false(seal_open(KEY, STR("elsewhere"), sealed, &back, a));
    assert_true(seal_open(KEY, STR("place"), sealed, &back, a));
}

static void no_byte_can_be_changed_or_left_out(void **state)
{
    struct arena *a = *state;
    struct str back, sealed = seal(KEY, STR("place"), STR("secret"), a);
    for (size_t i = 0; i < sealed.n; i++) {
        char *p = arena_cstr(a, sealed);
        p[i] = (char)(p[i] ^ 1);
        assert_false(seal_open(KEY, STR("place"), str_of_n(p, sealed.n), &back, a));
        assert_false(seal_open(KEY, STR("place"), str_of_n(sealed.p, i), &back, a));
    }
}

static int arena_open(void **state)
{
    static struct arena a;
    arena_init(&a, ARENA_BUDGET);
    *state = &a;
    return 0;
}

static int arena_close(void **state)
{
    arena_release(*state);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, arena_open, arena_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_sealed_opens),
        TEST(another_key_or_place_does_not_open_it),
        TEST(no_byte_can_be_changed_or_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
