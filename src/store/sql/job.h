// SPDX-License-Identifier: Apache-2.0
// Rows of the {job} column list of queries.sql, for get and lists.
#ifndef STORE_SQL_JOB_H
#define STORE_SQL_JOB_H

#include "db/db.h"
#include "store/rows.h"

int job_row_status(struct db_stmt *s);
struct str job_row_definition(struct db_stmt *s); // valid until the next step
// Sets id and number of the cursor, by its sort.
void job_row_cursor(struct db_stmt *s, struct cursor *c);
bool job_row_read(struct db_stmt *s, struct job *ret, struct arena *a, struct err *err);

#endif
