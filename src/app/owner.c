// SPDX-License-Identifier: Apache-2.0
// Owners: users and teams. Rules: app/owner.h.
#include "app/owner.h"

// Absence is an answer, everything else a failure.
static bool found_or_absent(bool found, struct err why, bool *ret, struct err *err)
{
    *ret = found;
    if (found || why.code == ERR_NOT_FOUND)
        return true;
    *err = why;
    return false;
}

static bool user_find(struct app *app, struct ulid id, bool *ret_found, struct user *ret, struct arena *a,
                      struct err *err)
{
    struct err why = {0};
    return found_or_absent(app->store->ops->user_get(app->store, id, ret, a, &why), why, ret_found, err);
}

static bool team_find(struct app *app, struct ulid id, bool *ret_found, struct team *ret, struct arena *a,
                      struct err *err)
{
    struct err why = {0};
    return found_or_absent(app->store->ops->accounts->team_get(app->store, id, ret, a, &why), why, ret_found, err);
}

bool owner_as_caller(struct app *app, struct ulid owner, bool *ret_found, struct caller *ret, struct arena *a,
                     struct err *err)
{
    struct user u;
    struct team t;
    bool found;
    if (!user_find(app, owner, &found, &u, a, err))
        return false;
    if (found) {
        *ret_found = u.enabled;
        *ret = (struct caller){.signed_in = true, .user_id = u.id, .email = u.email, .roles = user_role_bits(&u),
                               .teams = u.teams, .n_teams = u.n_teams};
        return true;
    }
    if (!team_find(app, owner, &found, &t, a, err))
        return false;
    *ret_found = found;
    if (found)
        *ret = (struct caller){.signed_in = true, .user_id = owner, .email = arena_fmt(a, "team %.*s", STR_ARG(t.name)),
                               .roles = 1u << ROLE_USER};
    return true;
}

bool caller_in_team(const struct caller *c, struct ulid team)
{
    for (size_t i = 0; i < c->n_teams; i++)
        if (ulid_eq(c->teams[i], team))
            return true;
    return false;
}

bool owner_team_check(struct app *app, const struct caller *c, enum reach reach, struct ulid team, const char *field,
                      struct arena *a, struct err *err)
{
    struct team t;
    bool found = caller_in_team(c, team);
    if (!found && reach == REACH_ALL && !team_find(app, team, &found, &t, a, err))
        return false;
    if (found)
        return true;
    (void)ERR(err, ERR_INVALID, "is no team of yours: \"chronos team list\" shows them");
    return err_at(err, field);
}

bool owner_exists(struct app *app, struct ulid owner, const char *field, bool *ret_team, struct arena *a,
                  struct err *err)
{
    struct user u;
    struct team t;
    bool found;
    *ret_team = false;
    if (!user_find(app, owner, &found, &u, a, err))
        return false;
    if (!found && !team_find(app, owner, ret_team, &t, a, err))
        return false;
    if (found || *ret_team)
        return true;
    (void)ERR(err, ERR_INVALID, "is neither a user nor a team");
    return err_at(err, field);
}
