// SPDX-License-Identifier: Apache-2.0
// Runs of other jobs that the end of a run starts: made for the flush that records the end, taken up after
// its commit.
#ifndef ENGINE_CHAIN_H
#define ENGINE_CHAIN_H

#include "engine/closing.h"

// The runs that this end starts, in the batch's arena; row is what is recorded of it. Lists that cannot be
// read and chains that are too long start nothing and are logged. False: no memory, try again with the next
// batch.
bool chain_make(struct engine *e, const struct task *t, const struct run *row, const struct closing *c,
                struct run **ret, size_t *ret_n) __attribute__((warn_unused_result));
// The flush was written: queues what is decided for here; other nodes were told by the flush.
void chain_act(struct engine *e, const struct finish *f, struct moment now);

#endif
