// SPDX-License-Identifier: Apache-2.0
// Circuit breakers over REST.
#include "app/breaker.h"

#include "api/handlers.h"

bool api_breakers_list(struct call *c, struct err *err)
{
    struct breaker_row *v;
    size_t n = 0;
    if (!app_breakers_list(c->app, &c->caller, &v, &n, c->a, err))
        return false;
    list_begin(c);
    for (size_t i = 0; i < n; i++) {
        list_next(c, i);
        call_one(c, &breaker_fields, &v[i]);
    }
    // All of them are on the one page: a node never knows more than BREAKERS_MAX.
    list_end(c, &(struct page){.size = n ? (int64_t)n : 1}, &(struct page_result){.total = (int64_t)n});
    call_header(c, "Cache-Control", STR("no-store"));
    return true;
}

bool api_breaker_reset(struct call *c, struct err *err)
{
    struct ulid id;
    struct breaker_row row;
    if (!call_id(c, 0, &id, err) || !app_breaker_reset(c->app, &c->caller, id, &row, c->a, err))
        return false;
    call_one(c, &breaker_fields, &row);
    return true;
}
