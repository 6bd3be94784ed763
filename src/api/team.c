// SPDX-License-Identifier: Apache-2.0
// Teams over REST.
#include "app/team.h"

#include "api/handlers.h"

bool api_team_create(struct call *c, struct err *err)
{
    struct team t;
    char text[ULID_TEXT_MAX];
    if (!call_decode(c, &t, err) || !app_team_create(c->app, &c->caller, &t, &t, c->a, err))
        return false;
    call_header(c, "Location", arena_fmt(c->a, "/api/v1/teams/%s", ulid_format(t.id, text)));
    call_one(c, &team_fields, &t);
    return true;
}

bool api_teams_list(struct call *c, struct err *err)
{
    struct page p;
    bool mine = query_bool(c, "mine", false);
    query_page(c, &team_fields, &p);
    struct team *v;
    size_t n = 0;
    struct page_result r = {0};
    if (!call_faulty(c, err) || !app_teams_list(c->app, &c->caller, mine, &p, &v, &n, &r, c->a, err))
        return false;
    list_begin(c);
    for (size_t i = 0; i < n; i++) {
        list_next(c, i);
        call_one(c, &team_fields, &v[i]);
    }
    list_end(c, &p, &r);
    return true;
}

bool api_team_get(struct call *c, struct err *err)
{
    struct ulid id;
    struct team t;
    if (!call_id(c, 0, &id, err) || !app_team_get(c->app, &c->caller, id, &t, c->a, err))
        return false;
    call_one(c, &team_fields, &t);
    return true;
}

bool api_team_edit(struct call *c, struct err *err)
{
    struct ulid id;
    struct team t, edit = {.members = FIELD_ABSENT};
    CLEANUP_JSON json_t *v = NULL;
    if (!call_id(c, 0, &id, err) || !app_team_get(c->app, &c->caller, id, &t, c->a, err) || !call_json(c, &v, err))
        return false;
    if (!json_object_get(v, "name")) // a patch needs no name
        (void)json_object_set_new(v, "name", json_stringn(t.name.p, t.name.n));
    (void)field_decode(&team_fields, v, FIELD_DECODE_STRICT, STR(""), &edit, c->a, &c->faults);
    edit.id = id;
    if (!call_faulty(c, err) ||
        !app_team_edit(c->app, &c->caller, &edit, json_object_get(v, "description") != NULL, &t, c->a, err))
        return false;
    call_one(c, &team_fields, &t);
    return true;
}

bool api_team_delete(struct call *c, struct err *err)
{
    struct ulid id, to = query_id(c, "transferTo");
    return call_id(c, 0, &id, err) && call_faulty(c, err) &&
           app_team_delete(c->app, &c->caller, id, to, c->a, err);
}

// One page: a team is bounded.
bool api_members_list(struct call *c, struct err *err)
{
    struct ulid id;
    struct team_member *v;
    size_t n = 0;
    if (!call_id(c, 0, &id, err) || !app_members_list(c->app, &c->caller, id, &v, &n, c->a, err))
        return false;
    struct page p = {.size = TEAM_MEMBERS_MAX};
    struct page_result r = {.total = (int64_t)n};
    list_begin(c);
    for (size_t i = 0; i < n; i++) {
        list_next(c, i);
        call_one(c, &team_member_fields, &v[i]);
    }
    list_end(c, &p, &r);
    return true;
}

bool api_member_put(struct call *c, struct err *err)
{
    struct ulid id, user;
    struct team t;
    struct team_member m;
    if (!call_id(c, 0, &id, err) || !call_id(c, 1, &user, err) ||
        !app_team_get(c->app, &c->caller, id, &t, c->a, err) || !call_decode(c, &m, err) ||
        !app_member_put(c->app, &c->caller, id, user, m.role, &m, c->a, err))
        return false;
    call_one(c, &team_member_fields, &m);
    return true;
}

bool api_member_remove(struct call *c, struct err *err)
{
    struct ulid id, user;
    return call_id(c, 0, &id, err) && call_id(c, 1, &user, err) &&
           app_member_remove(c->app, &c->caller, id, user, c->a, err);
}
