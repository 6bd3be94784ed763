// SPDX-License-Identifier: Apache-2.0
// store/once.h in memory, and what a write does with the mark of its thread.
#ifndef STORE_MEMORY_ONCE_H
#define STORE_MEMORY_ONCE_H

#include "store/once.h"

struct mem;

extern const struct once_ops mem_once_ops;
// With the lock of the store: whether the claim of this thread's request, if it has one, is still its own; and after
// a write that stays. told: the thread will learn that.
bool once_may_write(struct mem *m);
void once_written(struct mem *m, bool told);

#endif
