// SPDX-License-Identifier: Apache-2.0
// Accounts in the hands of administrators: make, list, change, disable, delete, reset the password.
//
// The last enabled ADMIN stays, whoever changes what at the same time: the store refuses. A change of roles and a
// disabled account count from the next request on, on every node; sessions and tokens of before are revoked.
#ifndef APP_USER_H
#define APP_USER_H

#include "app/app.h"

// A new account. Without a password it gets one that is good for one sign-in, which must change it.
struct user_request {
    struct str email, password;
    struct strs roles; // absent: USER
    bool enabled;
};
extern const struct fields user_request_fields;
// What a PATCH changes; absent members stay.
struct user_edit {
    struct strs roles;
    bool enabled, sets_enabled; // else it stays as it is
};
struct user_reset {
    struct str password; // absent: a new one by chance
};
extern const struct fields user_edit_fields, user_reset_fields;
// The account, and the password that was made for it: the only time it can be seen.
struct user_made {
    struct user user;
    struct str one_time_password; // absent: none was made
};
extern const struct fields user_made_fields;

bool app_user_create(struct app *app, const struct caller *c, const struct user_request *r, struct user_made *ret,
                     struct faults *faults, struct arena *a, struct err *err) __attribute__((warn_unused_result));
bool app_users_list(struct app *app, const struct caller *c, const struct user_filter *f, const struct page *p,
                    struct user **ret, size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
bool app_user_get(struct app *app, const struct caller *c, struct ulid id, struct user *ret, struct arena *a,
                  struct err *err) __attribute__((warn_unused_result));
bool app_user_edit(struct app *app, const struct caller *c, struct ulid id, const struct user_edit *e,
                   struct user *ret, struct faults *faults, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// The password is good for ONE_TIME_PASSWORD_S, for a sign-in that changes it. Every session of the user ends.
bool app_user_reset_password(struct app *app, const struct caller *c, struct ulid id, const struct user_reset *r,
                             struct user_made *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// transfer_to: user or team that gets his jobs; zero: ERR_CONFLICT while there are any. His history stays; sessions,
// API keys, memberships and secrets go.
bool app_user_delete(struct app *app, const struct caller *c, struct ulid id, struct ulid transfer_to,
                     struct arena *a, struct err *err) __attribute__((warn_unused_result));

// -- for app/team.c --
// Before an owner goes: gives every job that is not deleted to transfer_to; zero: ERR_CONFLICT while there are any.
// What was given before a failure stays given. what: "user" or "team", for the sentence. ERR_INVALID at /transferTo.
bool jobs_hand_over(struct app *app, const struct caller *c, struct ulid from, const char *what,
                    struct ulid transfer_to, struct arena *a, struct err *err) __attribute__((warn_unused_result));

#endif
