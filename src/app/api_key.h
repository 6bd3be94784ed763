// SPDX-License-Identifier: Apache-2.0
// API keys: what programs sign in with ("Authorization: Bearer chr_…"). A key acts for its owner within its scopes and
// never does more than the owner may at that moment. It is shown once; a hash of it is kept.
#ifndef APP_API_KEY_H
#define APP_API_KEY_H

#include "app/app.h"

extern const struct str api_key_prefix; // "chr_"

// What a new key is answered with, the only time it can be seen.
struct api_key_made {
    struct api_key key;
    struct str token;
};
extern const struct fields api_key_made_fields;

// For the caller. One who uses an API key himself gives no scope that his own lacks.
bool app_api_key_create(struct app *app, const struct caller *c, const struct api_key_request *r,
                        struct api_key_made *ret, struct faults *faults, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// The caller's own; those of another owner, or of all (owner zero), for those who may reach all.
bool app_api_keys_list(struct app *app, const struct caller *c, struct ulid owner, bool all, const struct page *p,
                       struct api_key **ret, size_t *ret_n, struct page_result *ret_page, struct arena *a,
                       struct err *err) __attribute__((warn_unused_result));
// At once on this node, within KEY_REMEMBERED_S on others.
bool app_api_key_delete(struct app *app, const struct caller *c, struct ulid id, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));

// The caller behind an API key. ERR_UNAUTHENTICATED.
bool app_api_key_authenticate(struct app *app, struct str token, struct caller *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));

// Whether the key that the caller used is there still. ERR_UNAUTHENTICATED.
bool api_key_lives(struct app *app, const struct caller *c, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));

#endif
