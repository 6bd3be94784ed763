// SPDX-License-Identifier: Apache-2.0
// Why a job runs or does not run at an instant: what is asked one after the other, with what helps.
#ifndef APP_EXPLAIN_H
#define APP_EXPLAIN_H

#include "app/app.h"

enum explain_verdict { EXPLAIN_YES, EXPLAIN_NO, EXPLAIN_NOTE };
extern const char *const explain_verdict_names[]; // "YES": goes on; "NO": stops here; "NOTE": to be known

struct explain_step {
    const char *name; // "enabled", "state", "schedule", "misfire", "concurrency", "breaker", "node"
    int verdict;      // enum explain_verdict
    struct str detail;
    struct str remedy; // a command; absent: none is needed
};
enum { EXPLAIN_STEPS_MAX = 16 };
struct explain {
    struct instant at; // asked about; INSTANT_NEVER: there is no next fire
    bool runs;         // no step says no
    struct str summary;
    struct explain_step v[EXPLAIN_STEPS_MAX];
    size_t n;
};
// at INSTANT_NEVER: the next fire. As things are now: what will be then nobody knows.
bool app_job_explain(struct app *app, const struct caller *c, struct ulid id, struct instant at,
                     struct explain *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));

#endif
