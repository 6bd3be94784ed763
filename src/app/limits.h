// SPDX-License-Identifier: Apache-2.0
// How much one caller may ask, one owner may have and one owner may start: so that a flood of one tenant is
// his own trouble. Each node counts for itself.
#ifndef APP_LIMITS_H
#define APP_LIMITS_H

#include "app/app.h"
#include "auth/rate.h"

struct limits_config { // settings limits.…; 0: no bound
    int64_t requests_per_s, burst;
    int64_t anonymous_per_s;
    int64_t jobs_per_owner;
    int64_t runs_per_s;
};

struct limits;
struct limits *limits_new(const struct limits_config *c);
void limits_free(struct limits *l);

// What to tell the client of his bucket.
struct limit_answer {
    struct rate_answer rate;
    struct rate_terms terms; // per_second 0: there is no bound, and nothing to tell
    const char *what;        // "caller" or "address"
};
// One request of this caller; of his address when he is nobody. An API key has a bucket of its own.
struct limit_answer limits_request(struct limits *l, const struct caller *c, struct mono now);

// Before n jobs are created for an owner, after they were. ERR_THROTTLED names the setting. Two requests at
// the same time may together pass the bound by as many jobs as one request holds.
bool app_limit_jobs(struct app *app, struct ulid owner, int64_t n, struct err *err)
    __attribute__((warn_unused_result));
void app_limit_jobs_made(struct app *app, struct ulid owner, int64_t n);
// Before a run of this owner's job is started by hand. ERR_THROTTLED.
bool app_limit_run(struct app *app, struct ulid owner, struct err *err) __attribute__((warn_unused_result));

#endif
