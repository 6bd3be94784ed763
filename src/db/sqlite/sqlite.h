// SPDX-License-Identifier: Apache-2.0
// SQLite as a database engine. WAL, synchronous=FULL: what was committed survives power loss.
#ifndef DB_SQLITE_SQLITE_H
#define DB_SQLITE_SQLITE_H

#include "db/db.h"

struct db_sqlite_config {
    const char *path;
    // Exactly one connection of the process may be the writer: it also moves the log into the file (db_tidy).
    // SQLite before 3.51.3 can corrupt a file when two connections do that, so readers never do.
    bool read_only;
    int64_t cache_kib; // memory for pages, taken as needed
    size_t slots;      // size of the statement cache
};

// Opens or creates (writer only; the folder must exist). Errors name the path and the remedy: ERR_IO,
// ERR_CORRUPT (not a database, damaged), ERR_BUSY.
bool db_sqlite_open(const struct db_sqlite_config *c, struct db **ret, struct err *err)
    __attribute__((warn_unused_result));

#endif
