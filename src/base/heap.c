// SPDX-License-Identifier: Apache-2.0
// Binary min-heap. Every move of an item is told to it through set_pos, so an item can be found
// again without a search; that is the whole point of having our own.
#include "base/heap.h"

#include <limits.h>
#include <stdlib.h>

#include "base/err.h"

enum { HEAP_FIRST = 16 };

void heap_init(struct heap *h, void (*set_pos)(void *item, int pos))
{
    *h = (struct heap){.set_pos = set_pos};
}

void heap_release(struct heap *h)
{
    free(h->v);
    h->v = NULL;
    h->n = h->cap = 0;
}

static bool less(const struct heap_slot *a, const struct heap_slot *b)
{
    return a->key < b->key || (a->key == b->key && a->order < b->order);
}

static void place(struct heap *h, size_t at, struct heap_slot s)
{
    h->v[at] = s;
    h->set_pos(s.item, (int)at);
}

// Moves the item towards the root from a hole at `at`.
static void sift_up(struct heap *h, size_t at, struct heap_slot s)
{
    while (at > 0) {
        size_t parent = (at - 1) / 2;
        if (!less(&s, &h->v[parent]))
            break;
        place(h, at, h->v[parent]);
        at = parent;
    }
    place(h, at, s);
}

// Moves the item towards the leaves from a hole at `at`.
static void sift_down(struct heap *h, size_t at, struct heap_slot s)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= h->n)
            break;
        if (child + 1 < h->n && less(&h->v[child + 1], &h->v[child]))
            child++;
        if (!less(&h->v[child], &s))
            break;
        place(h, at, h->v[child]);
        at = child;
    }
    place(h, at, s);
}

static void settle(struct heap *h, size_t at, struct heap_slot s)
{
    if (at > 0 && less(&s, &h->v[(at - 1) / 2]))
        sift_up(h, at, s);
    else
        sift_down(h, at, s);
}

void heap_push(struct heap *h, void *item, int64_t key, uint64_t order)
{
    if (h->n == h->cap) {
        size_t cap = h->cap ? h->cap * 2 : HEAP_FIRST;
        must(cap <= INT_MAX);
        struct heap_slot *v = realloc(h->v, cap * sizeof *v);
        must(v != NULL);
        h->v = v;
        h->cap = cap;
    }
    sift_up(h, h->n++, (struct heap_slot){key, order, item});
}

void *heap_top(const struct heap *h) { return h->n ? h->v[0].item : NULL; }

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
    void *gone = h->v[pos].item;
    struct heap_slot last = h->v[--h->n];
    if (gone != last.item)
        settle(h, (size_t)pos, last);
    h->set_pos(gone, HEAP_NOWHERE);
}

void heap_move(struct heap *h, int pos, int64_t key, uint64_t order)
{
    must(pos >= 0 && (size_t)pos < h->n);
    settle(h, (size_t)pos, (struct heap_slot){key, order, h->v[pos].item});
}
