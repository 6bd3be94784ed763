// SPDX-License-Identifier: Apache-2.0
// People and their sessions.
#ifndef MODEL_USER_H
#define MODEL_USER_H

#include "base/field.h"

enum role { ROLE_ADMIN, ROLE_OPERATOR, ROLE_USER, ROLE_VIEWER, ROLE_AUDITOR };
extern const char *const role_names[];
enum { EMAIL_MAX = 254, PASSWORD_MIN = 12, PASSWORD_MAX = 1024 };

struct user {
    struct ulid id;
    struct str email;         // lower case
    struct str password_hash; // argon2id, PHC string
    struct strs roles;        // words of role_names
    bool enabled;
    int64_t session_epoch; // counted up to revoke every token at once
    struct instant created_at;
};
extern const struct fields user_fields;
unsigned user_role_bits(const struct user *u); // 1 << enum role

// A refresh token: only its hash is kept. Rotation replaces it inside its family; a used one that
// comes back revokes the family (RFC 9700 §4.14).
struct session {
    uint8_t token_hash[32]; // SHA-256 / BLAKE2b of the token
    struct ulid family;
    struct ulid user_id;
    struct instant created_at, expires_at;
    bool used;
};

// True for something@something without blanks or control characters, ≤ EMAIL_MAX.
bool email_valid(struct str s);

#endif
