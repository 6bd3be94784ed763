// SPDX-License-Identifier: Apache-2.0
// One attempt of one occurrence. A retried occurrence has several runs with the same run_key.
//
// Identity is uniqueness: the id is derived from the scheduled instant, the run key and the attempt number,
// so the primary key alone decides that an occurrence is started once per attempt, and inserts stay in time
// order. Runs of one job form a chain (prev_run), headed by plan.last_run: history per job needs no index.
#ifndef MODEL_RUN_H
#define MODEL_RUN_H

#include "base/field.h"

enum run_status {
    RUN_QUEUED,
    RUN_RUNNING, // not final
    RUN_SUCCEEDED,
    RUN_FAILED,
    RUN_TIMED_OUT,
    RUN_CANCELLED,
    RUN_LOST,
    RUN_SKIPPED,
    RUN_MISSED
};
enum run_outcome { OUTCOME_SUCCESS, OUTCOME_FAILURE };
enum run_trigger {
    TRIGGER_SCHEDULE,
    TRIGGER_MANUAL,
    TRIGGER_API,
    TRIGGER_RETRY,
    TRIGGER_REPLAY,
    TRIGGER_CATCH_UP,
    TRIGGER_CHAIN
};

extern const char *const run_status_names[], *const run_outcome_names[], *const run_trigger_names[];

static inline bool run_status_final(int s) { return s >= RUN_SUCCEEDED; }
static inline bool run_status_failed(int s) { return s == RUN_FAILED || s == RUN_TIMED_OUT || s == RUN_LOST; }
// The table of legal transitions (semantics §4). Checked when writing and again on rows read back.
bool run_may_move(int from, int to);

enum { RUN_ERROR_MESSAGE_MAX = 1000, RUN_LOST_MAX = 3 };

struct run {
    struct ulid id;
    struct ulid job_id;
    struct str job_name; // joined when read
    int64_t job_version;
    struct instant scheduled;       // the occurrence
    struct instant first_scheduled; // SKIPPED and MISSED rows may cover a range; else = scheduled
    int64_t occurrences;            // how many instants this row decides, ≥ 1
    struct instant due;             // QUEUED: when it may start (retry backoff, runAt)
    struct instant start, end;      // INSTANT_NEVER = not yet
    int64_t attempt;                // from 1
    int64_t lost_count;             // attempts of this occurrence that ended LOST so far
    int status, trigger, priority;
    bool cancel_requested;
    int64_t token;          // fencing token of the owner; 0 = nobody's
    int64_t exit_code;      // FIELD_ABSENT = none; HTTP status or process exit code
    struct str error_class; // "HTTP_5XX", …; for SKIPPED and MISSED the reason ("OVERLAP", "PAUSED")
    struct str error_message;
    struct str worker; // name of the node
    struct str inputs; // JSON object of run-time parameters, or absent
    struct ulid run_key;
    struct ulid prev_run;
    struct ulid blocked_by; // the run in the way, for SKIPPED(OVERLAP)
    // Derived for answers by run_derive:
    int outcome; // −1 while not ended, SKIPPED, MISSED or CANCELLED
    int64_t duration_ms, start_delay_ms;
};
extern const struct fields run_fields; // the API's view (api.md §5)

// Run key of a scheduled occurrence; the same on every node, for ever.
struct ulid run_key_of(struct ulid job_id, struct instant scheduled);
// Id of the n-th attempt of an occurrence: 48 bits scheduled instant in ms, 16 bits of when the job was created (in
// steps of 64 ms, wrapping), 64 bits of hash. The middle part keeps runs of one instant near each other when their
// jobs are: thousands of jobs due at the same second are written page by page, not all over the table.
struct ulid run_id_of(struct ulid job_id, struct instant scheduled, struct ulid run_key, int64_t attempt);
// Fills outcome, duration_ms and start_delay_ms.
void run_derive(struct run *r);

enum log_severity { LOG_LINE_DEBUG, LOG_LINE_INFO, LOG_LINE_WARN, LOG_LINE_ERROR };
enum log_stream { STREAM_SYSTEM, STREAM_STDOUT, STREAM_STDERR };
extern const char *const log_severity_names[], *const log_stream_names[];
enum { LOG_LINE_MAX = 8 * 1024, RUN_OUTPUT_MAX = 10 * 1024 * 1024 };

struct log_line {
    int64_t id; // sequence number within the run, from 1
    struct ulid run_id;
    struct instant timestamp;
    int level, stream;
    struct str message;
    struct str context; // JSON object, or absent
};
extern const struct fields log_line_fields;

// Status of a job from its stored state and its newest run (NULL when it never ran).
struct plan;
int job_status_of(const struct plan *p, const struct run *last);

#endif
