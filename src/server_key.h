// SPDX-License-Identifier: Apache-2.0
// The root of an installation's keys: what must be secret follows from it, and it seals the keys that sign access
// tokens (auth/keyring.h). All nodes of a cluster have the same.
//
// The root is made once and never changes. It lies in the store, sealed with the outer key (auth.key), which can be
// replaced: then only the root is sealed anew, and nothing that follows from it changes.
#ifndef SERVER_KEY_H
#define SERVER_KEY_H

#include "auth/token.h"
#include "config.h"
#include "store/store.h"

enum { OUTER_KEYS_MAX = 8 };

// With the outer keys of auth.key ("new, old": any opens, all of them seal); else, on a store that is ours alone, with
// the one in the data folder, which is made at the first start; else with one in the store, unless keys.required is
// set, and with a warning, because who reads the database could then sign tokens. ERR_CONFIG: none of the keys
// opens the root. Owner of *ret: caller.
bool server_key_open(const struct config *c, struct store *store, struct token_key **ret, struct arena *a,
                     struct err *err) __attribute__((warn_unused_result));
// The outer key is lost: the next start makes a new root.
bool server_key_forget(struct store *store, struct err *err) __attribute__((warn_unused_result));

#endif
