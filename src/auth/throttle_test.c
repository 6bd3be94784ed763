// SPDX-License-Identifier: Apache-2.0
// The bound on failed sign-ins holds in every window, for every way an attacker could try around it, and
// slows nobody else down. Time is a number here, so hours pass at once.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "auth/throttle.h"

static const struct instant START = {INT64_C(1790000000) * 1000000};

static struct instant at(int64_t s)
{
    return instant_add(START, duration_s(s));
}

static int64_t take(struct throttle *t, const char *account, const char *address, int64_t s)
{
    return throttle_take(t, str_of(account), str_of(address), at(s)).us / US_PER_S;
}

static void the_eleventh_try_on_an_account_waits(void **state)
{
    (void)state;
    struct throttle *t = throttle_new();
    char address[32];
    for (int i = 0; i < THROTTLE_ACCOUNT_MAX; i++) {
        (void)snprintf(address, sizeof address, "10.0.0.%d", i);
        assert_int_equal(take(t, "a@x", address, i), 0);
    }
    int64_t wait = take(t, "a@x", "10.0.1.1", 20);
    assert_true(wait > THROTTLE_WINDOW_S - 60 && wait <= THROTTLE_WINDOW_S + 60);
    assert_true(take(t, "a@x", "10.0.1.1", 20 + wait - 1) > 0);
    assert_int_equal(take(t, "a@x", "10.0.1.1", 20 + wait), 0);
    throttle_free(t);
}

static void no_window_of_fifteen_minutes_sees_more_than_ten_tries(void **state)
{
    (void)state;
    struct throttle *t = throttle_new();
    enum { HORIZON_S = 4 * 3600, TAKEN_MAX = 400 };
    int64_t taken[TAKEN_MAX];
    size_t n = 0;
    // Tries as often as it may, with an uneven step so that minutes and tries drift against each other.
    for (int64_t s = 0; s < HORIZON_S; s += 7)
        if (take(t, "a@x", "10.0.0.1", s) == 0)
            taken[n++] = s;
    assert_true(n > THROTTLE_ACCOUNT_MAX * 10);
    for (size_t i = THROTTLE_ACCOUNT_MAX; i < n; i++)
        assert_true(taken[i] - taken[i - THROTTLE_ACCOUNT_MAX] >= THROTTLE_WINDOW_S);
    throttle_free(t);
}

static void other_accounts_from_other_addresses_are_not_slowed(void **state)
{
    (void)state;
    struct throttle *t = throttle_new();
    while (take(t, "victim@x", "10.0.0.1", 0) == 0)
        ;
    assert_int_equal(take(t, "other@x", "10.0.0.2", 0), 0);
    assert_int_equal(take(t, "other@x", "10.0.0.1", 0), 0);
    throttle_free(t);
}

static void one_address_may_not_try_accounts_without_end(void **state)
{
    (void)state;
    struct throttle *t = throttle_new();
    char account[32];
    int n = 0;
    for (int i = 0; i < THROTTLE_ADDRESS_MAX * 2; i++) {
        (void)snprintf(account, sizeof account, "u%d@x", i);
        n += take(t, account, "10.0.0.1", i / 10) == 0;
    }
    assert_int_equal(n, THROTTLE_ADDRESS_MAX);
    throttle_free(t);
}

static void addresses_of_one_ipv6_site_count_together(void **state)
{
    (void)state;
    struct throttle *t = throttle_new();
    char account[32], address[64];
    int n = 0;
    for (int i = 0; i < THROTTLE_ADDRESS_MAX * 2; i++) {
        (void)snprintf(account, sizeof account, "u%d@x", i);
        (void)snprintf(address, sizeof address, "2001:db8:1:2:%x::%x", i, i);
        n += take(t, account, address, 0) == 0;
    }
    assert_int_equal(n, THROTTLE_ADDRESS_MAX);
    assert_int_equal(take(t, "z@x", "2001:db8:1:3::1", 0), 0);
    throttle_free(t);
}

static void a_good_sign_in_is_not_counted(void **state)
{
    (void)state;
    struct throttle *t = throttle_new();
    for (int i = 0; i < THROTTLE_ADDRESS_MAX * 3; i++) {
        assert_int_equal(take(t, "a@x", "10.0.0.1", 0), 0);
        throttle_give_back(t, STR("a@x"), STR("10.0.0.1"), at(0));
    }
    throttle_free(t);
}

static void filling_the_table_does_not_free_a_victim(void **state)
{
    (void)state;
    struct throttle *t = throttle_new();
    char account[32], address[32];
    for (int i = 0; i < THROTTLE_ACCOUNT_MAX; i++)
        assert_int_equal(take(t, "victim@x", "10.0.0.1", 0), 0);
    enum { MADE_UP = 200000 };
    for (int i = 0; i < MADE_UP; i++) {
        (void)snprintf(account, sizeof account, "m%d@x", i);
        (void)snprintf(address, sizeof address, "10.%d.%d.%d", 1 + i / 65536, i / 256 % 256, i % 256);
        (void)take(t, account, address, i / 400);
    }
    assert_true(take(t, "victim@x", "192.0.2.1", MADE_UP / 400) > 0);
    throttle_free(t);
}

static void what_the_hashes_allow_locks_nobody_else_out(void **state)
{
    (void)state;
    struct throttle *t = throttle_new();
    char account[32], address[32];
    enum { JUDGED_MAX = 120000, PEOPLE = 2000 };
    for (int i = 0; i < JUDGED_MAX; i++) {
        (void)snprintf(account, sizeof account, "m%d@x", i);
        (void)snprintf(address, sizeof address, "10.%d.%d.%d", 1 + i / 65536, i / 256 % 256, i % 256);
        (void)take(t, account, address, i * (int64_t)THROTTLE_WINDOW_S / JUDGED_MAX);
    }
    for (int i = 0; i < PEOPLE; i++) {
        (void)snprintf(account, sizeof account, "person%d@y", i);
        (void)snprintf(address, sizeof address, "192.0.%d.%d", i / 256, i % 256);
        assert_int_equal(take(t, account, address, THROTTLE_WINDOW_S), 0);
        throttle_give_back(t, str_of(account), str_of(address), at(THROTTLE_WINDOW_S));
    }
    throttle_free(t);
}

static void a_clock_that_goes_back_neither_frees_nor_locks_for_ever(void **state)
{
    (void)state;
    struct throttle *t = throttle_new();
    while (take(t, "a@x", "10.0.0.1", 86400) == 0)
        ;
    assert_true(take(t, "a@x", "10.0.0.1", 86400 - 300) > 0);
    assert_true(take(t, "a@x", "10.0.0.1", 0) > 0);
    assert_int_equal(take(t, "a@x", "10.0.0.1", THROTTLE_WINDOW_S + 60), 0);
    throttle_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_eleventh_try_on_an_account_waits),
        cmocka_unit_test(no_window_of_fifteen_minutes_sees_more_than_ten_tries),
        cmocka_unit_test(other_accounts_from_other_addresses_are_not_slowed),
        cmocka_unit_test(one_address_may_not_try_accounts_without_end),
        cmocka_unit_test(addresses_of_one_ipv6_site_count_together),
        cmocka_unit_test(a_good_sign_in_is_not_counted),
        cmocka_unit_test(filling_the_table_does_not_free_a_victim),
        cmocka_unit_test(what_the_hashes_allow_locks_nobody_else_out),
        cmocka_unit_test(a_clock_that_goes_back_neither_frees_nor_locks_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
