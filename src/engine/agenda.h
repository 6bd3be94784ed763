// SPDX-License-Identifier: Apache-2.0
// What is to be done when. Every plan and every run the engine answers for stands in at most one list:
//
//   DUE ──instant reached──► READY  (on time)  ──┐ most urgent first
//                        └─► LATE   (misfired) ──┴─► batch ─► DEADLINES (running, by monotonic time)
//
// READY and LATE are ordered by urgency: monotonic arrival minus one minute per step of priority. Waiting a
// minute therefore equals one step, and the order never has to be recomputed. Among equals the run ids decide:
// what is due at one instant then goes to the store in the order of its table, page by page.
#ifndef ENGINE_AGENDA_H
#define ENGINE_AGENDA_H

#include <stdint.h>

#include "base/heap.h"
#include "base/time.h"
#include "base/ulid.h"

enum agenda_list {
    AGENDA_DUE, AGENDA_READY, AGENDA_LATE, AGENDA_DEADLINES,
    AGENDA_HELD, // plans that came due while the schedule is held, by their instant
    AGENDA_LISTS,
    AGENDA_NONE = AGENDA_LISTS
};
enum node_kind { NODE_ENTRY, NODE_TASK };

// First member of struct entry and struct task.
struct agenda_node {
    int64_t key; // µs: DUE an instant, READY and LATE an urgency, DEADLINES monotonic
    uint64_t order; // decides between equal keys
    int pos;
    uint8_t list; // enum agenda_list
    uint8_t kind; // enum node_kind
};

struct agenda {
    struct heap lists[AGENDA_LISTS];
};

void agenda_init(struct agenda *a);
void agenda_release(struct agenda *a);
void node_init(struct agenda_node *n, enum node_kind kind);
// Place of a run among those of its scheduled instant.
uint64_t node_order(struct ulid run_id);
// Moves the node to the list, from wherever it stands.
void agenda_put(struct agenda *a, struct agenda_node *n, enum agenda_list list, int64_t key);
void agenda_drop(struct agenda *a, struct agenda_node *n); // no matter where it stands, if anywhere
struct agenda_node *agenda_top(const struct agenda *a, enum agenda_list list); // NULL when empty
static inline size_t agenda_count(const struct agenda *a, enum agenda_list list) { return a->lists[list].n; }

// Key of the READY and LATE lists. Late work starts a whole range of priorities lower.
int64_t urgency(struct mono arrived, int priority, bool late);

#endif
