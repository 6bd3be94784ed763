// SPDX-License-Identifier: Apache-2.0
// ETags of answers. An object with a version has "VERSION-HASH": If-Match looks at the version, which counts
// what people change, If-None-Match at all of it, because what the server does changes an answer too. Others
// have "HASH".
#ifndef API_ETAG_H
#define API_ETAG_H

#include "api/call.h"

// Whether answers of the route carry an ETag: those to GET that are one object or a list.
bool route_tagged(const struct route *r);
// After a handler succeeded: sets the ETag, and makes 304 of an answer that If-None-Match names.
void etag_settle(struct call *c);

#endif
