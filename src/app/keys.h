// SPDX-License-Identifier: Apache-2.0
// The signing keys of access tokens, as the nodes share them: the ring (auth/keyring.h) in the setting
// "auth.signingKeys". A node looks at it again every few seconds while it is used, and at once, though not more often
// than KEYS_ASK_MS, when a token names a key it does not know: so what any node signs is believed by all.
#ifndef APP_KEYS_H
#define APP_KEYS_H

#include "app/app.h"
#include "auth/keyring.h"

enum { KEYS_LOOK_S = 3, KEYS_ASK_MS = 200 };

struct keys;

struct keys *keys_new(struct store *s, const struct clock *clock, const struct token_key *root);
void keys_free(struct keys *k); // NULL is fine

// With the newest key, and as token_verify with the key that the token names. Thread-safe.
bool keys_sign(struct app *app, const struct token_claims *claims, struct str *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
bool keys_verify(struct app *app, struct str token, struct token_claims *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));

struct key_rotation_request {
    bool revoke; // the old keys count no more
};
struct key_rotation {
    struct str key_id;   // of the new key
    int64_t believed;    // keys, this one included
    struct instant at;
};
extern const struct fields key_rotation_request_fields, key_rotation_fields;

// A new signing key. Nobody has to sign in again unless the old ones are revoked.
bool app_key_rotate(struct app *app, const struct caller *c, const struct key_rotation_request *r,
                    struct key_rotation *ret, struct arena *a, struct err *err) __attribute__((warn_unused_result));
// The same on the store itself, without a server when c is NULL; the caller is for the audit trail alone.
bool keys_rotate(struct app *app, const struct caller *c, bool revoke, struct key_rotation *ret, struct arena *a,
                 struct err *err) __attribute__((warn_unused_result));
extern const struct str keys_setting;

#endif
