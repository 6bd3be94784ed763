// SPDX-License-Identifier: Apache-2.0
// Unit tests of base/map.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/map.h"

enum { KEYS = 700, STEPS = 200000 };

static struct ulid key_of(size_t i)
{
    struct rng rng;
    rng_init(&rng, i);
    return ulid_new(instant_s(1), &rng); // one millisecond: equal first bytes
}

static void every_operation_agrees_with_a_plain_array(void **state)
{
    (void)state;
    static void *model[KEYS];
    static char values[16];
    struct map m;
    struct rng rng;
    rng_init(&rng, 21);
    map_init(&m);
    size_t n = 0;
    for (int step = 0; step < STEPS; step++) {
        size_t k = rng_below(&rng, KEYS);
        bool mostly_put = step / 20000 % 2 == 0; // the table fills and empties in turn
        if (rng_below(&rng, 4) < (mostly_put ? 3u : 1u)) {
            void *value = &values[rng_below(&rng, sizeof values)];
            assert_ptr_equal(map_put(&m, key_of(k), value), model[k]);
            n += model[k] == NULL;
            model[k] = value;
        } else {
            assert_ptr_equal(map_remove(&m, key_of(k)), model[k]);
            n -= model[k] != NULL;
            model[k] = NULL;
        }
        size_t other = rng_below(&rng, KEYS);
        assert_ptr_equal(map_get(&m, key_of(other)), model[other]);
        assert_int_equal(m.n, n);
    }
    for (size_t k = 0; k < KEYS; k++)
        assert_ptr_equal(map_get(&m, key_of(k)), model[k]);
    map_release(&m);
}

static void iteration_visits_each_value_once(void **state)
{
    (void)state;
    static char values[KEYS];
    struct map m;
    map_init(&m);
    void *v;
    assert_int_equal(map_next(&m, 0, &v), 0);
    assert_null(map_remove(&m, key_of(1)));
    for (size_t k = 0; k < KEYS; k++)
        assert_null(map_put(&m, key_of(k), &values[k]));
    size_t visits = 0;
    for (size_t i = 0; (i = map_next(&m, i, &v));) {
        (*(char *)v)++;
        visits++;
    }
    assert_int_equal(visits, KEYS);
    for (size_t k = 0; k < KEYS; k++)
        assert_int_equal(values[k], 1);
    map_release(&m);
}

static void the_zero_key_is_a_key_like_others(void **state)
{
    (void)state;
    struct map m;
    char value;
    map_init(&m);
    assert_null(map_get(&m, ULID_ZERO));
    assert_null(map_put(&m, ULID_ZERO, &value));
    assert_ptr_equal(map_get(&m, ULID_ZERO), &value);
    assert_ptr_equal(map_remove(&m, ULID_ZERO), &value);
    assert_null(map_get(&m, ULID_ZERO));
    map_release(&m);
}

static void keys_of_bytes_differ_by_content(void **state)
{
    (void)state;
    assert_true(ulid_eq(map_key("abc", 3), map_key("abc", 3)));
    assert_false(ulid_eq(map_key("abc", 3), map_key("abd", 3)));
    assert_false(ulid_eq(map_key("abc", 3), map_key("abc", 2)));
    assert_true(ulid_eq(map_key("", 0), map_key("x", 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation_agrees_with_a_plain_array),
        cmocka_unit_test(iteration_visits_each_value_once),
        cmocka_unit_test(the_zero_key_is_a_key_like_others),
        cmocka_unit_test(keys_of_bytes_differ_by_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
