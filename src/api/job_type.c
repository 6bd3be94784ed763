// SPDX-License-Identifier: Apache-2.0
// Job types over REST: what can be created here, and how.
#include "app/job_type.h"

#include "api/handlers.h"

bool api_job_types_list(struct call *c, struct err *err)
{
    struct job_type_info *v;
    size_t n = 0;
    if (!app_job_types(c->app, &c->caller, &v, &n, c->a, err))
        return false;
    list_begin(c);
    for (size_t i = 0; i < n; i++) {
        list_next(c, i);
        call_one(c, &job_type_info_fields, &v[i]);
    }
    // All on the one page: there are a dozen.
    list_end(c, &(struct page){.size = (int64_t)n}, &(struct page_result){.total = (int64_t)n});
    return true;
}

bool api_job_type_get(struct call *c, struct err *err)
{
    struct job_type_info v;
    if (!app_job_type(c->app, &c->caller, c->param[0], &v, c->a, err))
        return false;
    call_one(c, &job_type_info_fields, &v);
    return true;
}
