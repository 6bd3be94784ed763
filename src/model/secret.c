// SPDX-License-Identifier: Apache-2.0
// What of a secret may be shown, and what its name must look like.
#include "model/secret.h"

#include "model/parameter.h"

_Static_assert((int)SECRET_NAME_MAX == (int)PARAMETER_NAME_MAX, "names of templates follow one rule");

#define T struct secret
static const struct field rows[] = {
    FIELD_STR(T, name, "name", .flags = FIELD_READ_ONLY, .max = SECRET_NAME_MAX,
              .doc = "Name: {{secret.NAME}} in the text fields of a payload."),
    FIELD_BOOL(T, shared, "shared", .flags = FIELD_READ_ONLY, .doc = "Whether every job may use it."),
    FIELD_ID(T, owner_id, "ownerId", .flags = FIELD_READ_ONLY, 
             .doc = "Who put it; without \"shared\" and \"teamId\", whose jobs use it."),
    FIELD_ID(T, team_id, "teamId", .flags = FIELD_READ_ONLY, .doc = "Team whose jobs use it."),
    FIELD_INSTANT(T, created_at, "createdAt", .flags = FIELD_READ_ONLY, .doc = "When it was first put."),
    FIELD_INSTANT(T, updated_at, "updatedAt", .flags = FIELD_READ_ONLY, .doc = "When its value was last put."),
};
#undef T
const struct fields secret_fields =
    FIELDS("Secret", struct secret, rows, .doc = "A value that jobs use and nobody can read back.");

bool secret_name_ok(struct str name) { return parameter_name_ok(name); }
