// SPDX-License-Identifier: Apache-2.0
// Words of a node's states.
#include "model/node.h"

#include "base/err.h"

const char *node_state_name(int state)
{
    static const char *const names[] = {
        [NODE_ACTIVE] = "ACTIVE", [NODE_DRAINING] = "DRAINING", [NODE_DEAD] = "DEAD"};
    must(state >= 0 && (size_t)state < sizeof names / sizeof names[0]);
    return names[state];
}
