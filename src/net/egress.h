// SPDX-License-Identifier: Apache-2.0
// Which addresses an outgoing connection may reach: the guard against server-side request forgery.
//
// The decision is made on the resolved address of every connection, redirects included (net/http opens its
// sockets through it), so names, odd spellings of numbers and DNS rebinding make no difference. Pure
// functions. IPv6 forms that carry an IPv4 address (mapped, compatible, NAT64, 6to4, Teredo, ISATAP) are
// judged by both.
#ifndef NET_EGRESS_H
#define NET_EGRESS_H

#include "base/err.h"

struct sockaddr;

struct egress_net {
    uint8_t address[16]; // IPv4 as ::ffff:a.b.c.d
    int bits;            // prefix length over all 128 bits
};
struct egress_nets {
    struct egress_net *v;
    size_t n;
};
struct egress {
    struct egress_nets denied;
    struct egress_nets allowed;
};

enum { EGRESS_NETS_MAX = 1000 };

// Reads two setting lists. An entry is a network ("10.0.0.0/8", "fd00::/8"), an address, or a word:
// "loopback", "private", "link-local", "metadata", "multicast", "unspecified", "all".
// Link-local, metadata, multicast and unspecified addresses are denied in any case; loopback and private
// networks are open unless `denied` names them. The longest matching entry decides, `allowed` on a tie:
// allowing "10.0.0.0/8" under denied "all" opens just that, and allowing "all" does not open the metadata
// service. The nets live in the arena. ERR_CONFIG names the entry that is wrong.
bool egress_parse(struct strs denied, struct strs allowed, struct egress *ret, struct arena *a,
                  struct err *err)
    __attribute__((warn_unused_result));

// True when a connection to this address may be opened. Anything but IPv4 and IPv6 is refused.
bool egress_permits(const struct egress *e, const struct sockaddr *address);

#endif
