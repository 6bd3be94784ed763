// SPDX-License-Identifier: Apache-2.0
// How far a job has read rows that are ordered by a column: the last value, and which rows of that value went.
//
// Several rows may have one value, and more of them may come later. The next read therefore begins AT the value, and
// the rows of it that went already are known by their hashes: each stands for one row. Beyond DB_POSITION_TIES_MAX of
// them nothing is known, and all rows of the value go once more.
#ifndef JOBS_DB_POSITION_H
#define JOBS_DB_POSITION_H

#include "base/sbuf.h"
#include "db/query.h"

enum { DB_POSITION_TIES_MAX = 2000, DB_POSITION_TEXT_MAX = 64 * 1024, DB_POSITION_VALUE_MAX = 4096 };

struct db_position {
    bool known;             // there is a value
    bool exact;             // the ties are known
    struct query_value v;   // its text in `text`
    char text[DB_POSITION_VALUE_MAX];
    uint64_t ties[DB_POSITION_TIES_MAX]; // rows of this value that went
    size_t n;
    uint64_t *before; // those of the run before, not met yet in this one; on the heap
    size_t n_before;
};

void db_position_release(struct db_position *p);
// From the text of db_position_write, or from the JSON value of a payload (strict: rows after it; nothing of it went).
bool db_position_read(struct db_position *p, struct str text, struct err *err) __attribute__((warn_unused_result));
bool db_position_start(struct db_position *p, struct str json, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
void db_position_write(const struct db_position *p, struct sbuf *out);

enum db_position_step { DB_POSITION_NEW, DB_POSITION_GONE_BEFORE, DB_POSITION_BACKWARDS, DB_POSITION_NO_VALUE };
// The next row: its value, and a hash of what it says. Moves on.
enum db_position_step db_position_move(struct db_position *p, const struct query_value *v, uint64_t hash);

#endif
