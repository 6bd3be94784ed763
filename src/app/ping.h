// SPDX-License-Identifier: Apache-2.0
// Pings of work that runs elsewhere, for jobs of type MONITOR. Who knows the address may ping; it is shown to those who
// may run the job.
#ifndef APP_PING_H
#define APP_PING_H

#include "app/app.h"

struct monitors;

enum ping_kind { PING_KIND_START, PING_KIND_SUCCESS, PING_KIND_FAILURE, PING_KIND_LOG };
enum { PING_BODY_MAX = 10 * 1024 }; // bytes that are kept of a body: its end, where errors stand

struct ping_note {
    int kind;          // enum ping_kind
    int64_t exit_code; // of a failure
    struct str body;   // what the work printed; may be absent
};

// Before requests are answered; without it pings are stored and found when a run ends.
void app_set_monitors(struct app *app, struct monitors *m);
// Stored when this returns. ERR_NOT_FOUND: the address is not one of ours, or its job is gone or no MONITOR.
bool app_ping(struct app *app, struct str key, const struct ping_note *p, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));

struct ping_address {
    struct str path; // "/ping/…"
    struct str url;  // of this node, or of the installation when it has a public address
};
extern const struct fields ping_address_fields;
// ERR_NOT_FOUND; ERR_INVALID when the job is no MONITOR.
bool app_ping_address(struct app *app, const struct caller *c, struct ulid job_id, struct ping_address *ret,
                      struct arena *a, struct err *err) __attribute__((warn_unused_result));

#endif
