// SPDX-License-Identifier: Apache-2.0
// Open addressing with linear probing. Deletion shifts the following slots back instead of leaving
// tombstones, so a table that lives for months does not silt up.
// Invariant: no free slot lies between a key's home slot and the slot it is in.
#include "base/map.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

enum {
    MAP_FIRST = 16, // slots; always a power of two
    LOAD_NUMERATOR = 3,
    LOAD_DENOMINATOR = 4,
};

void map_init(struct map *m)
{
    *m = (struct map){0};
}

void map_release(struct map *m)
{
    free(m->v);
    *m = (struct map){0};
}

// Identifiers made in the same millisecond share their first six bytes: both halves are mixed (the
// multiplier is that of SplitMix64) and the best-mixed top bits are used.
static size_t home(const struct map *m, struct ulid key)
{
    uint64_t half[2];
    memcpy(half, key.b, sizeof half);
    uint64_t h = (half[0] ^ (half[1] >> 32) ^ (half[1] << 32)) * UINT64_C(0xBF58476D1CE4E5B9);
    h = (h ^ (h >> 29)) * UINT64_C(0x94D049BB133111EB);
    return (size_t)(h >> 32) & (m->cap - 1);
}

// The slot that holds the key, or the free slot where it belongs. The table is never full.
static size_t find(const struct map *m, struct ulid key)
{
    size_t i = home(m, key);
    while (m->v[i].value && !ulid_eq(m->v[i].key, key))
        i = (i + 1) & (m->cap - 1);
    return i;
}

void *map_get(const struct map *m, struct ulid key)
{
    return m->n ? m->v[find(m, key)].value : NULL;
}

static void resize(struct map *m, size_t cap)
{
    struct map bigger = {.cap = cap, .n = m->n, .v = calloc(cap, sizeof *bigger.v)};
    must(bigger.v != NULL);
    for (size_t i = 0; i < m->cap; i++)
        if (m->v[i].value)
            bigger.v[find(&bigger, m->v[i].key)] = m->v[i];
    free(m->v);
    *m = bigger;
}

void *map_put(struct map *m, struct ulid key, void *value)
{
    must(value != NULL);
    if ((m->n + 1) * LOAD_DENOMINATOR > m->cap * LOAD_NUMERATOR)
        resize(m, m->cap ? m->cap * 2 : MAP_FIRST);
    struct map_slot *slot = &m->v[find(m, key)];
    void *replaced = slot->value;
    m->n += replaced == NULL;
    *slot = (struct map_slot){.key = key, .value = value};
    return replaced;
}

void *map_remove(struct map *m, struct ulid key)
{
    if (m->n == 0)
        return NULL;
    size_t mask = m->cap - 1, hole = find(m, key);
    void *removed = m->v[hole].value;
    if (!removed)
        return NULL;
    for (size_t i = (hole + 1) & mask; m->v[i].value; i = (i + 1) & mask) {
        // The slot may fill the hole unless its home lies after the hole (cyclically).
        size_t from_home = (i - home(m, m->v[i].key)) & mask;
        if (from_home >= ((i - hole) & mask)) {
            m->v[hole] = m->v[i];
            hole = i;
        }
    }
    m->v[hole] = (struct map_slot){0};
    m->n--;
    return removed;
}

size_t map_next(const struct map *m, size_t i, void **ret_value)
{
    for (; i < m->cap; i++)
        if (m->v[i].value) {
            *ret_value = m->v[i].value;
            return i + 1;
        }
    return 0;
}

static uint8_t process_key[crypto_shorthash_siphashx24_KEYBYTES];

static void make_process_key(void)
{
    rng_secret(process_key, sizeof process_key);
}

struct ulid map_key(const void *bytes, size_t n)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    must(pthread_once(&once, make_process_key) == 0);
    struct ulid key;
    _Static_assert(crypto_shorthash_siphashx24_BYTES == sizeof key.b, "the hash fills the key");
    (void)crypto_shorthash_siphashx24(key.b, bytes, n, process_key); // cannot fail
    return key;
}
