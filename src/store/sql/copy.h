// SPDX-License-Identifier: Apache-2.0
// Moves everything that lasts from one database to another of any kind: jobs, plans, runs with their logs,
// dead letters, users, sessions, settings, secrets, memos and the events not yet passed on, row by row as they
// are. What belongs to a running cluster (nodes, duties, changes) is not taken along. Secrets stay sealed: only a
// server with the same key can open them there.
//
// Neither store may be in use. The target is marked until the copy has been verified, so that an interrupted
// one can be told from a whole one, and no server starts on it (store_whole).
#ifndef STORE_SQL_COPY_H
#define STORE_SQL_COPY_H

#include "store/store.h"

struct store_copy_table {
    const char *name;
    int64_t rows;
    uint64_t sum; // over all rows in any order; the same in every kind of database
};
enum { STORE_COPY_TABLES = 24 };

struct store_copy {
    struct store *from, *to; // of store_sql.h
    // Called now and then: `done` of about `of` rows of a table were written (or, verifying, read back).
    void (*progress)(void *ctx, const char *table, bool verifying, int64_t done, int64_t of);
    void *ctx;
};

// Errors: ERR_BUSY (a living node uses one of them), ERR_CONFLICT (the target is not empty), ERR_CONFIG (one
// of them is an interrupted copy), ERR_CORRUPT (what was read back differs), and those of the stores.
bool store_copy(const struct store_copy *c, struct store_copy_table ret[static STORE_COPY_TABLES],
                struct err *err) __attribute__((warn_unused_result));
// ERR_CONFIG when the store is the target of a copy that did not come to its end.
bool store_whole(struct store *s, struct err *err) __attribute__((warn_unused_result));

#endif
