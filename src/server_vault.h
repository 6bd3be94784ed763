// SPDX-License-Identifier: Apache-2.0
// Where the key of secrets comes from, and the proof that it is the one the store's secrets were sealed with.
#ifndef SERVER_VAULT_H
#define SERVER_VAULT_H

#include "auth/vault.h"
#include "config.h"
#include "store/store.h"

// From secrets.key; else, on a store that is ours alone, from the data folder, where it is made at the first start;
// else from the store, for development only and with a warning, because who reads the database could then read the
// secrets. *ret is NULL where the key must be given and is not: there can be no secrets then. ERR_CONFIG: the store has
// secrets that none of the keys opens. Owner of *ret: caller.
bool server_vault_open(const struct config *c, struct store *store, struct vault **ret, struct arena *a,
                       struct err *err) __attribute__((warn_unused_result));

#endif
