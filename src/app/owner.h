// SPDX-License-Identifier: Apache-2.0
// Owners of jobs and secrets: users, and teams whose members own them together.
#ifndef APP_OWNER_H
#define APP_OWNER_H

#include "app/app.h"

// Somebody with the rights that an owner has now: what runs by itself does so for its owner. A team has the role USER.
// *ret_found false: the owner is gone or disabled.
bool owner_as_caller(struct app *app, struct ulid owner, bool *ret_found, struct caller *ret, struct arena *a,
                     struct err *err) __attribute__((warn_unused_result));
// Whether the caller is in the team.
bool caller_in_team(const struct caller *c, struct ulid team);
// Whether the caller may give things to the team and take them: a member, or who reaches all. ERR_INVALID with the
// field when not, and when there is no such team: both answer alike.
bool owner_team_check(struct app *app, const struct caller *c, enum reach reach, struct ulid team, const char *field,
                      struct arena *a, struct err *err) __attribute__((warn_unused_result));
// Whether anybody can own things under this identifier: a user or a team. ERR_INVALID with the field when not.
// *ret_team: it is a team.
bool owner_exists(struct app *app, struct ulid owner, const char *field, bool *ret_team, struct arena *a,
                  struct err *err) __attribute__((warn_unused_result));

#endif
