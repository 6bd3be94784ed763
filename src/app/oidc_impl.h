// SPDX-License-Identifier: Apache-2.0
// Between the files of the sign-in by a provider: oidc.c (its course), oidc_provider.c (talking to the provider) and
// oidc_user.c (who it is here).
#ifndef APP_OIDC_IMPL_H
#define APP_OIDC_IMPL_H

#include "app/oidc.h"
#include "auth/id_token.h"
#include "base/sync.h"

struct oidc_text {
    char *p; // NULL: none yet
    size_t n;
    struct mono read;
};
struct oidc {
    struct oidc_settings set;
    struct oidc_web web;
    _Atomic int talks;
    struct mutex lock;
    // under lock:
    struct oidc_text document, keys;
    struct mono keys_minute; // begin of the minute in which keys_asks are counted
    int keys_asks;
};

// What the provider says of itself; asked for when it is not known or old.
bool oidc_provider_now(struct app *app, struct oidc_provider *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// The code against the provider's word on who signed in.
bool oidc_identify(struct app *app, struct str code, struct str verifier, struct str nonce, struct id_token *ret,
                   struct arena *a, struct err *err) __attribute__((warn_unused_result));
// The user behind it, made or changed as the settings say.
bool oidc_user_of(struct app *app, const struct caller *c, const struct id_token *t, struct user *ret, struct arena *a,
                  struct err *err) __attribute__((warn_unused_result));

#endif
