// SPDX-License-Identifier: Apache-2.0
// Field tables of teams and their members.
#include "model/team.h"

const char *const team_role_names[] = {"MEMBER", "MANAGER", NULL};

#define T struct team
static const struct field rows[] = {
    FIELD_ID(T, id, "id", .flags = FIELD_READ_ONLY | FIELD_INDEXED, .doc = "Identifier (ULID)."),
    FIELD_STR(T, name, "name", .flags = FIELD_REQUIRED, .min = 1, .max = TEAM_NAME_MAX,
              .doc = "What people call the team; no two have the same name."),
    FIELD_STR(T, description, "description", .max = TEAM_DESCRIPTION_MAX, .doc = "Free text for people."),
    FIELD_I64(T, members, "memberCount", .flags = FIELD_READ_ONLY, .max = INT64_MAX,
              .doc = "How many people are in it."),
    FIELD_INSTANT(T, created_at, "createdAt", .flags = FIELD_READ_ONLY, .doc = "When it was made."),
};
#undef T
const struct fields team_fields = FIELDS("Team", struct team, rows, .doc = "People who own jobs and secrets together.");

#define T struct team_member
static const struct field member_rows[] = {
    FIELD_ID(T, user_id, "userId", .flags = FIELD_READ_ONLY, .doc = "The user."),
    FIELD_STR(T, email, "email", .flags = FIELD_READ_ONLY, .doc = "Address of the user."),
    FIELD_ENUM(T, role, "role", team_role_names, FIELD_DEFAULT(TEAM_MEMBER),
               .doc = "A MANAGER also takes people in and out."),
};
static const struct field membership_rows[] = {
    FIELD_ENUM(T, role, "role", team_role_names, FIELD_DEFAULT(TEAM_MEMBER),
               .doc = "A MANAGER also takes people in and out."),
};
#undef T
const struct fields team_member_fields =
    FIELDS("TeamMember", struct team_member, member_rows, .doc = "Somebody in a team.");
const struct fields team_membership_fields =
    FIELDS("TeamMembership", struct team_member, membership_rows, .doc = "What somebody is in a team.");
