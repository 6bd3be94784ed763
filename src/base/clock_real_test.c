// SPDX-License-Identifier: Apache-2.0
// Unit tests of base/clock.h: the real clock.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/clock.h"

static void the_real_clock_knows_the_century_and_does_not_go_back(void **state)
{
    (void)state;
    const struct clock *c = clock_real();
    assert_true(clock_now(c).us > civil_to_days(2024, 1, 1) * S_PER_DAY * US_PER_S);
    struct mono last = clock_mono(c);
    for (int i = 0; i < 1000; i++) {
        struct mono next = clock_mono(c);
        assert_true(next.us >= last.us);
        last = next;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_real_clock_knows_the_century_and_does_not_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
