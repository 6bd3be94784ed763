// SPDX-License-Identifier: Apache-2.0
// Rows of a query as a table in a run's log: as many and as wide as a person reads.
//
//     id | name   | created
//     ---+--------+--------------------
//      1 | Ada    | 2024-02-29 12:34:56
#ifndef JOBS_DATABASE_TABLE_H
#define JOBS_DATABASE_TABLE_H

#include "db/query.h"
#include "jobs/runner.h"

enum {
    DATABASE_TABLE_ROWS = 100,   // looked at to find the widths; the table is written in blocks of so many
    DATABASE_CELL_WIDTH_MAX = 60, // characters; longer ones are cut with …
    DATABASE_COLUMNS_MAX = 50,   // further ones are counted only
};

struct database_table {
    struct attempt *a;
    struct arena names, cells; // cells: of the present block
    struct str *v;      // rows × columns
    bool *right;        // columns of numbers
    size_t rows, columns, columns_all;
    bool titled;
};

void database_table_begin(struct database_table *t, struct attempt *a, const struct query *q);
void database_table_row(struct database_table *t, struct query *q); // the present one
void database_table_end(struct database_table *t);
// A value for people; bytes as hex.
struct str database_cell_text(const struct query_value *v, struct arena *a);

#endif
