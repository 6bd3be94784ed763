// SPDX-License-Identifier: Apache-2.0
// Teams: administrators make them; managers of a team, and administrators, take people in and out. What belongs to a
// team belongs to its members from the moment they are in it until they leave.
#ifndef APP_TEAM_H
#define APP_TEAM_H

#include "app/app.h"

bool app_team_create(struct app *app, const struct caller *c, const struct team *t, struct team *ret,
                     struct arena *a, struct err *err) __attribute__((warn_unused_result));
// The caller's; all for those who may see all.
bool app_teams_list(struct app *app, const struct caller *c, bool mine, const struct page *p, struct team **ret,
                    size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
bool app_team_get(struct app *app, const struct caller *c, struct ulid id, struct team *ret, struct arena *a,
                  struct err *err) __attribute__((warn_unused_result));
// Name and description; an absent name stays.
bool app_team_edit(struct app *app, const struct caller *c, const struct team *t, bool sets_description,
                   struct team *ret, struct arena *a, struct err *err) __attribute__((warn_unused_result));
// transfer_to: user or team that gets its jobs; zero: ERR_CONFLICT while there are any. Its secrets go.
bool app_team_delete(struct app *app, const struct caller *c, struct ulid id, struct ulid transfer_to,
                     struct arena *a, struct err *err) __attribute__((warn_unused_result));
bool app_members_list(struct app *app, const struct caller *c, struct ulid id, struct team_member **ret,
                      size_t *ret_n, struct arena *a, struct err *err) __attribute__((warn_unused_result));
bool app_member_put(struct app *app, const struct caller *c, struct ulid id, struct ulid user, int role,
                    struct team_member *ret, struct arena *a, struct err *err) __attribute__((warn_unused_result));
// Everybody may leave.
bool app_member_remove(struct app *app, const struct caller *c, struct ulid id, struct ulid user, struct arena *a,
                       struct err *err) __attribute__((warn_unused_result));

#endif
