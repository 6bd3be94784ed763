// SPDX-License-Identifier: Apache-2.0
// A growing list of identifiers.
#include "engine/ids.h"

#include "base/err.h"
#include "base/mem.h"

enum { IDS_FIRST = 64 };

void ids_add(struct ids *l, const struct ulid *v, size_t n)
{
    if (n == 0)
        return;
    if (l->n + n > l->cap) {
        size_t cap = l->cap ? l->cap : IDS_FIRST;
        while (cap < l->n + n)
            cap *= 2;
        l->v = mem_resize(l->v, cap, sizeof *l->v);
        l->cap = cap;
    }
    memcpy(l->v + l->n, v, n * sizeof *v);
    l->n += n;
}

void ids_release(struct ids *l)
{
    mem_free(l->v);
    *l = (struct ids){0};
}

void ids_shift(struct ids *l, size_t n)
{
    must(n <= l->n);
    if (n == 0)
        return;
    memmove(l->v, l->v + n, (l->n - n) * sizeof *l->v);
    l->n -= n;
}

void ids_move(struct ids *l, struct ids *from)
{
    ids_add(l, from->v, from->n);
    ids_clear(from);
}
