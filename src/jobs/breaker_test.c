// SPDX-License-Identifier: Apache-2.0
// The rules of one circuit breaker in virtual time: when it opens, how long it waits, who may probe.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "jobs/breaker.h"

static struct mono at_s(int64_t s) { return (struct mono){s * US_PER_S}; }

static struct breaker opened_at(int64_t s)
{
    struct breaker b;
    breaker_init(&b, at_s(s));
    for (int i = 0; i < BREAKER_FAILURES; i++)
        assert_int_equal(breaker_judge(&b, VERDICT_DOWN, at_s(s)), i == BREAKER_FAILURES - 1);
    assert_int_equal(b.state, BREAKER_OPEN);
    return b;
}

static void test_failures_in_a_row_open(void **state)
{
    (void)state;
    struct breaker b;
    breaker_init(&b, at_s(0));
    for (int round = 0; round < 3; round++) { // an answer between starts the count again
        for (int i = 0; i < BREAKER_FAILURES - 1; i++)
            assert_false(breaker_judge(&b, VERDICT_DOWN, at_s(round * 1000 + i)));
        assert_false(
            breaker_judge(&b, round == 1 ? VERDICT_FAULT : VERDICT_ANSWER, at_s(round * 1000 + 500)));
    }
    for (int i = 0; i < BREAKER_FAILURES - 1; i++) { // what says nothing does not
        assert_false(breaker_judge(&b, VERDICT_DOWN, at_s(5000 + i * 100)));
        assert_false(breaker_judge(&b, VERDICT_NONE, at_s(5000 + i * 100)));
    }
    assert_true(breaker_judge(&b, VERDICT_DOWN, at_s(6000)));
    assert_int_equal(b.state, BREAKER_OPEN);
    assert_int_equal(b.since.us, at_s(6000).us);
    assert_int_equal(b.until.us, at_s(6000 + BREAKER_WAIT_S).us);
}

static void test_half_of_twenty_opens(void **state)
{
    (void)state;
    struct breaker b;
    breaker_init(&b, at_s(0));
    for (int i = 0; i < BREAKER_CALLS - 1; i++)
        assert_false(breaker_judge(&b, i % 2 ? VERDICT_FAULT : VERDICT_ANSWER, at_s(i)));
    assert_true(breaker_judge(&b, VERDICT_FAULT, at_s(BREAKER_CALLS)));
    assert_int_equal(b.state, BREAKER_OPEN);

    breaker_init(&b, at_s(0)); // one less than half, for ever
    for (int i = 0; i < 10 * BREAKER_CALLS; i++)
        assert_false(breaker_judge(&b, i % BREAKER_CALLS < 9 ? VERDICT_FAULT : VERDICT_ANSWER, at_s(0)));

    breaker_init(&b, at_s(0)); // good ones before do not help
    for (int i = 0; i < 100; i++)
        assert_false(breaker_judge(&b, VERDICT_ANSWER, at_s(1)));
    for (int i = 0; i < 9; i++)
        assert_false(breaker_judge(&b, VERDICT_FAULT, at_s(1)));
    assert_true(breaker_judge(&b, VERDICT_FAULT, at_s(1)));
}

static void test_window(void **state)
{
    (void)state;
    struct breaker b;
    breaker_init(&b, at_s(0));
    assert_false(breaker_judge(&b, VERDICT_FAULT, at_s(0)));
    for (int i = 1; i < BREAKER_CALLS; i++) // the twentieth comes when the first is too old
        assert_false(
            breaker_judge(&b, VERDICT_FAULT, at_s(i == BREAKER_CALLS - 1 ? BREAKER_WINDOW_S + 1 : 1)));
    assert_true(breaker_judge(&b, VERDICT_FAULT, at_s(BREAKER_WINDOW_S + 1)));

    breaker_init(&b, at_s(0)); // slow failures never open
    for (int i = 0; i < 200; i++)
        assert_false(breaker_judge(&b, VERDICT_FAULT, at_s(i * 4)));
}

static void test_open_refuses_until_the_probe(void **state)
{
    (void)state;
    struct breaker b = opened_at(100);
    assert_int_equal(breaker_ask(&b, at_s(100)), BREAKER_REFUSE);
    assert_int_equal(breaker_ask(&b, (struct mono){at_s(130).us - 1}), BREAKER_REFUSE);
    assert_int_equal(breaker_ask(&b, at_s(130)), BREAKER_PROBE);
    assert_false(breaker_judge(&b, VERDICT_ANSWER, at_s(110))); // let through before it opened
    breaker_probe(&b, at_s(130), duration_s(40));
    assert_int_equal(b.state, BREAKER_HALF_OPEN);
    assert_int_equal(breaker_ask(&b, at_s(131)), BREAKER_REFUSE); // one only
    assert_int_equal(breaker_ask(&b, at_s(170)), BREAKER_PROBE);  // unless it was never heard of
    assert_true(breaker_judge(&b, VERDICT_ANSWER, at_s(140)));
    assert_int_equal(b.state, BREAKER_CLOSED);
    assert_int_equal(breaker_ask(&b, at_s(140)), BREAKER_PASS);
    assert_int_equal(b.opens, 0);
    assert_int_equal(b.failures, 0);
}

static void test_failed_probes_wait_twice_as_long(void **state)
{
    (void)state;
    static const int64_t waits[] = {30, 60, 120, 240, 480, 600, 600, 600};
    struct breaker b = opened_at(0);
    int64_t now = 0;
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        assert_int_equal(mono_since(b.until, at_s(now)).us, duration_s(waits[i]).us);
        now += waits[i];
        breaker_probe(&b, at_s(now), duration_s(60));
        assert_true(breaker_judge(&b, i % 2 ? VERDICT_DOWN : VERDICT_FAULT, at_s(now)));
        assert_int_equal(b.state, BREAKER_OPEN);
    }
    breaker_probe(&b, at_s(now + 600), duration_s(60));
    assert_true(breaker_judge(&b, VERDICT_ANSWER, at_s(now + 601)));
    for (int i = 0; i < BREAKER_FAILURES; i++) // what was before is forgotten
        (void)breaker_judge(&b, VERDICT_DOWN, at_s(now + 700));
    assert_int_equal(mono_since(b.until, at_s(now + 700)).us, duration_s(30).us);
}

static void test_probe_without_a_word(void **state)
{
    (void)state;
    struct breaker b = opened_at(0);
    breaker_probe(&b, at_s(30), duration_s(60));
    assert_true(breaker_judge(&b, VERDICT_NONE, at_s(35))); // cancelled: the next call is the probe
    assert_int_equal(b.state, BREAKER_OPEN);
    assert_int_equal(breaker_ask(&b, at_s(35)), BREAKER_PROBE);
    assert_int_equal(b.opens, 1);
}

static void test_waits_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(breaker_wait(0).us, duration_s(30).us);
    assert_int_equal(breaker_wait(1).us, duration_s(30).us);
    assert_int_equal(breaker_wait(INT64_MAX).us, duration_s(600).us);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failures_in_a_row_open),
        cmocka_unit_test(test_half_of_twenty_opens),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_open_refuses_until_the_probe),
        cmocka_unit_test(test_failed_probes_wait_twice_as_long),
        cmocka_unit_test(test_probe_without_a_word),
        cmocka_unit_test(test_waits_are_bounded),
    };
    return cmocka_run_group_tests_name("jobs/breaker", tests, NULL, NULL);
}
