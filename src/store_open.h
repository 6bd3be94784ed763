// SPDX-License-Identifier: Apache-2.0
// The store that the settings name, for the server and for commands that work without one.
#ifndef STORE_OPEN_H
#define STORE_OPEN_H

#include "base/clock.h"
#include "config.h"
#include "store/store.h"

// The data folder must exist. Owner of *ret: caller.
bool store_open(const struct config *c, const struct clock *clock, struct store **ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));

#endif
