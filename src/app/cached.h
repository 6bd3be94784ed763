// SPDX-License-Identifier: Apache-2.0
// Reads that may come from the cache, and the writes that change what they would say. Every change of a user and
// every deletion of a job goes through here; app/cache.h has the argument. For app/ only.
#ifndef APP_CACHED_H
#define APP_CACHED_H

#include "app/app.h"

// What a request is judged by.
struct caller_facts {
    bool enabled;
    unsigned roles; // 1 << enum role
    int64_t session_epoch;
    struct str email;
    const struct ulid *teams;
    size_t n_teams;
};
// ERR_NOT_FOUND: there is no such user.
bool cached_caller(struct app *app, struct ulid id, struct caller_facts *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
bool cached_user_update(struct app *app, const struct user *u, struct err *err) __attribute__((warn_unused_result));
bool cached_user_delete(struct app *app, struct ulid id, struct err *err) __attribute__((warn_unused_result));
// Takes the user into a team or out of it (role −1).
bool cached_member_change(struct app *app, struct ulid team, struct ulid user, int role, struct err *err)
    __attribute__((warn_unused_result));

// True: *ret is the owner of the job, which exists. Else: ask the store, then keep what it says with the ticket.
bool cached_job_owner(struct app *app, struct ulid id, struct cache_ticket *ret_ticket, struct ulid *ret,
                      struct arena *a);
void cached_job_owner_put(struct app *app, struct ulid id, const struct cache_ticket *t, struct ulid owner);
// An edit that gives the job to another owner.
bool cached_job_give(struct app *app, const struct job *j, const struct plan *p, int64_t expect, struct err *err)
    __attribute__((warn_unused_result));
bool cached_job_delete(struct app *app, struct ulid id, int64_t version, struct err *err)
    __attribute__((warn_unused_result));

// A try at a password, counted on this node and over all nodes as far as they share a cache; the stricter count
// decides. So a lost cache makes the bound looser over the nodes, never on one.
struct sign_in_try {
    struct str account, address;
    struct instant at;
    bool shared; // counted over the nodes, too
};
// Zero: go ahead. Else: come back after that time; nothing was counted.
struct duration sign_in_take(struct app *app, struct sign_in_try *t);
void sign_in_give_back(struct app *app, const struct sign_in_try *t);

#endif
