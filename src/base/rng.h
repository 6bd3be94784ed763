// SPDX-License-Identifier: Apache-2.0
// Random numbers: a seeded generator (xoshiro256**) for everything that must replay, and the
// system's generator for everything that must not be guessed.
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng { uint64_t s[4]; };

void rng_init(struct rng *r, uint64_t seed);         // the same seed gives the same sequence
void rng_init_random(struct rng *r);                 // seeded by the system
uint64_t rng_u64(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t n);       // uniform in 0 … n−1, n > 0
double rng_unit(struct rng *r);                      // 0 ≤ x < 1
void rng_secret(void *buf, size_t n);                // cryptographic (libsodium randombytes)
// SipHash-2-4 of n bytes; a stable hash for jitter, H fields and sharding.
uint64_t hash_bytes(const uint8_t key[static 16], const void *bytes, size_t n);

#endif
