// SPDX-License-Identifier: Apache-2.0
// What the files about accounts share in memory. The lock is held.
#ifndef STORE_MEMORY_ACCOUNT_H
#define STORE_MEMORY_ACCOUNT_H

#include "store/memory/memory.h"

struct membership {
    struct ulid team, user;
    int role;
};

extern const struct account_ops mem_account_ops;

// Fills teams and n_teams. False: the arena is full.
bool teams_of(struct mem *m, struct ulid user, struct user *ret, struct arena *a);
bool user_answer(struct mem *m, const struct user *u, struct user *ret, struct arena *a, struct err *err);
bool no_other_admin(struct mem *m, const struct user *u);
// Removes those of a family, of a user, or (user, before) the user's expired ones. Starts again after each,
// because removing moves slots.
void sessions_remove(struct mem *m, const struct ulid *family, const struct ulid *user, struct instant before);
// Memberships of a team, of a user; zero: any.
void memberships_remove(struct mem *m, struct ulid team, struct ulid user);
void secrets_remove(struct mem *m, struct ulid scope);
bool has_no_jobs(struct mem *m, struct ulid owner, const char *what, struct err *err);

bool mem_team_insert(struct store *s, const struct team *t, struct err *err);
bool mem_team_get(struct store *s, struct ulid id, struct team *ret, struct arena *a, struct err *err);
bool mem_team_update(struct store *s, const struct team *t, struct err *err);
bool mem_team_delete(struct store *s, struct ulid id, struct err *err);
bool mem_teams_list(struct store *s, struct ulid user, const struct page *p, struct team **ret, size_t *ret_n,
                    struct page_result *ret_page, struct arena *a, struct err *err);
bool mem_members_list(struct store *s, struct ulid team, struct team_member **ret, size_t *ret_n, struct arena *a,
                      struct err *err);
bool mem_member_role(struct store *s, struct ulid team, struct ulid user, int *ret, struct err *err);
bool mem_member_put(struct store *s, struct ulid team, struct ulid user, int role, struct err *err);
bool mem_member_remove(struct store *s, struct ulid team, struct ulid user, struct err *err);

// Rows that begin with their id, sorted by it, as a page: the places of those in [0, n) that match. Out: pointers.
struct id_page {
    const void **v; // all that match, in id order
    size_t n;
    size_t first, count; // of the page, in its direction: id_page_at
    bool ascending;
    struct page_result result;
};
bool id_page_cut(struct id_page *l, const struct page *p, char list, struct arena *a, struct err *err);
const void *id_page_at(const struct id_page *l, size_t i);

#endif
