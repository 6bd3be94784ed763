// SPDX-License-Identifier: Apache-2.0
// Accounts over REST, for administrators.
#include "app/user.h"

#include "api/handlers.h"

static void made_write(struct call *c, const struct user_made *m)
{
    call_header(c, "Cache-Control", STR("no-store"));
    call_one(c, &user_made_fields, m);
}

bool api_user_create(struct call *c, struct err *err)
{
    struct user_request r;
    struct user_made made;
    char text[ULID_TEXT_MAX];
    if (!call_decode(c, &r, err) || !app_user_create(c->app, &c->caller, &r, &made, &c->faults, c->a, err))
        return false;
    call_header(c, "Location", arena_fmt(c->a, "/api/v1/users/%s", ulid_format(made.user.id, text)));
    made_write(c, &made);
    return true;
}

bool api_users_list(struct call *c, struct err *err)
{
    struct page p;
    struct user_filter f = {.email = query_str(c, "email"), .role = query_enum(c, "role", role_names), .enabled = -1};
    if (query_str(c, "enabled").p)
        f.enabled = query_bool(c, "enabled", true);
    query_page(c, &user_fields, &p);
    struct user *v;
    size_t n = 0;
    struct page_result r = {0};
    if (!call_faulty(c, err) || !app_users_list(c->app, &c->caller, &f, &p, &v, &n, &r, c->a, err))
        return false;
    list_begin(c);
    for (size_t i = 0; i < n; i++) {
        list_next(c, i);
        call_one(c, &user_fields, &v[i]);
    }
    list_end(c, &p, &r);
    return true;
}

bool api_user_get(struct call *c, struct err *err)
{
    struct ulid id;
    struct user u;
    if (!call_id(c, 0, &id, err) || !app_user_get(c->app, &c->caller, id, &u, c->a, err))
        return false;
    call_one(c, &user_fields, &u);
    return true;
}

bool api_user_edit(struct call *c, struct err *err)
{
    struct ulid id;
    struct user u;
    struct user_edit e;
    CLEANUP_JSON json_t *v = NULL;
    if (!call_id(c, 0, &id, err) || !app_user_get(c->app, &c->caller, id, &u, c->a, err) || !call_json(c, &v, err))
        return false;
    (void)field_decode(&user_edit_fields, v, FIELD_DECODE_STRICT, STR(""), &e, c->a, &c->faults);
    e.sets_enabled = json_object_get(v, "enabled") != NULL;
    if (!call_faulty(c, err) || !app_user_edit(c->app, &c->caller, id, &e, &u, &c->faults, c->a, err))
        return false;
    call_one(c, &user_fields, &u);
    return true;
}

bool api_user_delete(struct call *c, struct err *err)
{
    struct ulid id, to = query_id(c, "transferTo");
    return call_id(c, 0, &id, err) && call_faulty(c, err) &&
           app_user_delete(c->app, &c->caller, id, to, c->a, err);
}

bool api_user_reset_password(struct call *c, struct err *err)
{
    struct ulid id;
    struct user_reset r;
    struct user_made made;
    struct user u;
    if (!call_id(c, 0, &id, err) || !app_user_get(c->app, &c->caller, id, &u, c->a, err) ||
        !call_decode(c, &r, err) || !app_user_reset_password(c->app, &c->caller, id, &r, &made, c->a, err))
        return false;
    made_write(c, &made);
    return true;
}
