// SPDX-License-Identifier: Apache-2.0
// The walk over all plans after time zone data changed. State only; the functions are in core.h.
#ifndef ENGINE_REZONE_H
#define ENGINE_REZONE_H

#include "engine/ids.h"
#include "engine/slab.h"

struct rezone {
    bool busy;                // since the change was heard of until the last move is in the store
    struct slab_place place;  // the walk has come so far; nowhere = it is over
    struct ids moving;        // jobs whose next fire is perhaps another one now
    int64_t moved;
};

#endif
