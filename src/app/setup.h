// SPDX-License-Identifier: Apache-2.0
// The first administrator. No default password exists: either the environment names one at the first start, or the
// server prints a link with a one-time token. Only the token's hash is kept; it lives an hour, is issued anew at each
// start until an administrator exists, and is gone afterwards.
#ifndef APP_SETUP_H
#define APP_SETUP_H

#include "app/session.h"

enum { SETUP_LIFE_S = 3600, SETUP_TRIES_PER_MINUTE = 5 };

// A new token (in the arena), or an absent one when an administrator exists. Invalidates the token before.
bool app_setup_issue(struct app *app, struct str *ret_token, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// From the environment or `chronos admin create`: ERR_CONFLICT when an administrator exists.
bool app_setup_admin(struct app *app, struct str email, struct str password, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));

struct setup_request {
    struct str token, email, password;
};
extern const struct fields setup_request_fields;
// ERR_CONFLICT once an administrator exists, ERR_THROTTLED past the tries of this minute, ERR_UNAUTHENTICATED for a
// wrong or expired token, ERR_INVALID with *faults. Faults of the account do not use the token up.
bool app_setup_finish(struct app *app, const struct caller *c, const struct setup_request *r,
                      struct session_answer *ret, struct faults *faults, struct duration *ret_wait,
                      struct arena *a, struct err *err) __attribute__((warn_unused_result));
// Whether set-up is still open: no administrator exists.
bool app_setup_open(struct app *app, bool *ret, struct err *err) __attribute__((warn_unused_result));

#endif
