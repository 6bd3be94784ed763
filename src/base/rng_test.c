// SPDX-License-Identifier: Apache-2.0
// Unit tests of base/rng.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/rng.h"

#include <string.h>

// SplitMix64 of 0 seeds the state; the outputs follow from the published xoshiro256** step.
static void the_sequence_is_the_published_one(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 0);
    assert_true(r.s[0] == UINT64_C(0xE220A8397B1DCDAF) && r.s[1] == UINT64_C(0x6E789E6AA1B965F4));
    assert_true(r.s[2] == UINT64_C(0x06C45D188009454F) && r.s[3] == UINT64_C(0xF88BB8A8724C81EC));
    struct rng known = {{1, 2, 3, 4}};
    static const uint64_t want[] = {11520, 0, 1509978240, UINT64_C(1215971899390074240)};
    for (size_t i = 0; i < 4; i++)
        assert_true(rng_u64(&known) == want[i]);
}

static void the_same_seed_gives_the_same_sequence(void **state)
{
    (void)state;
    struct rng a, b, c;
    rng_init(&a, 5);
    rng_init(&b, 5);
    rng_init(&c, 6);
    int same = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t x = rng_u64(&a);
        assert_true(x == rng_u64(&b));
        same += x == rng_u64(&c);
    }
    assert_int_equal(same, 0);
    rng_init_random(&a);
    rng_init_random(&b);
    assert_false(rng_u64(&a) == rng_u64(&b));
}

static void numbers_below_a_bound_are_uniform(void **state)
{
    (void)state;
    enum { SIDES = 6, THROWS = 60000 };
    struct rng r;
    int count[SIDES] = {0};
    rng_init(&r, 9);
    for (int i = 0; i < THROWS; i++) {
        uint64_t v = rng_below(&r, SIDES);
        assert_true(v < SIDES);
        count[v]++;
    }
    for (int i = 0; i < SIDES; i++) // ±5 standard deviations
        assert_in_range(count[i], 9540, 10460);
    assert_true(rng_below(&r, 1) == 0);
    uint64_t large = UINT64_C(3) << 62, above_half = 0;
    for (int i = 0; i < 3000; i++) {
        uint64_t v = rng_below(&r, large);
        assert_true(v < large);
        above_half += v >= large / 2;
    }
    assert_in_range(above_half, 1350, 1650);
    for (int i = 0; i < 1000; i++) {
        double u = rng_unit(&r);
        assert_true(u >= 0 && u < 1);
    }
}

static void secrets_fill_the_buffer(void **state)
{
    (void)state;
    uint8_t a[64] = {0}, b[64] = {0};
    rng_secret(a, sizeof a);
    rng_secret(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    uint8_t seen = 0;
    for (size_t i = 0; i < sizeof a; i++)
        seen |= a[i];
    assert_int_not_equal(seen, 0);
}

// Vectors of the SipHash paper's reference code (key 00 … 0F, input 00 01 … n−1).
static void the_hash_is_siphash_2_4(void **state)
{
    (void)state;
    uint8_t key[16], input[16];
    for (uint8_t i = 0; i < 16; i++)
        key[i] = input[i] = i;
    assert_true(hash_bytes(key, input, 0) == UINT64_C(0x726FDB47DD0E0E31));
    assert_true(hash_bytes(key, input, 15) == UINT64_C(0xA129CA6149BE45E5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sequence_is_the_published_one),
        cmocka_unit_test(the_same_seed_gives_the_same_sequence),
        cmocka_unit_test(numbers_below_a_bound_are_uniform),
        cmocka_unit_test(secrets_fill_the_buffer),
        cmocka_unit_test(the_hash_is_siphash_2_4),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
