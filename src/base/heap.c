// SPDX-License-Identifier: Apache-2.0
// Binary min-heap. Every move of an item is told to it through set_pos, so an item can be found
// again without a search; that is the whole point of having our own.
#include "base/heap.h"

#include <limits.h>
#include <stdlib.h>

#include "base/err.h"

enum { HEAP_FIRST = 16 };

void heap_init(struct heap *h, bool (*less)(const void *, const void *), void (*set_pos)(void *, int))
{
    *h = (struct heap){.less = less, .set_pos = set_pos};
}

void heap_release(struct heap *h)
{
    free(h->v);
    h->v = NULL;
    h->n = h->cap = 0;
}

static void place(struct heap *h, size_t at, void *item)
{
    h->v[at] = item;
    h->set_pos(item, (int)at);
}

// Moves the item towards the root from a hole at `at`.
static void sift_up(struct heap *h, size_t at, void *item)
{
    while (at > 0) {
        size_t parent = (at - 1) / 2;
        if (!h->less(item, h->v[parent]))
            break;
        place(h, at, h->v[parent]);
        at = parent;
    }
    place(h, at, item);
}

// Moves the item towards the leaves from a hole at `at`.
static void sift_down(struct heap *h, size_t at, void *item)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= h->n)
            break;
        if (child + 1 < h->n && h->less(h->v[child + 1], h->v[child]))
            child++;
        if (!h->less(h->v[child], item))
            break;
        place(h, at, h->v[child]);
        at = child;
    }
    place(h, at, item);
}

static void settle(struct heap *h, size_t at, void *item)
{
    if (at > 0 && h->less(item, h->v[(at - 1) / 2]))
        sift_up(h, at, item);
    else
        sift_down(h, at, item);
}

void heap_push(struct heap *h, void *item)
{
    if (h->n == h->cap) {
        size_t cap = h->cap ? h->cap * 2 : HEAP_FIRST;
        must(cap <= INT_MAX);
        void **v = realloc(h->v, cap * sizeof *v);
        must(v != NULL);
        h->v = v;
        h->cap = cap;
    }
    sift_up(h, h->n++, item);
}

void *heap_top(const struct heap *h)
{
    return h->n ? h->v[0] : NULL;
}

void *heap_pop(struct heap *h)
{
    void *top = heap_top(h);
    if (top)
        heap_remove(h, 0);
    return top;
}

void heap_remove(struct heap *h, int pos)
{
    must(pos >= 0 && (size_t)pos < h->n);
    void *gone = h->v[pos];
    void *last = h->v[--h->n];
    if (gone != last)
        settle(h, (size_t)pos, last);
    h->set_pos(gone, HEAP_NOWHERE);
}

void heap_moved(struct heap *h, int pos)
{
    must(pos >= 0 && (size_t)pos < h->n);
    settle(h, (size_t)pos, h->v[pos]);
}
