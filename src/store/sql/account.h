// SPDX-License-Identifier: Apache-2.0
// What the files about accounts share: rows of users, words in one text, and the rule of the last administrator.
#ifndef STORE_SQL_ACCOUNT_H
#define STORE_SQL_ACCOUNT_H

#include "store/sql/sql.h"

// Words without blanks as one text with a blank between, and back.
struct str words_join(const struct strs *words, char *buf, size_t size);
bool words_split(struct str text, struct strs *ret, struct arena *a);
// The row under a statement whose columns are {user}.
bool user_row_read(struct db_stmt *s, struct user *ret, struct arena *a, struct err *err);

// On a server those who may end the last administrator come one after the other: they write this row first, as two
// set-ups do.
bool admins_lock(struct db *d, struct err *err);
bool last_admin(struct err *err); // ERR_CONFLICT
// Whether a change or the end of the account is allowed; locks its row. ERR_NOT_FOUND, ERR_STALE, ERR_CONFLICT.
bool user_may_change(struct db *d, const struct ulid *id, int64_t read_epoch, bool stays_admin, struct err *err);
// Runs a statement with one parameter, whose count is of no interest.
bool run_with_id(struct db *d, enum store_query q, const struct ulid *id, struct err *err);
// ERR_CONFLICT while jobs that are not deleted belong to the owner; `what` is "user" or "team".
bool owns_no_jobs(struct db *d, const struct ulid *owner, const char *what, struct err *err);
// A count of at most TOTAL_EXACT_MAX + 1 rows, under a statement that is bound; *ret is the page's total.
bool list_total(struct sql_read *r, struct page_result *ret, struct err *err);

extern const struct account_ops sql_account_ops;

bool sql_key_insert(struct store *s, const struct api_key *k, struct err *err);
bool sql_key_by_hash(struct store *s, const uint8_t hash[API_KEY_HASH_BYTES], struct api_key *ret, struct arena *a,
                     struct err *err);
bool sql_keys_list(struct store *s, struct ulid owner, const struct page *p, struct api_key **ret, size_t *ret_n,
                   struct page_result *ret_page, struct arena *a, struct err *err);
bool sql_key_delete(struct store *s, struct ulid id, struct ulid owner, struct api_key *ret, struct arena *a,
                    struct err *err);
bool sql_key_used(struct store *s, struct ulid id, struct instant at, struct err *err);
bool sql_team_insert(struct store *s, const struct team *t, struct err *err);
bool sql_team_get(struct store *s, struct ulid id, struct team *ret, struct arena *a, struct err *err);
bool sql_team_update(struct store *s, const struct team *t, struct err *err);
bool sql_team_delete(struct store *s, struct ulid id, struct err *err);
bool sql_teams_list(struct store *s, struct ulid user, const struct page *p, struct team **ret, size_t *ret_n,
                    struct page_result *ret_page, struct arena *a, struct err *err);
bool sql_members_list(struct store *s, struct ulid team, struct team_member **ret, size_t *ret_n, struct arena *a,
                      struct err *err);
bool sql_member_role(struct store *s, struct ulid team, struct ulid user, int *ret, struct err *err);
bool sql_member_put(struct store *s, struct ulid team, struct ulid user, int role, struct err *err);
bool sql_member_remove(struct store *s, struct ulid team, struct ulid user, struct err *err);

#endif
