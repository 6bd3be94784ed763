// SPDX-License-Identifier: Apache-2.0
// Users lately read. Every request reads its user, and users hardly ever change. Only for an engine that this
// process has for itself: there every change passes through this store, so what is remembered is never stale.
#ifndef STORE_SQL_USER_MEMORY_H
#define STORE_SQL_USER_MEMORY_H

#include "base/sync.h"
#include "model/user.h"

enum { USERS_REMEMBERED = 256, USER_MEMORY_BUDGET = 4096 };

struct user_place {
    struct user user; // strings in arena; id zero = empty
    struct arena arena;
};
struct user_memory {
    struct mutex lock;    // guards all below
    struct user_place *v; // USERS_REMEMBERED places, by the id's last byte
    int64_t changes;      // counts every change of any user
};

void user_memory_init(struct user_memory *m);
void user_memory_release(struct user_memory *m);
// A copy in the arena; false when not remembered (or the arena is full). *ret_changes: hand it to
// user_memory_put.
bool user_memory_get(struct user_memory *m, struct ulid id, struct user *ret, int64_t *ret_changes,
                     struct arena *a);
// Remembers what was read, unless a user changed since user_memory_get.
void user_memory_put(struct user_memory *m, const struct user *u, int64_t changes);
// A user changed, or who is in which team: after the commit.
void user_memory_forget(struct user_memory *m, struct ulid id);
void user_memory_forget_all(struct user_memory *m);

#endif
