// SPDX-License-Identifier: Apache-2.0
// Hash map from a 16-byte key (an identifier, or hash_key128 of anything) to a pointer.
// Open addressing, linear probing with backward-shift deletion; 24 bytes a slot. Not thread-safe.
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/ulid.h"

struct map_slot {
    struct ulid key;
    void *value; // NULL = free
};
struct map {
    struct map_slot *v;
    size_t n, cap;
};

void map_init(struct map *m);
void map_release(struct map *m); // frees the table, not the values
void *map_get(const struct map *m, struct ulid key);
// Stores a non-NULL value; returns the one it replaces, or NULL. Aborts when out of memory.
void *map_put(struct map *m, struct ulid key, void *value);
void *map_remove(struct map *m, struct ulid key); // the removed value, or NULL
// Iteration in no order: `for (size_t i = 0; (i = map_next(m, i, &v));)`; no change meanwhile.
size_t map_next(const struct map *m, size_t i, void **ret_value);
// A 128-bit key for any bytes (SipHash-2-4-128 under a per-process random key).
struct ulid map_key(const void *bytes, size_t n);

#endif
