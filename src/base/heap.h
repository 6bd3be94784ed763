// SPDX-License-Identifier: Apache-2.0
// Binary heap of pointers whose elements know their own place, so that any of them can be removed
// or moved in O(log n). Used for timers, due jobs and retries. Not thread-safe.
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>

enum { HEAP_NOWHERE = -1 };

struct heap {
    void **v;
    size_t n, cap;
    bool (*less)(const void *a, const void *b);
    void (*set_pos)(void *item, int pos); // pos = HEAP_NOWHERE when it leaves
};

void heap_init(struct heap *h, bool (*less)(const void *, const void *), void (*set_pos)(void *, int));
void heap_release(struct heap *h);          // frees the array, not the items
void heap_push(struct heap *h, void *item); // aborts when out of memory
void *heap_top(const struct heap *h);       // NULL when empty
void *heap_pop(struct heap *h);             // NULL when empty
void heap_remove(struct heap *h, int pos);
void heap_moved(struct heap *h, int pos);   // the item at pos changed its order

#endif
