// SPDX-License-Identifier: Apache-2.0
// Who asks: the proof in the headers of a request → the caller of its use case.
#ifndef API_SIGN_IN_H
#define API_SIGN_IN_H

#include "api/call.h"

// Fills c->caller and checks that he may use the route at all. Routes that are open to all do not look at the token,
// unless they say that it matters.
bool call_sign_in(struct call *c, struct err *err) __attribute__((warn_unused_result));

#endif
