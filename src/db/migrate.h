// SPDX-License-Identifier: Apache-2.0
// Schema changes in order, each applied once and remembered with the checksum of its text.
#ifndef DB_MIGRATE_H
#define DB_MIGRATE_H

#include "db/db.h"

struct migration {
    int64_t version; // from 1, without gaps
    const char *name;
    struct str sql; // statements without parameters
};

// Applies what is missing, all in one transaction. Where changes of the schema commit by themselves
// (db_ops.ddl_commits) one at a time instead: their texts must be such that they succeed again after an earlier try was
// interrupted. Slots first_slot … first_slot + DB_MIGRATE_SLOTS − 1 of the connection's statement cache are used.
// Errors: ERR_CONFIG when the data was written by a newer program or an applied text differs from ours; else those of
// db_step.
enum { DB_MIGRATE_SLOTS = 4 };
bool db_migrate(struct db *d, size_t first_slot, const struct migration *v, size_t n, struct instant now,
                struct err *err) __attribute__((warn_unused_result));

#endif
