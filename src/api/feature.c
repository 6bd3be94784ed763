// SPDX-License-Identifier: Apache-2.0
// Feature flags and the level of the log, below /actuator.
#include "app/feature.h"

#include "api/handlers.h"
#include "app/log_level.h"

bool api_features_list(struct call *c, struct err *err)
{
    struct feature_view v[FEATURES];
    if (!app_features_list(c->app, &c->caller, v, err))
        return false;
    list_begin(c);
    for (size_t i = 0; i < FEATURES; i++) {
        list_next(c, i);
        call_one(c, &feature_fields, &v[i]);
    }
    list_end(c, &(struct page){.size = FEATURES}, &(struct page_result){.total = FEATURES});
    return true;
}

bool api_feature_set(struct call *c, struct err *err)
{
    struct feature_change change;
    struct feature_view after;
    if (!call_decode(c, &change, err) ||
        !app_feature_set(c->app, &c->caller, c->param[0], change.enabled, &after, c->a, err))
        return false;
    call_one(c, &feature_fields, &after);
    return true;
}

bool api_log_level(struct call *c, struct err *err)
{
    struct log_level_view v;
    if (!app_log_level(c->app, &c->caller, &v, err))
        return false;
    call_one(c, &log_level_fields, &v);
    return true;
}

bool api_log_level_set(struct call *c, struct err *err)
{
    struct log_level_change change;
    struct log_level_view after;
    if (!call_decode(c, &change, err) ||
        !app_log_level_set(c->app, &c->caller, change.level, &after, c->a, err))
        return false;
    call_one(c, &log_level_fields, &after);
    return true;
}
