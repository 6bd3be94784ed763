// SPDX-License-Identifier: Apache-2.0
// Pool of objects of one size: entries, tasks and attempts come and go by the thousand per second, so the hot
// path takes them from a free list instead of malloc. Memory goes back to the system with the slab only.
// Not thread-safe: the engine's thread only.
#ifndef ENGINE_SLAB_H
#define ENGINE_SLAB_H

#include <stdbool.h>
#include <stddef.h>

struct slab_chunk;

struct slab {
    size_t size;   // of one object
    size_t used;   // objects handed out
    void *free;    // first free object; its first bytes point to the next one
    struct slab_chunk *chunks;
};

void slab_init(struct slab *s, size_t size);
void slab_release(struct slab *s); // objects still out become invalid
// A zeroed object; aborts when the system has no memory.
void *slab_take(struct slab *s);
void slab_give(struct slab *s, void *object);

// Walks all objects, free ones too: what was in them when they were given back is still there, but for the first
// pointer's worth of bytes. Objects may come and go meanwhile; new chunks are not walked. Zeroed place: the end.
struct slab_place {
    struct slab_chunk *chunk;
    size_t at;
};
static inline struct slab_place slab_first(const struct slab *s) { return (struct slab_place){.chunk = s->chunks}; }
static inline bool slab_place_end(struct slab_place p) { return !p.chunk; }
void *slab_walk(const struct slab *s, struct slab_place *place); // NULL at the end

#endif
