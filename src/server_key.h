// SPDX-License-Identifier: Apache-2.0
// The one secret of an installation: it signs access tokens, and what else must be secret is derived from it. All nodes
// of a cluster must have the same (docs/how-to/cluster.md).
#ifndef SERVER_KEY_H
#define SERVER_KEY_H

#include "auth/token.h"
#include "config.h"
#include "store/store.h"

// From auth.key; else, on a store that is ours alone, from the data folder, where it is made at the first start; else
// from the store, for development only and with a warning, because who reads the database could then sign tokens.
// Owner of *ret: caller.
bool server_key_open(const struct config *c, struct store *store, struct token_key **ret, struct arena *a,
                     struct err *err) __attribute__((warn_unused_result));

#endif
