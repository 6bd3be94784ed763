// SPDX-License-Identifier: Apache-2.0
// The database server of a test program: its address comes from the environment (tests/servers/with.py).
#ifndef TESTS_STORE_SERVER_H
#define TESTS_STORE_SERVER_H

#include "store/store.h"

// Whether a kind of store is a server's.
bool server_kind_known(const char *kind);
// Opens one more store on the database; NULL: *err says why.
struct store *server_store(struct err *err);
// Removes the rows of all tables, on a connection of its own. The schema must be there.
bool server_empty(const char *kind, struct err *err);
void server_done(void);

#endif
