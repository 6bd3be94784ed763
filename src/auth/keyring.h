// SPDX-License-Identifier: Apache-2.0
// The keys that sign access tokens: the newest signs, the others are still believed until the last token they signed
// has run out. So a key is replaced without anybody having to sign in again.
//
// A ring is a text in the store, one line for each key: "<id> <made, µs> <sealed secret>", the newest first. Secrets
// are sealed with a key that follows from the root, so the text alone signs nothing. Without a text the root itself
// signs; after the first rotation it stands in the text as a line with "-" for its secret. What is derived from the
// root (token_key_derive) never changes by a rotation. A ring never changes: it is replaced by another one.
#ifndef AUTH_KEYRING_H
#define AUTH_KEYRING_H

#include "auth/token.h"

enum {
    KEYRING_MAX = 8,            // keys
    KEYRING_TEXT_MAX = 4096,    // of a ring
    KEYRING_LAG_S = 60,         // other nodes may sign with an old key for so long after a rotation; a generous bound
};

struct keyring;

// The ring of a text; an absent text is the root alone. ERR_CORRUPT: not a text of this root. The root must outlive it.
// Owner of *ret: caller.
bool keyring_of(const struct token_key *root, struct str text, struct keyring **ret, struct err *err)
    __attribute__((warn_unused_result));
void keyring_free(struct keyring *r); // NULL is fine
struct str keyring_text(const struct keyring *r); // as given; absent for the root alone

// The key that signs.
const struct token_key *keyring_newest(const struct keyring *r);
// The key that the token names, if it is believed: the newest, or one that was replaced less than `life` (of an access
// token) and KEYRING_LAG_S ago. NULL: none.
const struct token_key *keyring_find(const struct keyring *r, struct str token, struct instant now,
                                     struct duration life);
// How many keys are believed now.
size_t keyring_believed(const struct keyring *r, struct instant now, struct duration life);

// The text of a ring with a new key in front, in the arena. The keys whose last token is gone are left out; all of the
// old ones when `revoke`. ERR_CONFLICT: KEYRING_MAX keys may still have tokens.
bool keyring_rotated(const struct keyring *r, bool revoke, struct instant now, struct str *ret, struct arena *a,
                     struct err *err) __attribute__((warn_unused_result));

#endif
