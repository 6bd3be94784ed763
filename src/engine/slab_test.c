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

static void a_walk_meets_every_object_once_also_while_objects_come_and_go(void **state)
{
    (void)state;
    enum { OBJECTS = 1000, MARK_AT = 8 }; // free objects keep all but their first bytes
    struct slab s;
    unsigned char *v[OBJECTS], *met;
    size_t marked = 0;
    slab_init(&s, 16);
    for (size_t i = 0; i < OBJECTS; i++) {
        v[i] = slab_take(&s);
        v[i][MARK_AT] = 1;
    }
    struct slab_place place = slab_first(&s);
    for (size_t i = 0; (met = slab_walk(&s, &place)) != NULL; i++) {
        marked += met[MARK_AT];
        met[MARK_AT] = 0;
        if (i < OBJECTS / 2)
            slab_give(&s, met);
        else if (i < OBJECTS)
            (void)slab_take(&s);
    }
    assert_int_equal(marked, OBJECTS);
    assert_true(slab_place_end(place));
    assert_null(slab_walk(&s, &place));
    slab_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_zeroed_aligned_and_distinct),
        cmocka_unit_test(a_given_back_object_is_used_again_and_zeroed),
        cmocka_unit_test(a_walk_meets_every_object_once_also_while_objects_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
