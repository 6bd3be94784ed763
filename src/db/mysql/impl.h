// SPDX-License-Identifier: Apache-2.0
// Inside of the MySQL and MariaDB driver: mysql.c opens and closes, statement.c prepares and steps,
// transaction.c begins and ends, error.c says what a server's error number means to us.
#ifndef DB_MYSQL_IMPL_H
#define DB_MYSQL_IMPL_H

#include <stdlib.h>

#include <mysql.h>

// Its macros hold calls that are banned here; meson.build puts the ban off until now.
#undef BASE_BANNED_H
#include "base/banned.h"

#include "db/db.h"

struct maria {
    struct db base; // first
    MYSQL *h;
    bool lost;       // the connection is of no use any more
    bool autocommit; // as the session has it now
    bool in_transaction;
    int64_t changes, changes_total;
};

static inline struct maria *maria_of(struct db *d) { return (struct maria *)d; }

// Fills *err from an error of the server or of the client library, notices a lost connection, and ends a
// transaction that cannot go on. text: what the server said. Returns false.
bool maria_failed(struct maria *m, unsigned number, const char *text, struct err *err);
// Whether COMMIT that failed with this number has certainly not committed.
bool maria_not_committed(int number);
// The same as maria_failed for an error while connecting.
bool maria_open_failed(unsigned number, const char *text, struct err *err);

// One statement as text, its rows thrown away.
bool maria_run(struct maria *m, struct str sql, struct err *err);
// One column of one row, as a number; 0 when there is none or it is NULL.
bool maria_number(struct maria *m, struct str sql, unsigned column, int64_t *ret, struct err *err);
// Puts the session in or out of autocommit. ERR_UNAVAILABLE on a connection that is lost.
bool maria_set_autocommit(struct maria *m, bool on, struct err *err);

// statement.c
bool maria_prepare(struct db *d, struct str sql, struct db_stmt **ret, struct err *err);
void maria_finalize(struct db_stmt *s);
void maria_bind_null(struct db_stmt *s, int at);
void maria_bind_i64(struct db_stmt *s, int at, int64_t v);
void maria_bind_f64(struct db_stmt *s, int at, double v);
void maria_bind_text(struct db_stmt *s, int at, struct str v);
void maria_bind_blob(struct db_stmt *s, int at, const void *p, size_t n);
void maria_bind_rows(struct db_stmt *s, const struct db_cell *cells, size_t rows, size_t columns);
bool maria_run_each(struct db_stmt *s, const struct db_cell *cells, size_t rows, size_t columns, struct err *err);
bool maria_step(struct db_stmt *s, bool *ret_row, struct err *err);
void maria_reset(struct db_stmt *s);
bool maria_is_null(struct db_stmt *s, int col);
int64_t maria_i64(struct db_stmt *s, int col);
double maria_f64(struct db_stmt *s, int col);
struct str maria_bytes(struct db_stmt *s, int col);

// transaction.c
bool maria_begin(struct db *d, struct err *err);
bool maria_commit(struct db *d, struct err *err);
void maria_rollback(struct db *d);
bool maria_savepoint(struct db *d, struct err *err);
bool maria_savepoint_release(struct db *d, struct err *err);
bool maria_savepoint_rollback(struct db *d, struct err *err);
bool maria_in_transaction(struct db *d);
bool maria_alive(struct db *d);
bool maria_script(struct db *d, struct str sql, struct err *err);
bool maria_migrations_lock(struct db *d, bool on, struct err *err);
bool maria_cluster_note(struct db *d, const char **ret, struct err *err);

#endif
