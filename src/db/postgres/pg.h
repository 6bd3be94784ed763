// SPDX-License-Identifier: Apache-2.0
// Inside of the PostgreSQL driver: the connection, what travels on it, values as bytes.
#ifndef DB_POSTGRES_PG_H
#define DB_POSTGRES_PG_H

#include <libpq-fe.h>

#include "base/sbuf.h"
#include "db/db.h"

enum { PG_NAME_MAX = 24 };

enum pg_transaction {
    PG_NONE,
    PG_WANTED, // begun; BEGIN travels with the first statement
    PG_OPEN,
    PG_BROKEN, // an error ended it; the server waits for ROLLBACK
};
struct pg {
    struct db base; // first
    PGconn *c;
    int patience_ms;
    bool lost;
    enum pg_transaction transaction;
    bool saved;     // inside the savepoint
    size_t pending; // statements sent since the last answer
    int64_t changes, changes_total;
    int64_t names;      // of prepared statements, counted up
    struct sbuf values; // of the statement being sent
    // Room for the parameters of one statement.
    size_t room, *offsets;
    const char **pointers;
    int *lengths, *formats;
};
struct pg_param {
    enum { PARAM_NULL, PARAM_I64, PARAM_F64, PARAM_TEXT, PARAM_BLOB } kind;
    int64_t i;
    double f;
    struct str bytes;
};
struct pg_stmt {
    struct db_stmt base; // first
    char name[PG_NAME_MAX];
    int n_params;
    Oid *types;
    struct pg_param *params;
    const struct db_cell *cells; // the first parameters, `columns` of them, as arrays; or NULL
    size_t rows, columns;
    bool misbound; // a bind since the last step named a parameter that is not there
    PGresult *res; // of the present execution, or NULL
    int row;
};
static inline struct pg *pg_of(struct db *d) { return (struct pg *)d; }

// ---- connect.c
bool pg_open(const struct db_config *c, const struct db_ops *ops, struct db **ret, struct err *err);

// ---- wire.c: everything is sent in pipeline mode and answered up to a synchronisation point
// False: the connection is lost. *ret_ready false: nothing came within the time.
bool pg_wait_readable(struct pg *q, int ms, bool *ret_ready);
bool pg_lost(struct pg *q, struct err *err); // marks it, returns false
// Finds out, without waiting, whether the server has hung up.
bool pg_alive(struct pg *q);
// Queues a text without parameters, BEGIN first where it is wanted.
bool pg_send_text(struct pg *q, const char *sql, struct err *err);
bool pg_send_stmt(struct pg *q, struct pg_stmt *s, struct err *err);
// Sends what is queued, reads every answer and gives the last one (NULL: not wanted). After the first error
// the server skips the rest, and the error is that one.
bool pg_answers(struct pg *q, PGresult **ret, struct err *err);
bool pg_command(struct pg *q, const char *sql, struct err *err); // both
bool pg_prepare(struct pg *q, struct str sql, struct pg_stmt *s, struct err *err);
// Several statements, outside the pipeline.
bool pg_script(struct pg *q, struct str sql, struct err *err);

// ---- values.c
bool pg_values(struct pg *q, const struct pg_stmt *s, struct err *err); // fills q->pointers, lengths, formats
bool pg_type_readable(Oid type);
int64_t pg_i64(const PGresult *r, int row, int col);
double pg_f64(const PGresult *r, int row, int col);

// ---- errors.c
// The error of an answer. *ret_fatal: the server ends the connection. *ret_again: the transaction met another
// one.
bool pg_error(const PGresult *r, struct err *err, bool *ret_fatal, bool *ret_again);
// Why no connection came about, from the text of libpq (PQERRORS_SQLSTATE).
bool pg_connect_error(const char *text, struct err *err);

#endif
