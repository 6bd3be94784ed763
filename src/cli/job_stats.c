// SPDX-License-Identifier: Apache-2.0
// How a job fares: its newest runs in figures.
#include "cli/job_stats.h"

#include "cli/commands.h"
#include "cli/list.h"

enum { LAST_DEFAULT = 100, LAST_MAX = 200, PATH_MAX_BYTES = 512 };

static const struct column columns[] = {{"runs", "runs", COLUMN_TEXT},
                                        {"since", "since", COLUMN_TIME},
                                        {"succeeded", "succeeded", COLUMN_TEXT},
                                        {"failed", "failed", COLUMN_TEXT},
                                        {"success rate", "successRate", COLUMN_TEXT},
                                        {"missed", "missed", COLUMN_TEXT},
                                        {"skipped", "skipped", COLUMN_TEXT},
                                        {"failures in a row", "failuresInARow", COLUMN_TEXT},
                                        {"duration p50", "durationP50Ms", COLUMN_DURATION_MS},
                                        {"duration p95", "durationP95Ms", COLUMN_DURATION_MS},
                                        {"duration max", "durationMaxMs", COLUMN_DURATION_MS},
                                        {"duration last", "durationLastMs", COLUMN_DURATION_MS},
                                        {"duration trend", "durationTrend", COLUMN_TEXT},
                                        {"start delay p50", "startDelayP50Ms", COLUMN_DURATION_MS},
                                        {"start delay p95", "startDelayP95Ms", COLUMN_DURATION_MS},
                                        {"interval expected", "expectedIntervalMs", COLUMN_DURATION_MS},
                                        {"interval actual", "actualIntervalMs", COLUMN_DURATION_MS},
                                        {"cadence drift p95", "cadenceDriftMs", COLUMN_DURATION_MS},
                                        {"next", "nextFireTime", COLUMN_TIME},
                                        {"overdue", "overdueMs", COLUMN_DURATION_MS},
                                        {"drift", "drift", COLUMN_LIST},
                                        {NULL, NULL, COLUMN_TEXT}};

const struct cli_flag job_stats_flags[] = {
    {"last", 'n', "NUMBER", "Look at so many of the newest runs (100, at most 200)"}, {NULL, 0, NULL, NULL}};

int job_stats_run(struct cli *c)
{
    struct client cl;
    struct err err;
    struct str id;
    int64_t last;
    char tail[PATH_MAX_BYTES];
    CLEANUP_REPLY struct reply r = {0};
    if (!flag_i64(c, "last", 1, LAST_MAX, LAST_DEFAULT, &last, &err) || !client_open(c, &cl, &err))
        return cli_fail(c, &err);
    int code = job_resolve(&cl, line_arg(c, 0), &id);
    (void)snprintf(tail, sizeof tail, "/stats?last=%lld", (long long)last);
    if (code == CLI_OK)
        code = client_call(
            &cl, &(struct call){.method = "GET", .path = client_path(&c->arena, "jobs", id, tail)}, &r);
    if (code == CLI_OK)
        output_object(&c->out, columns, "jobId", r.json, r.body, &c->arena);
    return code;
}
