// SPDX-License-Identifier: Apache-2.0
// The lists of system calls behind the sandbox levels. Internal to net/sandbox*.
#ifndef NET_SANDBOX_CALLS_H
#define NET_SANDBOX_CALLS_H

#include <stddef.h>

extern const int sandbox_denied[]; // by RESTRICTED
extern const size_t sandbox_denied_n;
extern const int sandbox_allowed[]; // by STRICT
extern const size_t sandbox_allowed_n;

#endif
