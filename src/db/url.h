// SPDX-License-Identifier: Apache-2.0
// The address of a database: scheme://user:password@host:port/name?option=value, RFC 3986 with percent-encoding.
// A leading "jdbc:" is allowed. "sqlite:PATH" is no address of a server: db_url_scheme tells it apart.
#ifndef DB_URL_H
#define DB_URL_H

#include "base/err.h"

enum { DB_URL_BYTES_MAX = 2048, DB_URL_OPTIONS_MAX = 16 };

struct db_url {
    struct str scheme;   // "mysql", "mariadb", "postgresql" or "postgres"
    struct str user;     // absent: the engine's default
    struct str password; // absent: none. Never in logs or errors
    struct str host;     // "127.0.0.1", "db.example.com", "::1", or a folder of sockets beginning with "/"
    int64_t port;        // 0 = the engine's default
    struct str name;     // of the database
    struct { // "tls=verify"; known to the engine
        struct str name, value;
    } options[DB_URL_OPTIONS_MAX];
    size_t n_options;
};

// What stands before the first ':' (after "jdbc:"), in lower case; absent when there is none.
struct str db_url_scheme(struct str text, struct arena *a);
// ERR_CONFIG; the text names what is wrong, never the password.
bool db_url_parse(struct str text, struct db_url *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
struct str db_url_option(const struct db_url *u, const char *name); // absent when it is not given
// For people: without password and options.
struct str db_url_shown(const struct db_url *u, struct arena *a);

#endif
