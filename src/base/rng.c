// SPDX-License-Identifier: Apache-2.0
// xoshiro256** (Blackman and Vigna 2018) seeded by SplitMix64 for what must replay, libsodium for what
// must not be guessed. Never use the first for anything secret: four outputs reveal its state.
#include "base/rng.h"

#include <pthread.h>
#include <sodium.h>

#include "base/err.h"

_Static_assert(crypto_shorthash_siphash24_BYTES == sizeof(uint64_t), "one word of hash");
_Static_assert(crypto_shorthash_siphash24_KEYBYTES == 16, "the key length promised in the header");

static uint64_t rotate_left(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

void rng_init(struct rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        r->s[i] = splitmix(&seed);
}

void rng_init_random(struct rng *r)
{
    uint64_t seed;
    rng_secret(&seed, sizeof seed);
    rng_init(r, seed);
}

uint64_t rng_u64(struct rng *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

// Lemire 2019, "Fast Random Integer Generation in an Interval": the high half of a product, with the
// few low halves refused that would favour some values.
uint64_t rng_below(struct rng *r, uint64_t n)
{
    must(n > 0);
    unsigned __int128 product = (unsigned __int128)rng_u64(r) * n;
    if ((uint64_t)product < n) {
        uint64_t refused = (0 - n) % n;
        while ((uint64_t)product < refused)
            product = (unsigned __int128)rng_u64(r) * n;
    }
    return (uint64_t)(product >> 64);
}

double rng_unit(struct rng *r)
{
    enum { DOUBLE_BITS = 53 };
    return (double)(rng_u64(r) >> (64 - DOUBLE_BITS)) * 0x1p-53;
}

static void sodium_start(void)
{
    must(sodium_init() >= 0);
}

void rng_secret(void *buf, size_t n)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    must(pthread_once(&once, sodium_start) == 0);
    randombytes_buf(buf, n);
}

uint64_t hash_bytes(const uint8_t key[static 16], const void *bytes, size_t n)
{
    uint8_t out[crypto_shorthash_siphash24_BYTES];
    (void)crypto_shorthash_siphash24(out, bytes, n, key); // cannot fail
    uint64_t hash = 0;
    for (size_t i = sizeof out; i > 0; i--) // little-endian on every machine
        hash = hash << 8 | out[i - 1];
    return hash;
}
