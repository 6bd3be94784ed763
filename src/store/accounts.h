// SPDX-License-Identifier: Apache-2.0
// Operations on accounts: users as administrators see them, API keys, teams. A part of the store (store/store.h), with
// its rules; tests/store/account_cases.c holds every implementation to it.
#ifndef STORE_ACCOUNTS_H
#define STORE_ACCOUNTS_H

#include "model/api_key.h"
#include "model/team.h"
#include "model/user.h"

struct store;
struct page;
struct page_result;

struct user_filter {
    struct str email; // part of the address, lower case; absent = any
    int role;         // enum role or −1
    int enabled;      // 0, 1, −1 = any
};

struct account_ops {
    // In the order of ids.
    bool (*users_list)(struct store *s, const struct user_filter *f, const struct page *p, struct user **ret,
                       size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err);
    // With sessions, keys, memberships and secrets. ERR_CONFLICT for the last enabled ADMIN, and while jobs that are
    // not deleted belong to the user.
    bool (*user_delete)(struct store *s, struct ulid id, struct err *err);
    // Jobs that are not deleted.
    bool (*jobs_owned)(struct store *s, struct ulid owner, int64_t *ret, struct err *err);

    bool (*key_insert)(struct store *s, const struct api_key *k, struct err *err);
    // ERR_NOT_FOUND. An expired one is answered all the same.
    bool (*key_by_hash)(struct store *s, const uint8_t hash[API_KEY_HASH_BYTES], struct api_key *ret,
                        struct arena *a, struct err *err);
    // Of one owner, zero: of all; in the order of ids.
    bool (*keys_list)(struct store *s, struct ulid owner, const struct page *p, struct api_key **ret, size_t *ret_n,
                      struct page_result *ret_page, struct arena *a, struct err *err);
    // Of this owner, zero: of anybody. ERR_NOT_FOUND. *ret: what it was, its hash above all.
    bool (*key_delete)(struct store *s, struct ulid id, struct ulid owner, struct api_key *ret, struct arena *a,
                       struct err *err);
    // Its last use, unless a later one is known. A key that is gone is no error.
    bool (*key_used)(struct store *s, struct ulid id, struct instant at, struct err *err);

    bool (*team_insert)(struct store *s, const struct team *t, struct err *err); // ERR_CONFLICT: name taken
    bool (*team_get)(struct store *s, struct ulid id, struct team *ret, struct arena *a, struct err *err);
    // Name and description. ERR_NOT_FOUND, ERR_CONFLICT.
    bool (*team_update)(struct store *s, const struct team *t, struct err *err);
    // With memberships and secrets. ERR_CONFLICT while jobs that are not deleted belong to the team.
    bool (*team_delete)(struct store *s, struct ulid id, struct err *err);
    // Those of a user, zero: all; in the order of ids.
    bool (*teams_list)(struct store *s, struct ulid user, const struct page *p, struct team **ret, size_t *ret_n,
                       struct page_result *ret_page, struct arena *a, struct err *err);
    // All of them, in the order of users' ids.
    bool (*members_list)(struct store *s, struct ulid team, struct team_member **ret, size_t *ret_n, struct arena *a,
                         struct err *err);
    // enum team_role, −1: not in the team.
    bool (*member_role)(struct store *s, struct ulid team, struct ulid user, int *ret, struct err *err);
    // Puts the user into the team or changes the role. ERR_NOT_FOUND: no such team or user. ERR_CONFLICT:
    // TEAM_MEMBERS_MAX or USER_TEAMS_MAX is reached.
    bool (*member_put)(struct store *s, struct ulid team, struct ulid user, int role, struct err *err);
    bool (*member_remove)(struct store *s, struct ulid team, struct ulid user, struct err *err); // ERR_NOT_FOUND
};

#endif
