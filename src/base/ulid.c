// SPDX-License-Identifier: Apache-2.0
// ULID text and time. 128 bits are written as 26 digits of 5 bits, so the first digit holds only 3.
#include "base/ulid.h"

#include <sodium.h>

enum {
    TIME_BYTES = 6,
    CHANCE_BYTES = 10,
    DIGIT_BITS = 5,
    FIRST_DIGIT_MAX = 7,
    NO_DIGIT = 0xFF,
};
#define TIME_MS_MAX ((INT64_C(1) << 48) - 1)

_Static_assert(crypto_shorthash_siphashx24_BYTES >= CHANCE_BYTES, "enough hash for the random part");

static void put_time(struct ulid *id, struct instant t)
{
    int64_t ms = t.us / US_PER_MS;
    if (ms < 0)
        ms = 0;
    if (ms > TIME_MS_MAX)
        ms = TIME_MS_MAX;
    for (int i = TIME_BYTES - 1; i >= 0; i--) {
        id->b[i] = (uint8_t)(ms & 0xFF);
        ms >>= 8;
    }
}

struct ulid ulid_new(struct instant t, struct rng *rng)
{
    struct ulid id;
    put_time(&id, t);
    uint64_t chance[2] = {rng_u64(rng), rng_u64(rng)};
    memcpy(id.b + TIME_BYTES, chance, CHANCE_BYTES);
    return id;
}

struct ulid ulid_derive(struct instant t, const uint8_t key[static 16], const void *bytes, size_t n)
{
    struct ulid id;
    put_time(&id, t);
    uint8_t hash[crypto_shorthash_siphashx24_BYTES];
    (void)crypto_shorthash_siphashx24(hash, bytes, n, key); // cannot fail
    memcpy(id.b + TIME_BYTES, hash, CHANCE_BYTES);
    return id;
}

// Crockford's alphabet without I, L, O and U. The spec's decoder is strict: look-alikes are not mapped,
// so that one identifier has one spelling (apart from case).
static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static uint8_t digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (uint8_t)(c - '0');
    char upper = (c >= 'a' && c <= 'z') ? (char)(c - ('a' - 'A')) : c;
    if (upper < 'A' || upper > 'Z')
        return NO_DIGIT;
    const char *at = strchr(digits, upper);
    return at ? (uint8_t)(at - digits) : NO_DIGIT;
}

bool ulid_parse(struct str s, struct ulid *ret)
{
    if (s.n != ULID_TEXT_LEN || digit_value(s.p[0]) > FIRST_DIGIT_MAX)
        return false;
    struct ulid id = ULID_ZERO;
    uint32_t bits = digit_value(s.p[0]);
    int have = 3;
    size_t at = 0;
    for (size_t i = 1; i < ULID_TEXT_LEN; i++) {
        uint8_t v = digit_value(s.p[i]);
        if (v == NO_DIGIT)
            return false;
        bits = bits << DIGIT_BITS | v;
        have += DIGIT_BITS;
        if (have >= 8) {
            have -= 8;
            id.b[at++] = (uint8_t)(bits >> have);
        }
    }
    *ret = id;
    return true;
}

const char *ulid_format(struct ulid id, char buf[static ULID_TEXT_MAX])
{
    uint32_t bits = 0;
    int have = 2; // two zero bits in front make 130 = 26 · 5
    size_t n = 0;
    for (size_t i = 0; i < sizeof id.b; i++) {
        bits = bits << 8 | id.b[i];
        have += 8;
        while (have >= DIGIT_BITS) {
            have -= DIGIT_BITS;
            buf[n++] = digits[(bits >> have) & 0x1F];
        }
    }
    buf[n] = '\0';
    return buf;
}

struct instant ulid_time(struct ulid id)
{
    int64_t ms = 0;
    for (int i = 0; i < TIME_BYTES; i++)
        ms = ms << 8 | id.b[i];
    return (struct instant){ms * US_PER_MS};
}
