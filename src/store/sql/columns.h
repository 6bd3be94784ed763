// SPDX-License-Identifier: Apache-2.0
// Rows of our tables as structs, by tables of columns: one row per column drives binding and reading. Their
// order is that of the column lists in queries.sql.
#ifndef STORE_SQL_COLUMNS_H
#define STORE_SQL_COLUMNS_H

#include "db/db.h"
#include "store/store.h"

enum column_kind {
    COLUMN_ID,           // zero = NULL
    COLUMN_INSTANT,      // never = NULL
    COLUMN_INSTANT_LIKE, // the same as another instant = NULL
    COLUMN_MOMENT,       // instant with never as a number, so that it can be compared
    COLUMN_DURATION,
    COLUMN_I64,
    COLUMN_I64_OPTIONAL, // FIELD_ABSENT = NULL
    COLUMN_INT,
    COLUMN_BOOL,
    COLUMN_TEXT, // absent = NULL
};
struct column {
    enum column_kind kind;
    uint16_t offset, like;
};
struct columns {
    const struct column *v;
    int n;
};
extern const struct columns run_columns, plan_columns, dead_letter_columns;

// Binds every column from parameter 1 on. The struct must live until the statement is done.
void columns_bind(const struct columns *t, struct db_stmt *s, const void *row);
// The same as cells, one per column.
void columns_cells(const struct columns *t, const void *row, struct db_cell *ret);
// Reads columns 0 … n−1 into *row; texts go to the arena. False when it has no room.
bool columns_read(const struct columns *t, struct db_stmt *s, void *row, struct arena *a);

// Bound as NULL when absent or never.
void bind_instant(struct db_stmt *s, int at, struct instant t);
void bind_optional_id(struct db_stmt *s, int at, const struct ulid *id);
// Exactly USER_TEAMS_MAX parameters: the teams, then the owner again.
void bind_teams(struct db_stmt *s, int first, const struct ulid *owner, const struct ulid *teams, size_t n);
struct instant read_instant(struct db_stmt *s, int col);

// Rows whose values make sense; else ERR_CORRUPT or, when the arena is full, ERR_UNAVAILABLE.
bool run_read(struct db_stmt *s, struct run *ret, struct arena *a, struct err *err);
bool plan_read(struct db_stmt *s, struct plan *ret, struct arena *a, struct err *err);
// Binds the columns of table plans (job_id … run_count) and of plan_specs (job_id, enabled … dtstart), from
// parameter 1 on.
void plan_bind(struct db_stmt *s, const struct plan *p);
void plan_spec_bind(struct db_stmt *s, const struct plan *p);
// The latter as cells; returns their number.
int plan_spec_cells(const struct plan *p, struct db_cell *ret);

#endif
