// SPDX-License-Identifier: Apache-2.0
// Field table of users, and what an e-mail address must look like.
#include "model/user.h"

const char *const role_names[] = {"ADMIN", "OPERATOR", "USER", "VIEWER", "AUDITOR", NULL};

#define T struct user
static const struct field rows[] = {
    FIELD_ID(T, id, "id", .flags = FIELD_READ_ONLY | FIELD_INDEXED, .doc = "Identifier (ULID)."),
    FIELD_STR(T, email, "email", .flags = FIELD_READ_ONLY, .max = EMAIL_MAX,
              .doc = "Address to sign in with."),
    FIELD_STR(T, password_hash, "passwordHash", .flags = FIELD_READ_ONLY | FIELD_HIDDEN | FIELD_SECRET,
              .doc = "argon2id hash of the password."),
    FIELD_STRS(T, roles, "roles", .flags = FIELD_READ_ONLY, .doc = "What the user may do."),
    FIELD_BOOL(T, enabled, "enabled", .flags = FIELD_READ_ONLY, .doc = "Whether the user may sign in."),
    FIELD_I64(T, session_epoch, "sessionEpoch", .flags = FIELD_READ_ONLY | FIELD_HIDDEN, .max = INT64_MAX,
              .doc = "Counted up to revoke every token at once."),
    FIELD_INSTANT(T, created_at, "createdAt", .flags = FIELD_READ_ONLY, .doc = "When the account was made."),
    FIELD_BOOL(T, must_change, "mustChangePassword", .flags = FIELD_READ_ONLY,
               .doc = "Whether the password was given by an administrator and is to be changed at the next sign-in."),
};
#undef T
const struct fields user_fields = FIELDS("User", struct user, rows, .doc = "A person who signs in.");

unsigned user_role_bits(const struct user *u)
{
    unsigned bits = 0;
    for (size_t i = 0; i < u->roles.n; i++) {
        int role = field_enum_find(role_names, u->roles.v[i]);
        if (role >= 0)
            bits |= 1u << role;
    }
    return bits;
}

bool email_valid(struct str s)
{
    size_t at = str_find(s, '@');
    if (at == 0 || at + 1 >= s.n || s.n > EMAIL_MAX ||
        str_find((struct str){s.p + at + 1, s.n - at - 1}, '@') + at + 1 < s.n)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= ' ' || c == 0x7f || c == ',' || c == ';' || c == '<' || c == '>' || c == '"')
            return false;
    }
    return true;
}
