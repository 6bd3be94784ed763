// SPDX-License-Identifier: Apache-2.0
// How one job fares, over REST.
#include "app/job_stats.h"

#include "api/handlers.h"

bool api_job_stats_of(struct call *c, struct err *err)
{
    struct ulid id;
    struct job_stats s;
    int64_t last = query_i64(c, "last", 1, JOB_STATS_RUNS_MAX, JOB_STATS_RUNS_DEFAULT);
    if (!call_id(c, 0, &id, err) || !call_faulty(c, err) ||
        !app_job_stats(c->app, &c->caller, id, last, &s, c->a, err))
        return false;
    call_one(c, &job_stats_fields, &s);
    call_header(c, "Cache-Control", STR("no-store"));
    return true;
}
