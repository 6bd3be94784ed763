// SPDX-License-Identifier: Apache-2.0
// What is the same for every engine: the statement cache and identifiers as 16 bytes.
#include "db/db.h"

bool db_stmt_at(struct db *d, size_t slot, struct str sql, struct db_stmt **ret, struct err *err)
{
    must(slot < d->cache_n);
    if (!d->cache[slot] && !d->ops->prepare(d, sql, &d->cache[slot], err))
        return false;
    *ret = d->cache[slot];
    return true;
}

struct ulid db_id(struct db_stmt *s, int col)
{
    struct ulid id = ULID_ZERO;
    struct str b = db_bytes(s, col);
    if (b.n == sizeof id.b)
        memcpy(id.b, b.p, sizeof id.b);
    return id;
}
