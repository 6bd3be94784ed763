// SPDX-License-Identifier: Apache-2.0
// How a store gets its connections. Of a database that is away nobody waits: after a failed attempt the next
// one comes after a random pause, one thread at a time makes it, and everybody else gets the last error at
// once.
#ifndef STORE_SQL_CONNECT_H
#define STORE_SQL_CONNECT_H

#include "base/clock.h"
#include "base/rng.h"
#include "base/sync.h"
#include "db/db.h"

typedef bool (*connect_fn)(void *ctx, bool read_only, struct db **ret, struct err *err);

struct connector {
    // constant:
    connect_fn open;
    void *ctx;
    const struct clock *clock; // NULL: a file, which is opened whenever asked for
    struct mutex lock;
    // under lock:
    struct rng rng;
    struct err last; // of the last attempt; code ERR_NONE: it succeeded
    struct mono again;
    bool trying; // somebody tries again
};

void connector_init(struct connector *c, connect_fn open, void *ctx, const struct clock *clock);
void connector_release(struct connector *c);
static inline bool connector_of_server(const struct connector *c) { return c->clock != NULL; }
// Owner of *ret: caller, db_close.
bool connector_open(struct connector *c, bool read_only, struct db **ret, struct err *err)
    __attribute__((warn_unused_result));
// Makes sure that *d (may be NULL) is a living connection.
bool connector_keep(struct connector *c, bool read_only, struct db **d, struct err *err)
    __attribute__((warn_unused_result));

#endif
