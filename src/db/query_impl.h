// SPDX-License-Identifier: Apache-2.0
// What the engines of query.h share: opening by kind, and how they report. Inside of db/.
#ifndef DB_QUERY_IMPL_H
#define DB_QUERY_IMPL_H

#include "db/query.h"

enum {
    QUERY_SLICE_MS = 100,         // how often a waiting call looks whether it is still wanted
    QUERY_CANCEL_EVERY_MS = 1000, // the server is asked again to stop
    QUERY_CANCEL_MS = 3000,       // then the connection is given up
    QUERY_GRACE_MS = 5000,        // a server that should have stopped by itself gets this much longer
    QUERY_ROW_BYTES_MAX = 64 * 1024 * 1024, // of one row or value, where the engine can be told
};

bool query_open_sqlite(const struct query_options *o, struct query **ret, struct query_err *err);
bool query_open_postgres(const struct query_options *o, struct query **ret, struct query_err *err);
bool query_open_mysql(const struct query_options *o, struct query **ret, struct query_err *err);

// Fills *err; returns false. sqlstate may be "" or NULL.
bool query_fail(struct query_err *err, enum err_code code, const char *sqlstate, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static inline bool query_stopped(const struct query *q)
{
    return atomic_load_explicit(&q->interrupted, memory_order_relaxed);
}
static inline bool query_open_stopped(const struct query_options *o)
{
    return o->stop && atomic_load_explicit(o->stop, memory_order_relaxed);
}
// Makes room for the columns of a result; names are copied by query_column_name. Freed by query_columns_free.
void query_columns_new(struct query *q, size_t n);
void query_column_name(struct query *q, size_t i, struct str name);
void query_columns_free(struct query *q);

#endif
