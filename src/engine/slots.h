// SPDX-License-Identifier: Apache-2.0
// Dividing jobs among nodes: a job belongs to one of SLOTS slots for ever, a slot to one of the nodes of a view.
// Rendezvous hashing (Thaler and Ravishankar 1998): when a node comes or goes only its own share moves.
#ifndef ENGINE_SLOTS_H
#define ENGINE_SLOTS_H

#include "base/arena.h"
#include "base/ulid.h"

enum { SLOTS = 256, VIEW_NODES_MAX = 64 };

struct slots { uint64_t bits[SLOTS / 64]; };

unsigned slot_of(struct ulid job_id);
static inline bool slots_has(const struct slots *s, unsigned slot) { return s->bits[slot / 64] >> slot % 64 & 1; }
static inline void slots_add(struct slots *s, unsigned slot) { s->bits[slot / 64] |= UINT64_C(1) << slot % 64; }
static inline void slots_remove(struct slots *s, unsigned slot) { s->bits[slot / 64] &= ~(UINT64_C(1) << slot % 64); }
void slots_fill(struct slots *s); // all of them
int slots_count(const struct slots *s);
static inline bool slots_eq(const struct slots *a, const struct slots *b)
{
    return memcmp(a->bits, b->bits, sizeof a->bits) == 0;
}

// The nodes that share the slots, by token, in rising order.
struct view {
    int64_t tokens[VIEW_NODES_MAX];
    size_t n;
};
void view_add(struct view *v, int64_t token); // beyond VIEW_NODES_MAX it is left out
bool view_eq(const struct view *a, const struct view *b);
int64_t view_owner(const struct view *v, unsigned slot); // 0 in an empty view
struct slots view_share(const struct view *v, int64_t token);
// As text in a row: hexadecimal tokens with a blank between. What cannot be read is an empty view.
struct str slot_view_write(const struct view *v, struct arena *a);
struct view view_read(struct str text);

#endif
