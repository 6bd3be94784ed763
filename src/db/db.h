// SPDX-License-Identifier: Apache-2.0
// A database engine: connections, prepared statements, transactions. Knows no table of ours.
//
// To add an engine write db/<name>/<name>.c: a const struct db_ops and a const struct db_engine. Nothing else includes
// the vendor's header. A connection belongs to one thread at a time and has no lock of its own.
// Statements are prepared once per connection and found by a small number (db_stmt_at). Columns count from 0,
// parameters from 1. What is bound is not copied: it must live until the statement is done or reset.
#ifndef DB_DB_H
#define DB_DB_H

#include "base/err.h"
#include "base/ulid.h"

struct db;
struct db_stmt;
struct db_url;

// Whose SQL a statement is written in.
enum db_dialect { DB_SQLITE, DB_POSTGRES, DB_MYSQL, DB_DIALECTS };

struct db_config {
    // A server:
    const struct db_url *url;
    const char *application;  // what the server shows as the owner of the connection
    struct duration patience; // to connect, and of an answer that does not come: then the connection is lost
    // A file:
    const char *path;
    // Exactly one connection of the process may be the writer of a file: it alone also does db_tidy.
    bool read_only;
    bool relaxed;      // the last commits may be lost at power loss
    int64_t cache_kib; // memory for pages, taken as needed
    size_t slots;      // size of the statement cache
};
struct db_engine {
    const char *name;
    enum db_dialect dialect;
    // Opens, or creates when it is the writer; the folder must exist. Errors name the path and the remedy:
    // ERR_IO, ERR_CORRUPT (not a database, damaged), ERR_BUSY; of a server ERR_UNAVAILABLE (not there now), ERR_CONFIG
    // (refuses us, or is not what we need). No password in any text.
    bool (*open)(const struct db_config *c, struct db **ret, struct err *err);
};
extern const struct db_engine db_engine_sqlite, db_engine_postgres, db_engine_mysql;

// One value of a row that is given to a statement together with others.
enum db_cell_kind { DB_CELL_NULL, DB_CELL_I64, DB_CELL_TEXT, DB_CELL_BLOB };
struct db_cell {
    enum db_cell_kind kind;
    int64_t i;
    struct str bytes; // TEXT, BLOB
};

struct db_ops {
    const char *name; // "sqlite"
    void (*close)(struct db *d);
    bool (*prepare)(struct db *d, struct str sql, struct db_stmt **ret, struct err *err);
    void (*finalize)(struct db_stmt *s);
    // Binding cannot fail visibly: what could not be bound fails the next step.
    void (*bind_null)(struct db_stmt *s, int at);
    void (*bind_i64)(struct db_stmt *s, int at, int64_t v);
    void (*bind_f64)(struct db_stmt *s, int at, double v);
    void (*bind_text)(struct db_stmt *s, int at, struct str v);
    void (*bind_blob)(struct db_stmt *s, int at, const void *p, size_t n);
    bool (*step)(struct db_stmt *s, bool *ret_row, struct err *err);
    void (*reset)(struct db_stmt *s);
    bool (*is_null)(struct db_stmt *s, int col);
    int64_t (*i64)(struct db_stmt *s, int col);
    double (*f64)(struct db_stmt *s, int col);
    struct str (*bytes)(struct db_stmt *s, int col);
    int64_t (*changes)(struct db *d);
    int64_t (*changes_total)(struct db *d);
    bool (*script)(struct db *d, struct str sql, struct err *err);
    bool (*begin)(struct db *d, struct err *err);
    bool (*commit)(struct db *d, struct err *err);
    void (*rollback)(struct db *d);
    bool (*savepoint)(struct db *d, struct err *err);
    bool (*savepoint_release)(struct db *d, struct err *err);
    bool (*savepoint_rollback)(struct db *d, struct err *err);
    bool (*in_transaction)(struct db *d);
    // Files only, else NULL.
    int64_t (*backlog)(struct db *d);
    bool (*tidy)(struct db *d, struct err *err);
    // Servers only, else NULL.
    bool (*alive)(struct db *d);
    bool (*later)(struct db_stmt *s, struct err *err);
    void (*bind_rows)(struct db_stmt *s, const struct db_cell *cells, size_t rows, size_t columns);
    bool (*run_each)(struct db_stmt *s, const struct db_cell *cells, size_t rows, size_t columns, struct err *err);
    bool (*migrations_lock)(struct db *d, bool on, struct err *err);
    bool (*cluster_note)(struct db *d, const char **ret, struct err *err);
    bool ddl_commits; // a change of the schema commits by itself, and the transaction around it
    // Notices of the server, where it has them, else NULL.
    bool (*listen)(struct db *d, const char *channel, struct err *err);
    bool (*wait)(struct db *d, struct duration at_most, bool *ret_heard, struct err *err);
};

struct db {
    const struct db_ops *ops;
    enum db_dialect dialect;
    bool runs_each; // db_run_each is there
    struct db_stmt **cache; // by slot; NULL = not prepared yet
    size_t cache_n;
};
struct db_stmt {
    struct db *db;
};
// Ends the connection and every statement of it. NULL is allowed.
static inline void db_close(struct db *d)
{
    if (d)
        d->ops->close(d);
}
// The statement of a slot (< cache_n), prepared at first use. It is the connection's.
bool db_stmt_at(struct db *d, size_t slot, struct str sql, struct db_stmt **ret, struct err *err)
    __attribute__((warn_unused_result));

static inline void db_null(struct db_stmt *s, int at) { s->db->ops->bind_null(s, at); }
static inline void db_put_i64(struct db_stmt *s, int at, int64_t v) { s->db->ops->bind_i64(s, at, v); }
static inline void db_put_f64(struct db_stmt *s, int at, double v) { s->db->ops->bind_f64(s, at, v); }
// Absent text is NULL.
static inline void db_put_text(struct db_stmt *s, int at, struct str v) { s->db->ops->bind_text(s, at, v); }
static inline void db_put_blob(struct db_stmt *s, int at, const void *p, size_t n)
{
    s->db->ops->bind_blob(s, at, p, n);
}
// 16 bytes; binds the memory of *id.
static inline void db_put_id(struct db_stmt *s, int at, const struct ulid *id)
{
    s->db->ops->bind_blob(s, at, id->b, sizeof id->b);
}
// Moves to the next row; false in *ret_row: done, and the statement is reset.
// Errors: ERR_BUSY, ERR_FULL, ERR_CORRUPT, ERR_IO, ERR_CONFLICT (a constraint), ERR_UNAVAILABLE.
static inline bool db_step(struct db_stmt *s, bool *ret_row, struct err *err)
{
    return s->db->ops->step(s, ret_row, err);
}
// Runs a statement that gives no rows.
static inline bool db_run(struct db_stmt *s, struct err *err)
{
    bool row;
    return s->db->ops->step(s, &row, err);
}
// Must be called when leaving a statement before its last row.
static inline void db_reset(struct db_stmt *s) { s->db->ops->reset(s); }

// Columns of the current row. Text and blobs are valid until the next step or reset; NULL gives {NULL,0} or
// 0.
static inline bool db_is_null(struct db_stmt *s, int col) { return s->db->ops->is_null(s, col); }
static inline int64_t db_i64(struct db_stmt *s, int col) { return s->db->ops->i64(s, col); }
static inline double db_f64(struct db_stmt *s, int col) { return s->db->ops->f64(s, col); }
static inline struct str db_bytes(struct db_stmt *s, int col) { return s->db->ops->bytes(s, col); }
// All zero when it is NULL or not 16 bytes.
struct ulid db_id(struct db_stmt *s, int col);

// Rows of the last INSERT, UPDATE or DELETE; and of all since the connection was opened.
static inline int64_t db_changes(struct db *d) { return d->ops->changes(d); }
static inline int64_t db_changes_total(struct db *d) { return d->ops->changes_total(d); }
// Several statements without parameters or results.
static inline bool db_script(struct db *d, struct str sql, struct err *err)
{
    return d->ops->script(d, sql, err);
}

// A transaction that takes the write lock at once. One savepoint deep.
static inline bool db_begin(struct db *d, struct err *err) { return d->ops->begin(d, err); }
// After a failure the transaction is rolled back. ERR_UNKNOWN_COMMIT where the outcome cannot be known.
static inline bool db_commit(struct db *d, struct err *err) { return d->ops->commit(d, err); }
static inline void db_rollback(struct db *d) { d->ops->rollback(d); }
static inline bool db_savepoint(struct db *d, struct err *err) { return d->ops->savepoint(d, err); }
static inline bool db_savepoint_release(struct db *d, struct err *err)
{
    return d->ops->savepoint_release(d, err);
}
static inline bool db_savepoint_rollback(struct db *d, struct err *err)
{
    return d->ops->savepoint_rollback(d, err);
}
// False also after the engine gave the transaction up by itself (disk full, I/O error).
static inline bool db_in_transaction(struct db *d) { return d->ops->in_transaction(d); }

// Work the engine has put off (SQLite: pages in the write-ahead log), and doing it. Outside transactions.
static inline int64_t db_backlog(struct db *d) { return d->ops->backlog ? d->ops->backlog(d) : 0; }
static inline bool db_tidy(struct db *d, struct err *err) { return !d->ops->tidy || d->ops->tidy(d, err); }

// ---- servers -----------------------------------------------------------------------------------
// Between statements, errors are: ERR_BUSY (deadlock, serialization, lock time-out: the transaction is gone, run it
// again), ERR_UNAVAILABLE (connection lost or refused), ERR_UNKNOWN_COMMIT (lost while committing).

// False once the connection is lost: close it and open another.
static inline bool db_alive(struct db *d) { return !d->ops->alive || d->ops->alive(d); }
// Runs a statement without rows whose count is of no interest. It may be sent together with later ones: its failure
// then shows in the next db_step, db_later or db_commit. What is bound is copied.
static inline bool db_later(struct db_stmt *s, struct err *err)
{
    return s->db->ops->later ? s->db->ops->later(s, err) : db_run(s, err);
}
// Whether db_put_rows is there.
static inline bool db_takes_rows(const struct db *d) { return d->ops->bind_rows != NULL; }
// Binds rows × columns cells (row by row) as all parameters of a statement whose text takes them as its dialect does:
// PostgreSQL one array per column ($1 … $columns, unnest), MySQL one JSON array of arrays (?1, JSON_TABLE; blobs as
// upper-case hex). The cells must live until the statement is done.
static inline void db_put_rows(struct db_stmt *s, const struct db_cell *cells, size_t rows, size_t columns)
{
    s->db->ops->bind_rows(s, cells, rows, columns);
}
// The first parameter behind the rows, for values that are the same for all of them; bound after db_put_rows.
static inline int db_after_rows(const struct db *d, size_t columns)
{
    return d->dialect == DB_POSTGRES ? (int)columns + 1 : 2;
}
// Runs a statement once for each row of parameters, sent together; db_changes is the sum. Where db.runs_each says so.
static inline bool db_run_each(struct db_stmt *s, const struct db_cell *cells, size_t rows, size_t columns,
                               struct err *err)
{
    return s->db->ops->run_each(s, cells, rows, columns, err);
}
// Keeps other processes from migrating the same database until turned off (or the connection ends).
static inline bool db_migrations_lock(struct db *d, bool on, struct err *err)
{
    return !d->ops->migrations_lock || d->ops->migrations_lock(d, on, err);
}
// What the operator should know of the servers behind this one: a sentence, or NULL.
static inline bool db_cluster_note(struct db *d, const char **ret, struct err *err)
{
    if (d->ops->cluster_note)
        return d->ops->cluster_note(d, ret, err);
    *ret = NULL;
    return true;
}

#endif
