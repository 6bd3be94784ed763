// SPDX-License-Identifier: Apache-2.0
// People and their sessions.
#ifndef MODEL_USER_H
#define MODEL_USER_H

#include "base/field.h"

enum role { ROLE_ADMIN, ROLE_OPERATOR, ROLE_USER, ROLE_VIEWER, ROLE_AUDITOR };
extern const char *const role_names[];
enum {
    EMAIL_MAX = 254,
    PASSWORD_MIN = 12,
    PASSWORD_MAX = 1024,
    USER_TEAMS_MAX = 32,
    ONE_TIME_PASSWORD_S = 72 * 3600, // how long one is good that an administrator gave
};

struct user {
    struct ulid id;
    struct str email;         // lower case
    struct str password_hash; // argon2id, PHC string
    struct strs roles;        // words of role_names
    bool enabled;
    int64_t session_epoch; // counted up to revoke every token at once
    struct instant created_at;
    // The password was given by an administrator: good until then, for a sign-in that changes it. 0: one's own.
    struct instant one_time_until;
    bool must_change; // derived: one_time_until is not 0
    // Not written by user_insert and user_update:
    int64_t read_epoch; // session_epoch as it was read
    const struct ulid *teams;
    size_t n_teams; // ≤ USER_TEAMS_MAX
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
