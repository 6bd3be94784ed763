// SPDX-License-Identifier: Apache-2.0
// Operations on how people sign in besides passwords: identities that a provider vouches for, sessions of browsers, and
// values that several nodes change. A part of the store (store/store.h), with its rules; tests/store/sign_on_cases.c
// holds every implementation to it.
#ifndef STORE_SIGN_ON_H
#define STORE_SIGN_ON_H

#include "model/user.h"

struct store;

enum { IDENTITY_KEY_BYTES = 32, IDENTITY_ISSUER_MAX = 512, IDENTITY_SUBJECT_MAX = 255 };
// Somebody at an OpenID provider, and the user he is here.
struct identity {
    uint8_t key[IDENTITY_KEY_BYTES]; // hash of issuer and subject
    struct str issuer, subject;
    struct ulid user_id;
    struct instant created_at;
};

struct sign_on_ops {
    // The user an identity is bound to, while that user exists. ERR_NOT_FOUND.
    bool (*identity_get)(struct store *s, const uint8_t key[IDENTITY_KEY_BYTES], struct ulid *ret_user,
                         struct err *err);
    // Binds it, in one transaction with the new user when `made` is not NULL. ERR_CONFLICT: the identity is bound to a
    // user that exists, or the e-mail address of the new one is taken.
    bool (*identity_put)(struct store *s, const struct identity *v, const struct user *made, struct err *err);

    // ERR_NOT_FOUND. An expired or used one is answered all the same.
    bool (*session_get)(struct store *s, const uint8_t token_hash[32], struct session *ret, struct err *err);
    // Moves its end. One that is gone is no error.
    bool (*session_extend)(struct store *s, const uint8_t token_hash[32], struct instant expires, struct err *err);

    // Replaces the value of a setting while it is `expect`; *ret_done tells whether it was.
    bool (*setting_swap)(struct store *s, struct str key, struct str expect, struct str value, bool *ret_done,
                         struct err *err);
};

#endif
