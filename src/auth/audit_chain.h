// SPDX-License-Identifier: Apache-2.0
// What makes the audit trail provable: keyed hashes (BLAKE2b of libsodium) over records, over the chain of records, and
// over marks in the chain. Without the key nobody can make one that fits; a record is covered from the moment it is
// written, its place in the order from the moment it is sealed.
#ifndef AUTH_AUDIT_CHAIN_H
#define AUTH_AUDIT_CHAIN_H

#include "auth/token.h"
#include "model/audit.h"

struct audit_key {
    uint8_t bytes[TOKEN_KEY_BYTES];
};

// The installation's key for the audit trail; the same on all its nodes.
void audit_key_of(const struct token_key *key, struct audit_key *ret);

// Of every member but seq and what is computed here.
void audit_record_mac(const struct audit_key *key, const struct audit_record *r, uint8_t ret[static AUDIT_MAC_BYTES]);
// The chain at place seq. before: the chain at the place before it; of zeros for the first record ever.
void audit_chain_next(const struct audit_key *key, int64_t seq, const uint8_t mac[static AUDIT_MAC_BYTES],
                      const uint8_t before[static AUDIT_MAC_BYTES], uint8_t ret[static AUDIT_MAC_BYTES]);
// Signs a mark whose other members are set; at becomes whole seconds, which is what a line keeps.
void audit_mark_sign(const struct audit_key *key, struct audit_mark *m);
bool audit_mark_holds(const struct audit_key *key, const struct audit_mark *m);
bool audit_mac_eq(const uint8_t a[static AUDIT_MAC_BYTES], const uint8_t b[static AUDIT_MAC_BYTES]);

// A mark as a line of text and back, for what is kept outside of the store:
// "seq=12 at=2026-01-02T03:04:05.000Z chain=<hex> mac=<hex>".
enum { AUDIT_LINE_MAX = 256 };
const char *audit_mark_line(const struct audit_mark *m, char out[static AUDIT_LINE_MAX]);
bool audit_mark_read(struct str line, struct audit_mark *ret);

#endif
