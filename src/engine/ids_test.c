// SPDX-License-Identifier: Apache-2.0
// A growing list of identifiers.
#include "../tests/sim/bench.h"
#include "engine/ids.h"

static struct ulid id(int i) { return (struct ulid){.b = {(uint8_t)(i >> 8), (uint8_t)i}}; }

static void a_list_grows_shifts_and_moves(void **state)
{
    (void)state;
    struct ids a = {0}, b = {0};
    for (int i = 0; i < 1000; i++) {
        struct ulid v = id(i);
        ids_add(&a, &v, 1);
    }
    ids_shift(&a, 400);
    assert_int_equal(a.n, 600);
    assert_true(ulid_eq(a.v[0], id(400)));
    ids_move(&b, &a);
    assert_int_equal(a.n, 0);
    assert_int_equal(b.n, 600);
    assert_true(ulid_eq(b.v[599], id(999)));
    ids_shift(&b, 600);
    assert_int_equal(b.n, 0);
    ids_release(&a);
    ids_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_list_grows_shifts_and_moves)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
