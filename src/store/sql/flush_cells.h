// SPDX-License-Identifier: Apache-2.0
// Inside of the flush on servers: rows of values, statements that decide about them, new runs. flush_cells.c
// has what every kind of row needs, flush_rows.c the kinds.
#ifndef STORE_SQL_FLUSH_CELLS_H
#define STORE_SQL_FLUSH_CELLS_H

#include "store/sql/flush.h"

enum { BEHIND_MAX = 3 };

struct work {
    struct store *st;
    struct db *d;
    struct flush *f;
    bool each;                         // by a statement for each row
    bool hopeful;                      // a count is enough where all rows are expected to be as they should
    struct db_cell behind[BEHIND_MAX]; // values behind the rows of the next statement, up to the first NULL
    struct arena a;
};

// How the rows of a kind are decided: see queries.sql.
struct deciding {
    enum store_query ask, apply, each;
};

// What a deciding statement is given, and what it gave back.
struct row {
    struct ulid key;
    size_t of; // its place in the flush
    bool won;
    struct ulid more; // the second column
};

// Those that start on time by their schedule, of one instant and owner, need few columns: most of a batch.
struct new_runs {
    struct db_cell *starts, *cells;
    struct ulid *ids;       // of all, in the order of the flush
    const struct run *like; // the first of the starts
    size_t n_starts, n_cells, n;
};

static inline struct db_cell cell_id(const struct ulid *id)
{
    return (struct db_cell){.kind = DB_CELL_BLOB, .bytes = {(const char *)id->b, sizeof id->b}};
}
static inline struct db_cell cell_i64(int64_t v) { return (struct db_cell){.kind = DB_CELL_I64, .i = v}; }
static inline struct db_cell cell_instant(struct instant t)
{
    return (struct db_cell){.kind = instant_is_never(t) ? DB_CELL_NULL : DB_CELL_I64, .i = t.us};
}
static inline struct db_cell cell_text(struct str v)
{
    return (struct db_cell){.kind = v.p ? DB_CELL_TEXT : DB_CELL_NULL, .bytes = v};
}

bool flush_no_memory(struct err *err);
// Runs a statement that gives nothing back; may be sent with the next one.
bool rows_put_off(struct work *w, enum store_query q, const struct db_cell *cells, size_t rows,
                  size_t columns, struct err *err);
int rows_by_key(const void *a, const void *b); // for qsort
void rows_fill(struct row *rows, const struct flush *f, struct ulid key(const struct flush *f, size_t i),
               size_t n);
struct row *rows_find(struct row *v, size_t n, struct ulid key); // among rows by key; NULL
// Rows and cells for n rows of a kind; false: no memory.
bool rows_make(struct work *w, size_t n, size_t columns, struct row **ret_rows, struct db_cell **ret_cells,
               struct err *err);
// Tells the rows which of them were as expected.
bool rows_ask(struct work *w, enum store_query q, const struct db_cell *cells, size_t columns,
              struct row *rows, size_t n, bool more, struct err *err);
// Changes all rows by a statement that gives nothing back but their count. ERR_CONFLICT when it is another one.
bool rows_change_all(struct work *w, enum store_query q, const struct db_cell *cells, size_t columns,
                     struct row *rows, size_t n, struct err *err);
// Asks, and changes those that were as expected where asking alone has not.
bool rows_decide(struct work *w, const struct deciding *q, struct db_cell *cells, size_t columns,
                 struct row *rows, size_t n, bool more, struct err *err);
// Events of the runs of rows that were as expected, in the order of the flush, which has of_all of the kind.
bool rows_tell(struct work *w, const struct row *rows, size_t n, size_t of_all, struct err *err);

bool new_runs_make(struct work *w, size_t max, struct new_runs *ret, struct err *err);
void new_runs_add(const struct work *w, struct new_runs *v, const struct run *r);
bool new_runs_put(struct work *w, const struct new_runs *v, struct err *err);

#endif
