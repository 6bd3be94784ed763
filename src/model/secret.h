// SPDX-License-Identifier: Apache-2.0
// A secret: a value that jobs use as {{secret.NAME}} and nobody can read back. It belongs to the jobs of one user, or
// to everybody's.
#ifndef MODEL_SECRET_H
#define MODEL_SECRET_H

#include "base/field.h"

enum {
    SECRET_NAME_MAX = 64,           // letters, digits, '_', '-', '.'
    SECRET_VALUE_MIN = 4,           // shorter ones could not be masked without masking everything
    SECRET_VALUE_MAX = 16 * 1024,   // bytes
    SECRETS_MAX = 1000,             // of one scope
};

struct secret {
    struct ulid scope; // the user whose jobs may use it; zero: every job may
    struct str name;
    struct ulid owner_id; // who put it
    struct str sealed;    // auth/vault.h
    struct instant created_at, updated_at;
    bool shared; // derived: scope is zero
    struct ulid team_id; // derived: the scope, when it is a team
};
extern const struct fields secret_fields; // as it may be shown: without the value

bool secret_name_ok(struct str name);

#endif
