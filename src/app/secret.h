// SPDX-License-Identifier: Apache-2.0
// What may be done with secrets: put, list without values, delete, seal all again; and their use by jobs.
//
// A secret belongs to the jobs of the user who put it, or of a team, whoever runs them. An administrator may put
// shared ones for everybody's jobs. A job finds its owner's secret of a name first, then the shared one.
#ifndef APP_SECRET_H
#define APP_SECRET_H

#include "app/app.h"

struct secret_put {
    struct str name, value;
    bool shared;
    struct ulid team_id; // for the jobs of this team; zero: of the caller
};
// *ret is the secret as it may be shown. ERR_INVALID with a field; ERR_DENIED for shared ones without the right.
bool app_secret_put(struct app *app, const struct caller *c, const struct secret_put *p, struct secret *ret,
                    struct arena *a, struct err *err) __attribute__((warn_unused_result));
struct secrets_page {
    struct str cursor; // of the page before; absent: from the start
    int64_t size;
    struct ulid team_id; // those of this team only
};
// Own and shared ones; all for those who may see all. Sealed texts are left out.
bool app_secrets_list(struct app *app, const struct caller *c, const struct secrets_page *p, struct secret **ret,
                      size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// owner zero: the caller's own, or the shared one when there is no own and the caller may. Another owner's: a team's
// for its members, all for those who may reach all.
bool app_secret_delete(struct app *app, const struct caller *c, struct str name, bool shared, struct ulid owner,
                       struct arena *a, struct err *err) __attribute__((warn_unused_result));

struct secret_rotation {
    int64_t total, resealed; // of this call
    int64_t failed;          // sealed with keys that are not here
    bool more;               // ask again
};
extern const struct fields secret_rotation_fields;
// Seals what older keys have sealed with the first one, a bounded number for each call. After a whole pass without a
// failure older keys are not needed any more.
bool app_secrets_rotate(struct app *app, const struct caller *c, struct secret_rotation *ret, struct err *err)
    __attribute__((warn_unused_result));

// ---- without a check of rights ----

// Whether jobs of this owner have such a secret.
bool secret_exists(struct app *app, struct ulid owner, struct str name, bool *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// Its value, in the arena. ERR_NOT_FOUND, and ERR_CONFIG, ERR_CORRUPT when it cannot be opened.
bool secret_value(struct app *app, struct ulid owner, struct str name, struct str *ret, struct arena *a,
                  struct err *err) __attribute__((warn_unused_result));
// A sealed word that proves at start that the keys are the right ones, under the name of its setting.
extern const struct str secret_proof_setting;
struct str secret_proof_new(const struct vault *v, struct arena *a);
// Deletes every secret and the proof: when the key is lost. Returns how many.
bool secrets_forget(struct store *s, int64_t *ret, struct err *err) __attribute__((warn_unused_result));

#endif
