// SPDX-License-Identifier: Apache-2.0
// What stands between the network and the handlers: pages of other origins, limits, encodings, the access
// log.
#ifndef API_EDGE_H
#define API_EDGE_H

#include "api/call.h"

// Says what a page of another origin may see of the answer, and answers its preflight, which asks before any
// sign-in: true when the answer is whole.
bool edge_cors(struct call *c);
// The body is as it came: nothing is unpacked here, so nothing can blow up. ERR_UNSUPPORTED has no code of
// its own: false means 415.
bool edge_encoding_ok(const struct call *c);
// Counts the request against its caller, or its address without one, and says how much is left.
// ERR_THROTTLED.
bool edge_limit(struct call *c, struct err *err) __attribute__((warn_unused_result));
// One record of the access log, when that is on.
void edge_log(const struct call *c, struct duration took);

#endif
