// SPDX-License-Identifier: Apache-2.0
// Idle connections to users' databases, kept a while for the next run with the same address and account.
//
// A connection comes in only after query_reset; it leaves for one user at a time. Thread-safe.
#ifndef JOBS_DB_POOL_H
#define JOBS_DB_POOL_H

#include "base/ulid.h"
#include "db/query.h"

enum { DB_POOL_MAX = 32, DB_POOL_PER_KEY_MAX = 4, DB_POOL_IDLE_S = 60 };

struct clock;
struct db_pool;

// Has a thread of its own, which closes what nobody wanted for DB_POOL_IDLE_S.
struct db_pool *db_pool_new(const struct clock *clock);
void db_pool_free(struct db_pool *p); // NULL is fine
// One that is alive, or NULL. Owner: the caller.
struct query *db_pool_take(struct db_pool *p, struct ulid key);
// Takes it over; closes it, or an older one, when there are too many.
void db_pool_give(struct db_pool *p, struct ulid key, struct query *q);

#endif
