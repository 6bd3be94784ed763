// SPDX-License-Identifier: Apache-2.0
// Unit tests of base/ulid.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/ulid.h"

static void text_and_bytes_are_one_to_one(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 3);
    for (int i = 0; i < 20000; i++) {
        struct ulid id, back;
        uint64_t half[2] = {rng_u64(&rng), rng_u64(&rng)};
        memcpy(id.b, half, sizeof id.b);
        char text[ULID_TEXT_MAX];
        assert_int_equal(strlen(ulid_format(id, text)), ULID_TEXT_LEN);
        assert_true(ulid_parse(str_of(text), &back) && ulid_eq(id, back));
        for (char *c = text; *c; c++)
            if (*c >= 'A')
                *c = (char)(*c + 32);
        assert_true(ulid_parse(str_of(text), &back) && ulid_eq(id, back));
    }
}

static void the_example_of_the_specification_is_read(void **state)
{
    (void)state;
    struct ulid id;
    char text[ULID_TEXT_MAX];
    assert_true(ulid_parse(STR("01ARZ3NDEKTSV4RRFFQ69G5FAV"), &id));
    assert_string_equal(ulid_format(id, text), "01ARZ3NDEKTSV4RRFFQ69G5FAV");
    assert_true(ulid_time(id).us == INT64_C(1469922850259) * US_PER_MS);
    assert_true(ulid_parse(STR("7ZZZZZZZZZZZZZZZZZZZZZZZZZ"), &id));
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(id.b[i], 0xFF);
    assert_true(ulid_parse(STR("00000000000000000000000000"), &id) && ulid_is_zero(id));
}

static void what_is_not_a_ulid_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "", "01ARZ3NDEKTSV4RRFFQ69G5FA", "01ARZ3NDEKTSV4RRFFQ69G5FAVV", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
        "01ARZ3NDEKTSV4RRFFQ69G5FAI", "01ARZ3NDEKTSV4RRFFQ69G5FAL", "01ARZ3NDEKTSV4RRFFQ69G5FAO",
        "01ARZ3NDEKTSV4RRFFQ69G5FAU", "01ARZ3NDEKTSV4RRFFQ69G5FA-", "U1ARZ3NDEKTSV4RRFFQ69G5FAV",
        "01ARZ3NDEKTSV4RRFFQ69G5FA\xC3",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ulid id = {{42}};
        assert_false(ulid_parse(str_of(cases[i]), &id));
        assert_int_equal(id.b[0], 42);
    }
    struct ulid id;
    assert_false(ulid_parse(STR("01ARZ3NDEKTSV4RRFFQ69G5FA\0"), &id));
}

static void identifiers_sort_by_time_as_bytes_and_as_text(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 4);
    struct ulid last = ulid_new(instant_s(0), &rng);
    char a[ULID_TEXT_MAX], b[ULID_TEXT_MAX];
    for (int64_t ms = 1; ms < INT64_C(1) << 47; ms = ms * 3 / 2 + 1) {
        struct instant t = {ms * US_PER_MS + 999};
        struct ulid next = ulid_new(t, &rng);
        assert_true(ulid_cmp(last, next) < 0);
        assert_true(strcmp(ulid_format(last, a), ulid_format(next, b)) < 0);
        assert_true(ulid_time(next).us == ms * US_PER_MS);
        last = next;
    }
    assert_true(ulid_time(ulid_new((struct instant){-5}, &rng)).us == 0);
    assert_true(ulid_time(ulid_new(INSTANT_NEVER, &rng)).us == ((INT64_C(1) << 48) - 1) * US_PER_MS);
    struct ulid x = ulid_new(instant_s(9), &rng), y = ulid_new(instant_s(9), &rng);
    assert_false(ulid_eq(x, y));
}

static void derived_identifiers_depend_on_every_input(void **state)
{
    (void)state;
    uint8_t key[16] = {1}, other[16] = {2};
    struct ulid id = ulid_derive(instant_s(5), key, "job", 3);
    assert_true(ulid_eq(id, ulid_derive(instant_s(5), key, "job", 3)));
    assert_true(ulid_time(id).us == 5 * US_PER_S);
    assert_false(ulid_eq(id, ulid_derive(instant_s(6), key, "job", 3)));
    assert_false(ulid_eq(id, ulid_derive(instant_s(5), other, "job", 3)));
    assert_false(ulid_eq(id, ulid_derive(instant_s(5), key, "joc", 3)));
    assert_false(ulid_eq(id, ulid_derive(instant_s(5), key, "job", 2)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_and_bytes_are_one_to_one),
        cmocka_unit_test(the_example_of_the_specification_is_read),
        cmocka_unit_test(what_is_not_a_ulid_is_refused),
        cmocka_unit_test(identifiers_sort_by_time_as_bytes_and_as_text),
        cmocka_unit_test(derived_identifiers_depend_on_every_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
