// SPDX-License-Identifier: Apache-2.0
// One action on many jobs, over REST.
#include "app/bulk.h"

#include "api/handlers.h"

bool api_jobs_bulk(struct call *c, struct err *err)
{
    struct bulk_request r;
    struct bulk_result done;
    bool dry_run = query_bool(c, "dryRun", false);
    if (!call_decode(c, &r, err) || !app_jobs_bulk(c->app, &c->caller, &r, dry_run, &done, c->a, err))
        return false;
    call_one(c, &bulk_result_fields, &done);
    return true;
}
