// SPDX-License-Identifier: Apache-2.0
// Seals the values of secrets with a key that is not where the values are kept. Several keys open, the first one
// seals: that is how a key is replaced.
//
// A sealed value is one line of text: "v1.", the id of its key, ".", and base64 of what auth/seal.h makes. It opens
// only under the same scope and name, so that rows cannot be exchanged.
#ifndef AUTH_VAULT_H
#define AUTH_VAULT_H

#include "base/err.h"
#include "base/ulid.h"

enum { VAULT_KEYS_MAX = 8, VAULT_KEY_CHARS_MIN = 32, VAULT_KEY_ID_MAX = 17 };

struct vault;

// Keys of a setting: "new, old". ERR_CONFIG: one is too short, or there are too many.
bool vault_of(struct str keys, struct vault **ret, struct err *err) __attribute__((warn_unused_result));
// The key in a file of its own, made with mode 600 when there is none and `make`.
bool vault_load(const char *path, bool make, struct vault **ret, struct err *err) __attribute__((warn_unused_result));
// A new key as the setting takes it.
struct str vault_key_new(struct arena *a);
void vault_free(struct vault *v); // NULL is fine

// Absent when it does not fit into the arena.
struct str vault_seal(const struct vault *v, struct ulid scope, struct str name, struct str value, struct arena *a);
// ERR_CONFIG: sealed with a key that is not here; ERR_CORRUPT: not sealed under this scope and name, or damaged.
bool vault_open(const struct vault *v, struct ulid scope, struct str name, struct str sealed, struct str *ret,
                struct arena *a, struct err *err) __attribute__((warn_unused_result));
// Whether the first key sealed it.
bool vault_current(const struct vault *v, struct str sealed);

#endif
