// SPDX-License-Identifier: Apache-2.0
// The store in a database. SQLite: one file, one server on it at a time. PostgreSQL, MySQL and MariaDB: any number.
#ifndef STORE_SQL_STORE_SQL_H
#define STORE_SQL_STORE_SQL_H

#include "base/time.h"
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

struct store_server_options {
    const char *application;  // shown by the database server, such as "chronos n1"
    struct duration patience; // of a connection attempt and of an answer
    int64_t readers;          // connections for reading at most
    bool strict;              // refuse (ERR_CONFIG) a server that does not flush at commit; else the log warns
};
// Whether store_server_open knows the scheme of a URL.
bool store_server_scheme(struct str scheme);
// The store in the database of a URL (db/url.h: postgresql, postgres, mysql, mariadb); it must exist. Several
// processes may do so at once. Errors as above; ERR_UNAVAILABLE when the server cannot be reached now.
bool store_server_open(struct str url, const struct store_server_options *o, struct instant now, struct store **ret,
                       struct err *err) __attribute__((warn_unused_result));

#endif
