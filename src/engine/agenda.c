// SPDX-License-Identifier: Apache-2.0
// The engine's ordered lists.
#include "engine/agenda.h"

#include "base/err.h"

enum { AGEING_STEP_S = 60, LATE_STEPS = 4 };

static void node_set_pos(void *item, int pos)
{
    ((struct agenda_node *)item)->pos = pos;
}

void agenda_init(struct agenda *a)
{
    for (size_t i = 0; i < AGENDA_LISTS; i++)
        heap_init(&a->lists[i], node_set_pos);
}

void agenda_release(struct agenda *a)
{
    for (size_t i = 0; i < AGENDA_LISTS; i++)
        heap_release(&a->lists[i]);
}

uint64_t node_order(struct ulid run_id)
{
    uint64_t order = 0; // the eight bytes behind the instant
    for (size_t i = 6; i < 6 + sizeof order; i++)
        order = order << 8 | run_id.b[i];
    return order;
}

void node_init(struct agenda_node *n, enum node_kind kind)
{
    *n = (struct agenda_node){.pos = HEAP_NOWHERE, .list = AGENDA_NONE, .kind = (uint8_t)kind};
}

void agenda_put(struct agenda *a, struct agenda_node *n, enum agenda_list list, int64_t key)
{
    if (n->list == list && n->key == key)
        return;
    agenda_drop(a, n);
    n->key = key;
    n->list = (uint8_t)list;
    heap_push(&a->lists[list], n, key, n->order);
}

void agenda_drop(struct agenda *a, struct agenda_node *n)
{
    if (n->list == AGENDA_NONE)
        return;
    heap_remove(&a->lists[n->list], n->pos);
    n->list = AGENDA_NONE;
}

struct agenda_node *agenda_top(const struct agenda *a, enum agenda_list list)
{
    return heap_top(&a->lists[list]);
}

int64_t urgency(struct mono arrived, int priority, bool late)
{
    return arrived.us - (priority - (late ? LATE_STEPS : 0)) * AGEING_STEP_S * US_PER_S;
}
