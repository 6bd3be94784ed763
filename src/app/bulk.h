// SPDX-License-Identifier: Apache-2.0
// One action on all jobs that a filter finds.
#ifndef APP_BULK_H
#define APP_BULK_H

#include "app/app.h"

enum bulk_action { BULK_PAUSE, BULK_RESUME, BULK_DELETE, BULK_RUN };
enum { BULK_MAX = 10000 };

struct bulk_filter {
    struct str name, type, tag;
    int status; // enum job_status or −1
};
struct bulk_request {
    int action; // enum bulk_action
    struct bulk_filter filter;
    int64_t expected; // jobs that the filter should find
};
struct bulk_result {
    int64_t matched;
    int64_t done;
    int64_t failed; // changed, gone or not the caller's meanwhile
    bool dry_run;
};
extern const struct fields bulk_request_fields, bulk_result_fields;

// ERR_CONFLICT, with nothing done, when not exactly `expected` jobs are found; ERR_INVALID when more than
// BULK_MAX are. Each job is changed by itself, as by its own route; one that fails leaves the others.
bool app_jobs_bulk(struct app *app, const struct caller *c, const struct bulk_request *r, bool dry_run,
                   struct bulk_result *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));

#endif
