// SPDX-License-Identifier: Apache-2.0
// The store in a database. SQLite: one file, one server on it at a time.
#ifndef STORE_SQL_STORE_SQL_H
#define STORE_SQL_STORE_SQL_H

#include "store/store.h"

// Opens or creates the file (its folder must exist), applies missing schema changes. now: for their record.
// Owner of *ret: caller, ops->free. Errors are one sentence with the remedy: ERR_BUSY (another server uses
// the folder), ERR_IO, ERR_CORRUPT, ERR_CONFIG (written by a newer program), ERR_FULL.
bool store_sqlite_open(const char *path, struct instant now, struct store **ret, struct err *err)
    __attribute__((warn_unused_result));

#endif
