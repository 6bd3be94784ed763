// SPDX-License-Identifier: Apache-2.0
// Two ways to write a flush: a statement per row (flush.c), or a few statements for all rows (flush_rows.c).
#ifndef STORE_SQL_FLUSH_H
#define STORE_SQL_FLUSH_H

#include "store/sql/sql.h"

// Whether this connection takes rows and no row of the flush stands twice in it (then their order decides,
// and each row needs a statement of its own).
bool flush_fits_rows(struct db *d, const struct flush *f);
// Exact like the other way, except that an id of a run that exists already fails all of it: ERR_CONFLICT,
// which nothing else gives. each: by the quickest way, where the engine has it, which also fails so when any
// row is not as expected.
bool flush_rows(struct store *st, struct db *d, struct flush *f, bool each, struct err *err);
// The status a run must have to end.
static inline int finish_from(const struct run *r)
{
    return r->token ? RUN_RUNNING : RUN_QUEUED; // token 0 is nobody's: such a run waits
}

#endif
