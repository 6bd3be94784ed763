// SPDX-License-Identifier: Apache-2.0
// Footers of zone files: what is a rule, and the instants it gives.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/time.h"
#include "sched/zone_rule.h"

static int64_t at(int32_t year, int32_t month, int32_t day, int32_t hour, int32_t minute)
{
    return civil_to_s((struct civil){year, month, day, hour, minute, 0});
}

static void footers_are_read_by_the_standard(void **state)
{
    (void)state;
    static const char *const good[] = {"CET-1CEST,M3.5.0,M10.5.0/3",
                                       "<+0330>-3:30",
                                       "EST5EDT,M3.2.0,M11.1.0",
                                       "IST-1GMT0,M10.5.0,M3.5.0/1",
                                       "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
                                       "XXX3EDT4,0/0,J365/23",
                                       "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
                                       "AAA0BBB,J60/167,365/-167"};
    static const char *const bad[] = {"",
                                      "C",
                                      "CE-1",
                                      "CET",
                                      "CET-25",
                                      "CET-1CEST",
                                      "CET-1CEST,M3.5.0",
                                      "CET-1CEST,M13.1.0,M1.1.0",
                                      "CET-1CEST,M3.6.0,M1.1.0",
                                      "CET-1CEST,J0,J1",
                                      "CET-1CEST,366,1",
                                      "CET-1CEST,M3.5.0,M10.5.0 ",
                                      "<CET-1",
                                      "CET-1CEST,M3.5.0/168,M10.5.0",
                                      "ABCDEFGHIJKLMNOPQ-1",
                                      "CET-1:99"};
    struct zone_rule r;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!zone_rule_parse(str_of(good[i]), &r))
            fail_msg("\"%s\" was refused", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (zone_rule_parse(str_of(bad[i]), &r))
            fail_msg("\"%s\" was accepted", bad[i]);
    assert_true(zone_rule_parse(STR("CET-1CEST,M3.5.0,M10.5.0/3"), &r));
    assert_int_equal(zone_rule_begin_s(&r, 2027), at(2027, 3, 28, 1, 0));
    assert_int_equal(zone_rule_end_s(&r, 2027), at(2027, 10, 31, 1, 0));
    assert_true(zone_rule_parse(STR("AAA0BBB,J60/2,59/2"),
                                &r)); // J60 is 1 March always, 59 is 29 February in leap years
    assert_int_equal(zone_rule_begin_s(&r, 2024), at(2024, 3, 1, 2, 0));
    assert_int_equal(zone_rule_end_s(&r, 2024), at(2024, 2, 29, 1, 0));
    assert_int_equal(zone_rule_begin_s(&r, 2023), at(2023, 3, 1, 2, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(footers_are_read_by_the_standard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
