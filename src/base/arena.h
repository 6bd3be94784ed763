// SPDX-License-Identifier: Apache-2.0
// Bump allocator: one per request and per run, freed as a whole.
//
// Invariants: memory handed out is zeroed, aligned to 16 bytes and lives until arena_reset or
// arena_release. An arena has a budget in bytes; past it arena_alloc returns NULL and the arena
// stays "exhausted", so that a caller may build a whole result and check once at the end.
// Not thread-safe: one owner at a time.
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *head; // newest chunk, or NULL
    size_t used;              // bytes taken from all chunks, chunk heads not counted
    size_t budget;            // most bytes that may be taken
    bool exhausted;           // an allocation was refused since the last reset
    bool wipe;                // what is freed is overwritten first: it holds secrets
};

// Prepares an empty arena. Allocates nothing until the first arena_alloc.
void arena_init(struct arena *a, size_t budget);
// Frees everything; the arena may be used again.
void arena_reset(struct arena *a);
// Frees everything. Safe on a zeroed struct.
void arena_release(struct arena *a);

// n zeroed bytes, or NULL when the budget (or the system) has no more. n = 0 gives a valid pointer.
void *arena_alloc(struct arena *a, size_t n) __attribute__((warn_unused_result));
// count * size with overflow check.
void *arena_array(struct arena *a, size_t count, size_t size) __attribute__((warn_unused_result));
// Copies; {NULL,0} when exhausted. The copy is followed by a NUL that is not counted.
struct str arena_str(struct arena *a, struct str s) __attribute__((warn_unused_result));
// NUL-terminated copy for libraries that need one; NULL when exhausted.
char *arena_cstr(struct arena *a, struct str s) __attribute__((warn_unused_result));
// printf into the arena.
struct str arena_fmt(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define arena_new_array(a, type, count) ((type *)arena_array((a), (count), sizeof(type)))

#endif
