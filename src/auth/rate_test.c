// SPDX-License-Identifier: Apache-2.0
// Token buckets: rate, burst, keys that do not touch each other, and a table that is flooded.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "auth/rate.h"
#include "base/arena.h"

enum { PER_SECOND = 10, BURST = 20, KEYS = 100000, KEY_CHARS = 32 };
static const struct rate_terms terms = {PER_SECOND, BURST};

static struct mono at(int64_t us) { return (struct mono){1000000000 + us}; }

static void a_bucket_gives_its_burst_and_then_its_rate(void **state)
{
    (void)state;
    struct rate *r = rate_new(&terms);
    for (int i = 0; i < BURST; i++) {
        struct rate_answer one = rate_take(r, STR("a"), 1, at(0));
        assert_true(one.ok);
        assert_int_equal(one.left, BURST - 1 - i);
    }
    struct rate_answer none = rate_take(r, STR("a"), 1, at(0));
    assert_false(none.ok);
    assert_int_equal(none.wait.us, US_PER_S / PER_SECOND);
    assert_int_equal(none.full.us, US_PER_S * BURST / PER_SECOND);
    assert_false(rate_take(r, STR("a"), 1, at(US_PER_S / PER_SECOND - 1)).ok);
    assert_true(rate_take(r, STR("a"), 1, at(US_PER_S / PER_SECOND)).ok);
    int taken = 0;
    for (int64_t us = US_PER_S; us < 11 * US_PER_S; us += US_PER_MS)
        taken += rate_take(r, STR("a"), 1, at(us)).ok;
    assert_in_range(taken, 10 * PER_SECOND, 10 * PER_SECOND + BURST);
    rate_free(r);
}

static void keys_do_not_touch_each_other(void **state)
{
    (void)state;
    struct rate *r = rate_new(&terms);
    assert_true(rate_take(r, STR("a"), BURST, at(0)).ok);
    assert_false(rate_take(r, STR("a"), 1, at(0)).ok);
    assert_true(rate_take(r, STR("b"), BURST, at(0)).ok);
    rate_free(r);
}

static void several_are_taken_together_or_not_at_all(void **state)
{
    (void)state;
    struct rate *r = rate_new(&terms);
    assert_true(rate_take(r, STR("a"), BURST - 1, at(0)).ok);
    assert_false(rate_take(r, STR("a"), 2, at(0)).ok);
    assert_true(rate_take(r, STR("a"), 1, at(0)).ok);
    struct rate_answer never = rate_take(r, STR("c"), BURST + 1, at(0));
    assert_false(never.ok);
    assert_true(never.wait.us > 0);
    rate_free(r);
}

static void made_up_keys_do_not_refill_a_bucket(void **state)
{
    (void)state;
    struct rate *r = rate_new(&terms);
    char text[KEY_CHARS];
    int ok = 0;
    // More keys than places, each drained: whoever comes now finds drained buckets, not fresh ones.
    for (int i = 0; i < KEYS; i++) {
        (void)snprintf(text, sizeof text, "key %d", i);
        ok += rate_take(r, str_of(text), BURST, at(0)).ok;
    }
    assert_in_range(ok, 1, 16 * 64 * 8);
    assert_false(rate_take(r, STR("key 5"), BURST, at(0)).ok);
    // A moment later everything is as before.
    assert_true(rate_take(r, STR("new"), BURST, at(US_PER_S * BURST)).ok);
    rate_free(r);
}

static void without_a_bound_all_is_well(void **state)
{
    (void)state;
    struct rate *r = rate_new(&(struct rate_terms){0, 1});
    for (int i = 0; i < KEYS; i++)
        assert_true(rate_take(r, STR("a"), 1, at(0)).ok);
    rate_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_gives_its_burst_and_then_its_rate),
        cmocka_unit_test(keys_do_not_touch_each_other),
        cmocka_unit_test(several_are_taken_together_or_not_at_all),
        cmocka_unit_test(made_up_keys_do_not_refill_a_bucket),
        cmocka_unit_test(without_a_bound_all_is_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
