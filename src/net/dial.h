// SPDX-License-Identifier: Apache-2.0
// Opens a TCP connection for a thread that may wait, only to an address that the egress guard permits.
//
// A name is resolved once, each of its addresses is judged, and the judged address itself is connected to.
// Resolving and connecting end soon after `stop` was set by another thread.
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include <stdatomic.h>

#include "base/clock.h"
#include "net/egress.h"

enum { DIAL_HOST_MAX = 255, DIAL_ADDRESS_MAX = 64, DIAL_SLICE_MS = 50 };

struct dial {
    const struct clock *clock;
    struct str host; // name or numeric address
    int port;
    const struct egress *egress; // NULL: all addresses
    struct duration at_most;     // for all of it
    const _Atomic bool *stop;    // NULL: never
};

// A connected socket that does not block and keeps itself alive; owner: the caller. ERR_DENIED: the guard
// refuses every address of the name. ERR_TIMEOUT, ERR_UNAVAILABLE (also when stopped). The texts name host
// and port.
bool dial(const struct dial *d, int *ret_fd, struct err *err) __attribute__((warn_unused_result));
// The numeric address of the first permitted address that accepts a connection, for libraries that connect
// themselves.
bool dial_address(const struct dial *d, char ret[static DIAL_ADDRESS_MAX], struct err *err)
    __attribute__((warn_unused_result));
// Whether the other end of a connected socket is permitted, for libraries that resolved the name themselves.
bool dial_peer_permitted(int fd, const struct egress *egress);

#endif
