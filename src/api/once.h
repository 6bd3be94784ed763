// SPDX-License-Identifier: Apache-2.0
// Handlers of routes that create or start something, with the header Idempotency-Key.
#ifndef API_ONCE_H
#define API_ONCE_H

#include "api/call.h"

// Calls the handler of the route; or, for a repetition, gives the first answer again.
bool call_handle(struct call *c, struct err *err) __attribute__((warn_unused_result));

#endif
