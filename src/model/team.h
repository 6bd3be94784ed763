// SPDX-License-Identifier: Apache-2.0
// Teams: people who own jobs and secrets together. What belongs to a team belongs to each of its members.
#ifndef MODEL_TEAM_H
#define MODEL_TEAM_H

#include "base/field.h"

enum team_role { TEAM_MEMBER, TEAM_MANAGER };
extern const char *const team_role_names[];
enum {
    TEAM_NAME_MAX = 100,
    TEAM_DESCRIPTION_MAX = 500,
    TEAM_MEMBERS_MAX = 500,
};

struct team {
    struct ulid id;
    struct str name; // unique
    struct str description;
    int64_t members; // how many; derived
    struct instant created_at;
};
extern const struct fields team_fields;

struct team_member {
    struct ulid user_id;
    struct str email;
    int role; // enum team_role
};
extern const struct fields team_member_fields, team_membership_fields;

#endif
