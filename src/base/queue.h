// SPDX-License-Identifier: Apache-2.0
// Bounded queue of pointers between threads. Sending gives ownership away. Items leave in order and
// in batches, because everything after a queue works in batches.
#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include "base/sync.h"

struct queue {
    struct mutex lock;
    struct cond can_pop;
    struct cond can_push;
    void **v; // ring
    size_t head, n, cap;
    bool closed;
};

void queue_init(struct queue *q, size_t cap, enum lock_rank rank);
void queue_release(struct queue *q); // must be empty
bool queue_push(struct queue *q, void *item);     // waits for room; false when closed
bool queue_try_push(struct queue *q, void *item); // false when full or closed
// Moves up to max items into v. Waits up to at_most for the first one. 0: nothing came, or closed and empty.
size_t queue_pop(struct queue *q, void **v, size_t max, struct duration at_most);
size_t queue_depth(struct queue *q);
void queue_close(struct queue *q); // no more pushes; waiting threads return

#endif
