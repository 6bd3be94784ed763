// SPDX-License-Identifier: Apache-2.0
// Secrets over REST: values go in and never come out.
#include "app/secret.h"

#include "api/handlers.h"

#define T struct secret_request
static const struct field secret_rows[] = {
    FIELD_STR(T, value, "value", .flags = FIELD_REQUIRED | FIELD_SECRET, .min = SECRET_VALUE_MIN,
              .max = SECRET_VALUE_MAX, .doc = "The value; it is never shown again."),
    FIELD_BOOL(T, shared, "shared", FIELD_DEFAULT(false),
               .doc = "Whether the jobs of every user may use it; for administrators."),
    FIELD_ID(T, team_id, "teamId", .doc = "Team whose jobs may use it; for its members."),
};
#undef T
const struct fields secret_request_fields =
    FIELDS("SecretRequest", struct secret_request, secret_rows, .doc = "A new value of a secret.");

bool api_secret_put(struct call *c, struct err *err)
{
    struct secret_request body;
    struct secret v;
    if (!call_decode(c, &body, err))
        return false;
    struct secret_put p = {.name = c->param[0], .value = body.value, .shared = body.shared,
                           .team_id = body.team_id};
    if (!app_secret_put(c->app, &c->caller, &p, &v, c->a, err))
        return false;
    call_one(c, &secret_fields, &v);
    return true;
}

bool api_secrets_list(struct call *c, struct err *err)
{
    struct secrets_page p = {.cursor = query_str(c, "cursor"),
                             .size = query_i64(c, "size", 1, PAGE_SIZE_MAX, PAGE_SIZE_DEFAULT),
                             .team_id = query_id(c, "teamId")};
    struct page shown = {.size = p.size};
    struct secret *v;
    size_t n = 0;
    struct page_result r = {0};
    if (!call_faulty(c, err) || !app_secrets_list(c->app, &c->caller, &p, &v, &n, &r, c->a, err))
        return false;
    list_begin(c);
    for (size_t i = 0; i < n; i++) {
        list_next(c, i);
        call_one(c, &secret_fields, &v[i]);
    }
    list_end(c, &shown, &r);
    return true;
}

bool api_secret_delete(struct call *c, struct err *err)
{
    bool shared = query_bool(c, "shared", false);
    struct ulid owner = query_id(c, "ownerId"), team = query_id(c, "teamId");
    owner = ulid_is_zero(team) ? owner : team;
    return call_faulty(c, err) && app_secret_delete(c->app, &c->caller, c->param[0], shared, owner, c->a, err);
}

bool api_secrets_rotate(struct call *c, struct err *err)
{
    struct secret_rotation r;
    if (!app_secrets_rotate(c->app, &c->caller, &r, err))
        return false;
    call_one(c, &secret_rotation_fields, &r);
    return true;
}
