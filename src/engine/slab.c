// SPDX-License-Identifier: Apache-2.0
// Pool of objects of one size, in chunks.
#include "engine/slab.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"

enum { SLAB_CHUNK_OBJECTS = 256, SLAB_ALIGN = 16 };

struct slab_chunk {
    struct slab_chunk *next;
    _Alignas(SLAB_ALIGN) unsigned char bytes[];
};

void slab_init(struct slab *s, size_t size)
{
    *s = (struct slab){.size = (size + SLAB_ALIGN - 1) / SLAB_ALIGN * SLAB_ALIGN};
}

void slab_release(struct slab *s)
{
    while (s->chunks) {
        struct slab_chunk *next = s->chunks->next;
        mem_free(s->chunks);
        s->chunks = next;
    }
    s->free = NULL;
    s->used = 0;
}

static void slab_grow(struct slab *s)
{
    struct slab_chunk *c = mem_array(1, sizeof *c + s->size * SLAB_CHUNK_OBJECTS);
    c->next = s->chunks;
    s->chunks = c;
    for (size_t i = SLAB_CHUNK_OBJECTS; i-- > 0;) { // lowest address first out
        void *object = c->bytes + i * s->size;
        memcpy(object, &s->free, sizeof s->free);
        s->free = object;
    }
}

void *slab_take(struct slab *s)
{
    if (!s->free)
        slab_grow(s);
    void *object = s->free;
    memcpy(&s->free, object, sizeof s->free);
    memset(object, 0, s->size);
    s->used++;
    return object;
}

void slab_give(struct slab *s, void *object)
{
    must(s->used > 0);
    memcpy(object, &s->free, sizeof s->free);
    s->free = object;
    s->used--;
}

void *slab_walk(const struct slab *s, struct slab_place *place)
{
    if (!place->chunk)
        return NULL;
    void *object = place->chunk->bytes + place->at * s->size;
    if (++place->at == SLAB_CHUNK_OBJECTS)
        *place = (struct slab_place){.chunk = place->chunk->next};
    return object;
}
