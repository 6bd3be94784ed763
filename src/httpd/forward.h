// SPDX-License-Identifier: Apache-2.0
// Who the client is when proxies stand in front: their word counts only when it comes from an address that is
// trusted. Pure.
//
// The right-most address that is not a trusted proxy's is the client: what stands left of it was written by
// the client itself, who can write anything.
#ifndef HTTPD_FORWARD_H
#define HTTPD_FORWARD_H

#include "base/arena.h"
#include "base/err.h"

enum { FORWARD_NETS_MAX = 256, FORWARD_BYTES = 16, FORWARD_TEXT_MAX = 46 };

struct forward_net {
    uint8_t address[FORWARD_BYTES]; // IPv4 as ::ffff:a.b.c.d
    int bits;                       // of the prefix, over all 128
};
struct forward {
    struct forward_net *v;
    size_t n;
    bool standard; // reads Forwarded (RFC 7239) instead of X-Forwarded-For and X-Forwarded-Proto
};

// Reads networks ("10.0.0.0/8", "fd00::/8") and addresses into the arena. ERR_CONFIG names the entry.
bool forward_parse(struct strs nets, bool standard, struct forward *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
bool forward_trusts(const struct forward *f, struct str address);

struct forward_seen {
    char client[FORWARD_TEXT_MAX]; // as inet_ntop writes it
    bool https;                    // the trusted proxy says that the client came by TLS
};
// What a request from `peer` says of its client. Header names are in lower case. A peer that is not trusted
// is the client itself.
void forward_look(const struct forward *f, struct str peer, const struct str_map *headers,
                  struct forward_seen *ret);

#endif
