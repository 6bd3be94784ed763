// SPDX-License-Identifier: Apache-2.0
// A growing list of identifiers.
#ifndef ENGINE_IDS_H
#define ENGINE_IDS_H

#include "base/ulid.h"

struct ids {
    struct ulid *v;
    size_t n, cap;
};

void ids_add(struct ids *l, const struct ulid *v, size_t n); // aborts when out of memory
void ids_release(struct ids *l);
static inline void ids_clear(struct ids *l) { l->n = 0; } // keeps its memory
// Drops the first n.
void ids_shift(struct ids *l, size_t n);
// Appends all of `from` and clears it.
void ids_move(struct ids *l, struct ids *from);

#endif
