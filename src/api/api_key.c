// SPDX-License-Identifier: Apache-2.0
// API keys over REST. A key is shown in one answer, which nobody may keep in a cache.
#include "app/api_key.h"

#include "api/handlers.h"

bool api_key_create(struct call *c, struct err *err)
{
    struct api_key_request r;
    struct api_key_made made;
    if (!call_decode(c, &r, err) || !app_api_key_create(c->app, &c->caller, &r, &made, &c->faults, c->a, err))
        return false;
    call_header(c, "Cache-Control", STR("no-store"));
    call_one(c, &api_key_made_fields, &made);
    return true;
}

bool api_keys_list(struct call *c, struct err *err)
{
    struct page p;
    struct ulid owner = query_id(c, "ownerId");
    bool all = query_bool(c, "all", false);
    query_page(c, &api_key_fields, &p);
    struct api_key *v;
    size_t n = 0;
    struct page_result r = {0};
    if (!call_faulty(c, err) || !app_api_keys_list(c->app, &c->caller, owner, all, &p, &v, &n, &r, c->a, err))
        return false;
    list_begin(c);
    for (size_t i = 0; i < n; i++) {
        list_next(c, i);
        call_one(c, &api_key_fields, &v[i]);
    }
    list_end(c, &p, &r);
    return true;
}

bool api_key_delete(struct call *c, struct err *err)
{
    struct ulid id;
    return call_id(c, 0, &id, err) && app_api_key_delete(c->app, &c->caller, id, c->a, err);
}
