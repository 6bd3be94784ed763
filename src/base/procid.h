// SPDX-License-Identifier: Apache-2.0
// The identity of a process in words, so that a server that starts again can tell whether the one before it is gone.
#ifndef BASE_PROCID_H
#define BASE_PROCID_H

#include "base/arena.h"

// Kernel, process namespace, number and start of this process; absent when the system does not tell.
struct str procid_self(struct arena *a);
// True when the process of that text ran under this kernel and in this namespace, and runs no more. False when that
// cannot be known.
bool procid_gone(void *ctx, struct str process);

#endif
