// SPDX-License-Identifier: Apache-2.0
// Field tables of API keys.
#include "model/api_key.h"

#define SCOPES_DOC                                                                                                     \
    "What it may do: names of actions such as \"job.read\", or \"*\". Never more than its owner; what concerns "       \
    "accounts (\"account.write\", \"api-key.write\", \"user.admin\") must be named."

#define T struct api_key
static const struct field rows[] = {
    FIELD_ID(T, id, "id", .flags = FIELD_READ_ONLY | FIELD_INDEXED, .doc = "Identifier (ULID)."),
    FIELD_ID(T, owner_id, "ownerId", .flags = FIELD_READ_ONLY, .doc = "User for whom it acts."),
    FIELD_STR(T, name, "name", .flags = FIELD_READ_ONLY, .max = API_KEY_NAME_MAX, .doc = "What people call it."),
    FIELD_STRS(T, scopes, "scopes", .flags = FIELD_READ_ONLY, .max = API_KEY_SCOPES_MAX, .doc = SCOPES_DOC),
    FIELD_INSTANT(T, created_at, "createdAt", .flags = FIELD_READ_ONLY, .doc = "When it was made."),
    FIELD_INSTANT(T, expires_at, "expiresAt", .flags = FIELD_READ_ONLY | FIELD_NULLABLE,
                  .doc = "From when on it is refused; null: never."),
    FIELD_INSTANT(T, last_used_at, "lastUsedAt", .flags = FIELD_READ_ONLY | FIELD_NULLABLE,
                  .doc = "When it was last used, to the minute; null: not yet."),
};
#undef T
const struct fields api_key_fields =
    FIELDS("ApiKey", struct api_key, rows, .doc = "What a program signs in with; the key itself is shown once.");

#define T struct api_key_request
static const struct field request_rows[] = {
    FIELD_STR(T, name, "name", .flags = FIELD_REQUIRED, .min = 1, .max = API_KEY_NAME_MAX,
              .doc = "What people call it: the program that will use it."),
    FIELD_STRS(T, scopes, "scopes", .flags = FIELD_REQUIRED, .min = 1, .max = API_KEY_SCOPES_MAX, .doc = SCOPES_DOC),
    FIELD_INSTANT(T, expires_at, "expiresAt", .doc = "From when on it is refused; never when absent."),
};
#undef T
const struct fields api_key_request_fields =
    FIELDS("ApiKeyRequest", struct api_key_request, request_rows, .doc = "A new API key.");
