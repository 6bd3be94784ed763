// SPDX-License-Identifier: Apache-2.0
// A job: what is to be done, when, and what happens when it fails.
//
// Saved state: the whole definition is stored as the JSON text that job_fields encodes (store:
// jobs.definition). To change a field: add or alter its row in job.c; old texts must still decode (give a
// default); add a migration only when a column is made of it; extend the round-trip test.
#ifndef MODEL_JOB_H
#define MODEL_JOB_H

#include "model/schedule.h"

enum priority { PRIORITY_LOW, PRIORITY_MEDIUM, PRIORITY_HIGH, PRIORITY_CRITICAL };
enum concurrency { CONCURRENCY_ALLOW, CONCURRENCY_FORBID, CONCURRENCY_QUEUE, CONCURRENCY_REPLACE };
enum backoff_strategy { BACKOFF_FIXED, BACKOFF_EXPONENTIAL };
// What a caller sees. Derived, never stored: see job_status_of.
enum job_status {
    JOB_PENDING,
    JOB_SCHEDULED,
    JOB_RUNNING,
    JOB_SUCCEEDED,
    JOB_FAILED,
    JOB_CANCELLED,
    JOB_PAUSED
};
// What is stored: whether the schedule is followed.
enum job_state { JOB_STATE_ACTIVE, JOB_STATE_PAUSED, JOB_STATE_CANCELLED };

extern const char *const priority_names[], *const concurrency_names[], *const backoff_strategy_names[],
                                                                           *const job_status_names[];

enum {
    JOB_NAME_MAX = 200,
    JOB_TAGS_MAX = 32,
    JOB_PAYLOAD_MAX = 256 * 1024,
    RETRY_ATTEMPTS_MAX = 100,
    RETRY_BACKOFF_S_MAX = 86400,
    RETRY_BACKOFF_CAP_S = 3600,
    JOB_TIMEOUT_S_DEFAULT = 300,
    JOB_TIMEOUT_S_MAX = 7 * 86400,
};

struct retry_policy {
    int64_t max_attempts; // all attempts including the first; 0 and 1 both mean one
    int backoff_strategy;
    int64_t backoff_seconds;
    int64_t max_backoff_seconds;
    bool jitter;
    struct strs retry_on; // empty: every failure
};
extern const struct fields retry_policy_fields;

struct job {
    struct ulid id;
    struct str name;
    struct str description;
    struct str type;    // a word of the job-type registry
    struct str payload; // JSON text; its fields belong to the type
    struct str parameters; // JSON list of declarations (model/parameter.h) or absent
    int priority;
    bool enabled;
    struct strs tags;
    struct schedule_spec schedule;
    struct retry_policy retry_policy;
    int64_t timeout_seconds; // per attempt
    int64_t expected_seconds; // a run that takes longer is slow; 0: judged by its history
    int concurrency_policy;
    struct str on_success, on_failure; // lists of model/chain.h, as JSON; absent: none
    // In answers only:
    struct ulid owner_id; // a user, or the team
    struct ulid team_id;  // zero: no team owns the job; else it is owner_id, too
    int status; // enum job_status
    int64_t version;
    struct instant created_at, updated_at;
    struct instant next_fire_time;
    struct ulid last_run_id;
    int64_t run_count;
};
extern const struct fields job_fields;

// Every rule that one job alone can break, payload apart. Adds to *faults.
void job_check(const struct job *j, struct faults *faults);

// A failure of this class is to be retried: retryOn is empty, lists the class itself, a parent of it
// (NETWORK_ERROR ⊃ CONNECTION_ERROR, TIMEOUT; 5XX = HTTP_5XX; 4XX = HTTP_4XX) or its code
// ("503", "EXIT_75"; code may be absent). Letter case is ignored. CIRCUIT_OPEN always is: nothing was tried.
bool retry_policy_covers(const struct retry_policy *p, struct str error_class, struct str code);
// True for the words that retry_policy_covers can ever match; other words are kept and reported in
// `warnings`.
bool retry_word_known(struct str word);

#endif
