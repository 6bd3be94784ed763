// SPDX-License-Identifier: Apache-2.0
// Teams. Rules: app/team.h.
#include "app/team.h"

#include "app/audit.h"
#include "app/cached.h"
#include "app/owner.h"
#include "app/user.h"

static bool no_such_team(struct ulid id, struct err *err)
{
    char text[ULID_TEXT_MAX];
    return ERR(err, ERR_NOT_FOUND, "team \"%s\" does not exist", ulid_format(id, text));
}

// Whose team it is not hears the same as of an absent one.
static bool team_read(struct app *app, const struct caller *c, enum reach reach, struct ulid id, struct team *ret,
                      struct arena *a, struct err *err)
{
    struct team t;
    struct err why = {0};
    bool found = app->store->ops->accounts->team_get(app->store, id, &t, a, &why);
    if (!found && why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    if (!found || (reach != REACH_ALL && !caller_in_team(c, id)))
        return no_such_team(id, err);
    *ret = t;
    return true;
}

static void noted(struct app *app, const struct caller *c, const char *action, const struct team *before,
                  const struct team *after, struct arena *a)
{
    const struct team *t = after ? after : before;
    const struct audit_note note = {.action = action, .entity_type = "team", .entity_id = t->id,
                                    .entity_name = t->name, .fields = &team_fields, .before = before, .after = after};
    audit_with(app, c, &note, a);
}

// ---- teams ----

bool app_team_create(struct app *app, const struct caller *c, const struct team *t, struct team *ret,
                     struct arena *a, struct err *err)
{
    enum reach reach;
    struct team made = {.id = app_id(app), .name = str_trim(t->name), .description = t->description,
                        .created_at = clock_now(app->clock)};
    if (!app_authorize(c, ACTION_TEAM_WRITE, &reach, err))
        return false;
    noted(app, c, "team.create", NULL, &made, a);
    if (!app->store->ops->accounts->team_insert(app->store, &made, err))
        return false;
    *ret = made;
    return true;
}

bool app_teams_list(struct app *app, const struct caller *c, bool mine, const struct page *p, struct team **ret,
                    size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err)
{
    enum reach reach;
    if (!app_authorize(c, ACTION_TEAM_READ, &reach, err))
        return false;
    struct ulid user = mine ? c->user_id : app_owner_filter(c, reach);
    return app->store->ops->accounts->teams_list(app->store, user, p, ret, ret_n, ret_page, a, err);
}

bool app_team_get(struct app *app, const struct caller *c, struct ulid id, struct team *ret, struct arena *a,
                  struct err *err)
{
    enum reach reach;
    return app_authorize(c, ACTION_TEAM_READ, &reach, err) && team_read(app, c, reach, id, ret, a, err);
}

bool app_team_edit(struct app *app, const struct caller *c, const struct team *t, bool sets_description,
                   struct team *ret, struct arena *a, struct err *err)
{
    enum reach reach;
    struct team before, after;
    if (!app_authorize(c, ACTION_TEAM_WRITE, &reach, err) || !team_read(app, c, reach, t->id, &before, a, err))
        return false;
    after = before;
    if (t->name.p)
        after.name = str_trim(t->name);
    if (sets_description)
        after.description = t->description;
    noted(app, c, "team.update", &before, &after, a);
    if (!app->store->ops->accounts->team_update(app->store, &after, err))
        return false;
    *ret = after;
    return true;
}

bool app_team_delete(struct app *app, const struct caller *c, struct ulid id, struct ulid transfer_to,
                     struct arena *a, struct err *err)
{
    enum reach reach;
    struct team t;
    if (!app_authorize(c, ACTION_TEAM_WRITE, &reach, err) || !team_read(app, c, reach, id, &t, a, err) ||
        !jobs_hand_over(app, c, id, "team", transfer_to, a, err))
        return false;
    noted(app, c, "team.delete", &t, NULL, a);
    // What caches still say of memberships gives nothing: nothing belongs to the team any more.
    return app->store->ops->accounts->team_delete(app->store, id, err);
}

// ---- members ----

bool app_members_list(struct app *app, const struct caller *c, struct ulid id, struct team_member **ret,
                      size_t *ret_n, struct arena *a, struct err *err)
{
    enum reach reach;
    struct team t;
    return app_authorize(c, ACTION_TEAM_READ, &reach, err) && team_read(app, c, reach, id, &t, a, err) &&
           app->store->ops->accounts->members_list(app->store, id, ret, ret_n, a, err);
}

// Whether the caller may change who is in the team: somebody who reaches all, or a manager of it.
static bool may_manage(struct app *app, const struct caller *c, struct ulid id, struct team *ret, struct arena *a,
                       struct err *err)
{
    enum reach reach;
    int role = -1;
    if (!app_authorize(c, ACTION_TEAM_MANAGE, &reach, err) || !team_read(app, c, reach, id, ret, a, err))
        return false;
    if (reach == REACH_ALL)
        return true;
    return app->store->ops->accounts->member_role(app->store, id, c->user_id, &role, err) &&
           (role == TEAM_MANAGER ||
            ERR(err, ERR_DENIED, "only managers of the team and administrators change who is in it"));
}

static void member_noted(struct app *app, const struct caller *c, const char *action, const struct team *t,
                         const struct team_member *before, const struct team_member *after, struct arena *a)
{
    const struct audit_note note = {.action = action, .entity_type = "team", .entity_id = t->id,
                                    .entity_name = t->name, .fields = &team_member_fields,
                                    .before = before, .after = after};
    audit_with(app, c, &note, a);
}

bool app_member_put(struct app *app, const struct caller *c, struct ulid id, struct ulid user, int role,
                    struct team_member *ret, struct arena *a, struct err *err)
{
    struct team t;
    struct user u;
    struct err why = {0};
    char text[ULID_TEXT_MAX];
    if (!may_manage(app, c, id, &t, a, err))
        return false;
    if (!app->store->ops->user_get(app->store, user, &u, a, &why)) {
        if (why.code == ERR_NOT_FOUND)
            return ERR(err, ERR_NOT_FOUND, "user \"%s\" does not exist", ulid_format(user, text));
        *err = why;
        return false;
    }
    struct team_member m = {.user_id = user, .email = u.email, .role = role};
    member_noted(app, c, "team.member-put", &t, NULL, &m, a);
    if (!cached_member_change(app, id, user, role, err))
        return false;
    *ret = m;
    return true;
}

bool app_member_remove(struct app *app, const struct caller *c, struct ulid id, struct ulid user, struct arena *a,
                       struct err *err)
{
    struct team t;
    enum reach reach;
    bool leaves = ulid_eq(user, c->user_id) && caller_in_team(c, id);
    if (leaves ? !app_authorize(c, ACTION_TEAM_MANAGE, &reach, err) || !team_read(app, c, reach, id, &t, a, err)
               : !may_manage(app, c, id, &t, a, err))
        return false;
    const struct team_member m = {.user_id = user};
    member_noted(app, c, "team.member-remove", &t, &m, NULL, a);
    return cached_member_change(app, id, user, -1, err);
}
