// SPDX-License-Identifier: Apache-2.0
// The audit trail over REST: lists by what one asks, and whether it holds.
#include "app/audit_verify.h"

#include "api/handlers.h"
#include "model/audit.h"

static bool list(struct call *c, struct audit_filter *f, struct err *err)
{
    struct page p;
    struct audit_record *v;
    size_t n = 0;
    struct page_result r = {0};
    struct instant from = query_instant(c, "from"), to = query_instant(c, "to");
    f->outcome = query_enum(c, "outcome", audit_outcome_names);
    f->actor = query_str(c, "actor");
    f->from = instant_is_never(from) ? (struct instant){0} : from;
    f->before = instant_is_never(to) ? (struct instant){0} : to;
    query_page(c, &audit_record_fields, &p);
    if (!call_faulty(c, err) || !app_audit_list(c->app, &c->caller, f, &p, &v, &n, &r, c->a, err))
        return false;
    list_begin(c);
    for (size_t i = 0; i < n; i++) {
        list_next(c, i);
        call_one(c, &audit_record_fields, &v[i]);
    }
    list_end(c, &p, &r);
    return true;
}

bool api_audit_list(struct call *c, struct err *err)
{
    struct audit_filter f = {.entity_type = query_str(c, "entityType"),
                             .entity_id = query_str(c, "entityId"),
                             .action = query_str(c, "action"),
                             .actor_id = query_id(c, "actorId")};
    return list(c, &f, err);
}

bool api_audit_entity(struct call *c, struct err *err)
{
    struct audit_filter f = {.entity_type = c->param[0], .entity_id = c->param[1]};
    return list(c, &f, err);
}

bool api_audit_action(struct call *c, struct err *err)
{
    struct audit_filter f = {.action = c->param[0]};
    return list(c, &f, err);
}

bool api_audit_user(struct call *c, struct err *err)
{
    struct audit_filter f = {0};
    return call_id(c, 0, &f.actor_id, err) && list(c, &f, err);
}

bool api_audit_verify(struct call *c, struct err *err)
{
    struct audit_verdict v;
    if (!app_audit_verify(c->app, &c->caller, &v, c->a, err))
        return false;
    call_one(c, &audit_verdict_fields, &v);
    call_header(c, "Cache-Control", STR("no-store"));
    return true;
}
