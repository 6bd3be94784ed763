// SPDX-License-Identifier: Apache-2.0
// Identity and words of circuit breakers.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/breaker.h"

static void ids_follow_from_the_target(void **state)
{
    (void)state;
    char text[ULID_TEXT_MAX];
    // For ever: nodes of other versions must find the same row.
    assert_string_equal(ulid_format(breaker_id(STR("http://one:80")), text), "0000000000D3M37G302SVZB4YM");
    assert_false(ulid_eq(breaker_id(STR("http://one:80")), breaker_id(STR("http://one:81"))));
}

static void every_state_has_a_word(void **state)
{
    (void)state;
    assert_int_equal(field_enum_find(breaker_state_names, STR("CLOSED")), BREAKER_CLOSED);
    assert_int_equal(field_enum_find(breaker_state_names, STR("HALF_OPEN")), BREAKER_HALF_OPEN);
    assert_null(breaker_state_names[BREAKER_HALF_OPEN + 1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_follow_from_the_target),
        cmocka_unit_test(every_state_has_a_word),
    };
    return cmocka_run_group_tests_name("model/breaker", tests, NULL, NULL);
}
