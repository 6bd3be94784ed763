// SPDX-License-Identifier: Apache-2.0
// store/once.h in SQL, and the writes that carry a mark.
#ifndef STORE_SQL_ONCE_H
#define STORE_SQL_ONCE_H

#include "store/once.h"
#include "store/sql/sql.h"

extern const struct once_ops sql_once_ops;

// A write of the request that this thread carries out, if it carries one out.
bool once_write_in(struct store *s, enum sql_lane lane, group_fn fn, void *arg, size_t weight, struct err *err);

#endif
