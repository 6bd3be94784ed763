// SPDX-License-Identifier: Apache-2.0
// SQL of users on databases of users: any text, rows as a stream, and an end to everything that takes too long.
//
//     target ──query_open──► connection ──query_session──► (begin) → start → next … next → (commit) ──► reset | close
//
// A connection belongs to one thread; only query_interrupt may come from another. Memory is bounded by one row,
// whatever the size of a result. What goes wrong says whether it was the connection, the time or the statement.
// Passwords are in no text. This knows none of the prepared statements of db.h.
#ifndef DB_QUERY_H
#define DB_QUERY_H

#include <stdatomic.h>

#include "base/time.h"
#include "db/query_target.h"
#include "db/query_text.h"

enum query_type {
    QUERY_NULL,
    QUERY_BOOL,
    QUERY_I64,
    QUERY_F64,
    QUERY_DECIMAL, // text: digits as the database keeps them
    QUERY_TEXT,
    QUERY_BYTES,
    QUERY_JSON,
    QUERY_DATE,
    QUERY_TIME,
    QUERY_TIMESTAMP,
};
struct query_value {
    enum query_type type;
    int64_t i;       // BOOL, I64
    double f;        // F64
    struct str text; // the others; valid until the next row
};
struct query_column {
    struct str name;
    enum query_type type; // QUERY_NULL: differs from row to row
};

enum { QUERY_CODE_MAX = 24 };
// Codes: ERR_UNAVAILABLE (no connection, or lost), ERR_TIMEOUT (the statement's
// time), ERR_BUSY (another transaction was in the way), ERR_UNKNOWN_COMMIT, ERR_INVALID (everything else about the
// statement or the sign-in).
struct query_err {
    struct err e;
    char code[QUERY_CODE_MAX]; // SQLSTATE "42P01", "SQLITE_BUSY"; "" when the server did not speak
};

struct query_options {
    const struct query_target *target;
    const char *application;    // what the server shows as the owner of the connection
    struct duration patience;   // to connect
    const _Atomic bool *stop;   // set by another thread: connecting ends soon; NULL: never
    struct str address;         // numeric, of the server: resolved and judged by the caller
    // A file: its name in an open folder (both absent for ":memory:"), and files that must not be opened.
    int folder;
    struct str file;
    struct strs refused;
    bool create; // it may be new
};
enum query_isolation {
    QUERY_ISOLATION_DEFAULT,
    QUERY_READ_UNCOMMITTED,
    QUERY_READ_COMMITTED,
    QUERY_REPEATABLE_READ,
    QUERY_SERIALIZABLE,
};
struct query_session {
    struct duration statement_time; // of each statement, kept by the server; 0: as long as it takes
    bool read_only;                 // kept by the database
};

struct query;
struct query_ops {
    void (*close)(struct query *q);
    bool (*session)(struct query *q, const struct query_session *s, struct query_err *err);
    bool (*begin)(struct query *q, enum query_isolation isolation, struct query_err *err);
    bool (*commit)(struct query *q, struct query_err *err);
    bool (*start)(struct query *q, struct str sql, const struct query_value *v, size_t n, struct query_err *err);
    bool (*next)(struct query *q, bool *ret_row, struct query_err *err);
    struct query_value (*value)(struct query *q, size_t column);
    void (*interrupt)(struct query *q);
    bool (*reset)(struct query *q);
    bool (*alive)(struct query *q);
};
struct query {
    const struct query_ops *ops;
    // Of the present result, filled by the engine:
    struct query_column *columns;
    size_t n_columns;
    int64_t affected; // rows changed; −1: it changes none. Known when the last row was read
    _Atomic bool interrupted;
};

// Connects to the address that was given, never to another one that the server's name stands for.
bool query_open(const struct query_options *o, struct query **ret, struct query_err *err)
    __attribute__((warn_unused_result));
// Also in the middle of a result: the server is told to stop. NULL is fine.
void query_close(struct query *q);
// What holds until query_reset. First on each connection, whether new or used before.
bool query_session(struct query *q, const struct query_session *s, struct query_err *err)
    __attribute__((warn_unused_result));
// A transaction around what follows. There is no rollback: close or reset.
bool query_begin(struct query *q, enum query_isolation isolation, struct query_err *err)
    __attribute__((warn_unused_result));
bool query_commit(struct query *q, struct query_err *err) __attribute__((warn_unused_result));
// Runs a statement (query_statement.sql) with a value for each place. What is bound must live until its last row. The
// result before must have been read to its end.
bool query_start(struct query *q, struct str sql, const struct query_value *v, size_t n, struct query_err *err)
    __attribute__((warn_unused_result));
// Moves to the next row; false in *ret_row: there is none, and the statement is done.
bool query_next(struct query *q, bool *ret_row, struct query_err *err) __attribute__((warn_unused_result));
struct query_value query_value(struct query *q, size_t column); // of the present row
// From any thread while q lives: what runs now fails soon, and on the server too. Such a connection is to be closed.
void query_interrupt(struct query *q);
// Ends a transaction and forgets all of the session (settings, temporary tables, locks); false: close it.
bool query_reset(struct query *q) __attribute__((warn_unused_result));
bool query_alive(struct query *q); // without waiting

#endif
