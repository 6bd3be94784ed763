// SPDX-License-Identifier: Apache-2.0
// Binary heap of pointers whose elements know their own place, so that any of them can be removed
// or moved in O(log n). Used for timers, due jobs and retries. Not thread-safe.
// The order is kept in the heap, not in the items: a comparison touches no item, and with a hundred thousand
// of them that is most of the time.
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HEAP_NOWHERE = -1 };

struct heap_slot {
    int64_t key;    // the least first,
    uint64_t order; // and among equal keys the least of these
    void *item;
};
struct heap {
    struct heap_slot *v;
    size_t n, cap;
    void (*set_pos)(void *item, int pos); // pos = HEAP_NOWHERE when it leaves
};

void heap_init(struct heap *h, void (*set_pos)(void *item, int pos));
void heap_release(struct heap *h);                                       // frees the array, not the items
void heap_push(struct heap *h, void *item, int64_t key, uint64_t order); // aborts when out of memory
void *heap_top(const struct heap *h);                                    // NULL when empty
void *heap_pop(struct heap *h);                                          // NULL when empty
void heap_remove(struct heap *h, int pos);
void heap_move(struct heap *h, int pos, int64_t key, uint64_t order); // the item at pos gets another place

#endif
