// SPDX-License-Identifier: Apache-2.0
// What this server is, and what it has done since it began: no store is asked.
#ifndef APP_INFO_H
#define APP_INFO_H

#include "app/app.h"

struct server_info {
    struct str version, compiler, profile, store, node;
    struct instant started;
    int64_t uptime_s;
    struct strs job_types; // that can run here
    struct strs features;  // that are on
};
extern const struct fields server_info_fields;
bool app_info(struct app *app, const struct caller *c, struct server_info *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));

enum { TOTALS_TYPES_MAX = 64 };
// Runs that ended on this node since it began, from its counters.
struct job_totals {
    struct instant since;
    int64_t plans, ready, running, queued; // now
    int64_t by_status[RUN_MISSED + 1];
    struct {
        const char *name;
        int64_t by_status[RUN_MISSED + 1];
    } types[TOTALS_TYPES_MAX]; // that had any
    size_t n;
};
bool app_job_totals(struct app *app, const struct caller *c, struct job_totals *ret, struct err *err)
    __attribute__((warn_unused_result));

#endif
