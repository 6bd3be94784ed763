// SPDX-License-Identifier: Apache-2.0
// The store in a database. SQLite: one file, one server on it at a time.
#ifndef STORE_SQL_STORE_SQL_H
#define STORE_SQL_STORE_SQL_H

#include "store/store.h"

enum store_durability {
    STORE_DURABLE, // what was acknowledged survives power loss
    STORE_RELAXED, // it survives kill -9; the last moments may be lost at power loss
};
// Opens or creates the file (its folder must exist), applies missing schema changes. now: for their record.
// Owner of *ret: caller, ops->free. Errors are one sentence with the remedy: ERR_BUSY (another server uses
// the folder), ERR_IO, ERR_CORRUPT, ERR_CONFIG (written by a newer program), ERR_FULL.
bool store_sqlite_open(const char *path, enum store_durability durability, struct instant now,
                       struct store **ret, struct err *err) __attribute__((warn_unused_result));

#endif
