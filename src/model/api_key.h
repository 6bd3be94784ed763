// SPDX-License-Identifier: Apache-2.0
// API keys: what programs sign in with. A key acts for its owner, within its scopes; only a hash of it is kept.
#ifndef MODEL_API_KEY_H
#define MODEL_API_KEY_H

#include "base/field.h"

enum {
    API_KEY_NAME_MAX = 100,
    API_KEY_SCOPES_MAX = 32,
    API_KEYS_MAX = 100, // of one user
    API_KEY_HASH_BYTES = 32,
    API_KEY_USE_S = 60, // how often the last use is written at most
};

struct api_key {
    struct ulid id, owner_id;
    struct str name;
    uint8_t hash[API_KEY_HASH_BYTES]; // of the token, auth/token.h
    struct strs scopes;               // names of actions, or "*"
    struct instant created_at;
    struct instant expires_at;   // INSTANT_NEVER: never
    struct instant last_used_at; // INSTANT_NEVER: not yet
};
extern const struct fields api_key_fields;

// What somebody asks for.
struct api_key_request {
    struct str name;
    struct strs scopes;
    struct instant expires_at;
};
extern const struct fields api_key_request_fields;

#endif
