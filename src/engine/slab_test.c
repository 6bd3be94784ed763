// SPDX-License-Identifier: Apache-2.0
// Pool of objects of one size.
#include "../tests/sim/bench.h"
#include "engine/slab.h"

static void objects_are_zeroed_aligned_and_distinct(void **state)
{
    (void)state;
    struct slab s;
    unsigned char *v[1000];
    slab_init(&s, 24);
    for (int i = 0; i < 1000; i++) {
        v[i] = slab_take(&s);
        assert_int_equal((uintptr_t)v[i] % 16, 0);
        for (int k = 0; k < 24; k++)
            assert_int_equal(v[i][k], 0);
        memset(v[i], i % 255 + 1, 24);
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(v[i][23], i % 255 + 1);
    assert_int_equal(s.used, 1000);
    slab_release(&s);
}

static void a_given_back_object_is_used_again_and_zeroed(void **state)
{
    (void)state;
    struct slab s;
    slab_init(&s, 8);
    unsigned char *first = slab_take(&s);
    memset(first, 0xff, 8);
    slab_give(&s, first);
    unsigned char *again = slab_take(&s);
    assert_ptr_equal(first, again);
    assert_int_equal(again[0], 0);
    slab_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_zeroed_aligned_and_distinct),
        cmocka_unit_test(a_given_back_object_is_used_again_and_zeroed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
