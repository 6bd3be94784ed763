// SPDX-License-Identifier: Apache-2.0
// Unit tests of base/clock.h: the virtual clock.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/clock.h"

static void the_virtual_clock_moves_only_when_told(void **state)
{
    (void)state;
    struct clock_virtual v;
    clock_virtual_init(&v, instant_s(1000));
    const struct clock *c = &v.base;
    assert_true(clock_now(c).us == 1000 * US_PER_S && clock_mono(c).us == 0);
    clock_virtual_advance(&v, duration_ms(1500));
    assert_true(clock_now(c).us == 1001500 * US_PER_MS && clock_mono(c).us == 1500 * US_PER_MS);
    clock_virtual_step(&v, duration_s(-3600));
    assert_true(clock_now(c).us == (1001500 - 3600000) * US_PER_MS);
    assert_true(clock_mono(c).us == 1500 * US_PER_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_virtual_clock_moves_only_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
