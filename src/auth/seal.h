// SPDX-License-Identifier: Apache-2.0
// Sealed values: what leaves this installation for a place others can look into (XChaCha20-Poly1305 of libsodium).
// A value opens only with the same key and under the same name, so it can be neither read, changed nor moved to
// another place; that it is an old one of this place is for the caller to notice.
#ifndef AUTH_SEAL_H
#define AUTH_SEAL_H

#include "base/arena.h"

enum { SEAL_KEY_BYTES = 32, SEAL_EXTRA_BYTES = 24 + 16 };

// SEAL_EXTRA_BYTES longer than the value; in the arena, absent when it does not fit.
struct str seal(const uint8_t key[static SEAL_KEY_BYTES], struct str name, struct str value, struct arena *a);
// False: not sealed with this key and name. *ret is in the arena.
bool seal_open(const uint8_t key[static SEAL_KEY_BYTES], struct str name, struct str sealed, struct str *ret,
               struct arena *a) __attribute__((warn_unused_result));

#endif
