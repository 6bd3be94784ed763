// SPDX-License-Identifier: Apache-2.0
// States of a run, its identity and its field table.
#include "model/run.h"

#include "model/plan.h"

const char *const run_status_names[] = {"QUEUED",    "RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT",
                                        "CANCELLED", "LOST",    "SKIPPED",   "MISSED", NULL};
const char *const run_outcome_names[] = {"SUCCESS", "FAILURE", NULL};
const char *const run_trigger_names[] = {"SCHEDULE", "MANUAL", "API", "RETRY", "REPLAY", "CATCH_UP", "CHAIN", NULL};
const char *const log_severity_names[] = {"DEBUG", "INFO", "WARN", "ERROR", NULL};
const char *const log_stream_names[] = {"system", "stdout", "stderr", NULL};

#define TO(status) (1u << (status))
// Row = from. QUEUED may end without running: cancelled, or skipped by the concurrency rule.
static const unsigned transitions[] = {
    [RUN_QUEUED] = TO(RUN_RUNNING) | TO(RUN_CANCELLED) | TO(RUN_SKIPPED),
    [RUN_RUNNING] = TO(RUN_SUCCEEDED) | TO(RUN_FAILED) | TO(RUN_TIMED_OUT) | TO(RUN_CANCELLED) | TO(RUN_LOST),
    [RUN_MISSED] = 0, // and all other final states
};

bool run_may_move(int from, int to)
{
    must(from >= RUN_QUEUED && from <= RUN_MISSED && to >= RUN_QUEUED && to <= RUN_MISSED);
    return (transitions[from] & TO(to)) != 0;
}

#define T struct run
static const struct field run_rows[] = {
    FIELD_ID(T, id, "id", .flags = FIELD_READ_ONLY | FIELD_INDEXED,
             .doc = "Identifier (ULID; its time is the scheduled instant)."),
    FIELD_ID(T, job_id, "jobId", .flags = FIELD_READ_ONLY, .doc = "Job that ran."),
    FIELD_STR(T, job_name, "jobName", .flags = FIELD_READ_ONLY, .doc = "Name of that job."),
    FIELD_I64(T, job_version, "jobVersion", .flags = FIELD_READ_ONLY, .max = INT64_MAX,
              .doc = "Version of the job that ran."),
    FIELD_INSTANT(T, scheduled, "scheduledTime", .flags = FIELD_READ_ONLY,
                  .doc = "Occurrence this run belongs to."),
    FIELD_INSTANT(T, first_scheduled, "firstScheduledTime", .flags = FIELD_READ_ONLY,
                  .doc = "SKIPPED and MISSED rows may decide several occurrences: the oldest of them."),
    FIELD_I64(T, occurrences, "occurrences", .flags = FIELD_READ_ONLY, .max = INT64_MAX,
              .doc = "How many occurrences this row decides."),
    FIELD_INSTANT(T, due, "dueTime", .flags = FIELD_READ_ONLY, .doc = "QUEUED: when it may start."),
    FIELD_INSTANT(T, start, "startTime", .flags = FIELD_READ_ONLY | FIELD_NULLABLE,
                  .doc = "When it started."),
    FIELD_INSTANT(T, end, "endTime", .flags = FIELD_READ_ONLY | FIELD_NULLABLE, .doc = "When it ended."),
    FIELD_I64(T, attempt, "attempt", .flags = FIELD_READ_ONLY, .max = INT64_MAX,
              .doc = "Number of the attempt, from 1."),
    FIELD_ENUM(T, outcome, "outcome", run_outcome_names, .flags = FIELD_READ_ONLY | FIELD_NULLABLE,
               .doc = "Whether it did its work; null while not ended."),
    FIELD_ENUM(T, status, "status", run_status_names, .flags = FIELD_READ_ONLY | FIELD_INDEXED,
               .doc = "State of the run."),
    FIELD_ENUM(T, trigger, "trigger", run_trigger_names, .flags = FIELD_READ_ONLY, .doc = "What started it."),
    FIELD_ENUM(T, priority, "priority", priority_names, .flags = FIELD_READ_ONLY,
               .doc = "Priority it was started with."),
    FIELD_I64(T, exit_code, "exitCode", .flags = FIELD_READ_ONLY | FIELD_NULLABLE,
              .doc = "HTTP status or exit code of the process."),
    FIELD_STR(T, error_class, "errorClass", .flags = FIELD_READ_ONLY | FIELD_NULLABLE,
              .doc = "Class of the failure, or why it did not run."),
    FIELD_STR(T, error_message, "errorMessage", .flags = FIELD_READ_ONLY | FIELD_NULLABLE,
              .doc = "One sentence on the failure."),
    FIELD_STR(T, worker, "workerId", .flags = FIELD_READ_ONLY | FIELD_NULLABLE, .doc = "Node that ran it."),
    FIELD_I64(T, duration_ms, "durationMs", .flags = FIELD_READ_ONLY | FIELD_NULLABLE,
              .doc = "From start to end."),
    FIELD_I64(T, start_delay_ms, "startDelayMs", .flags = FIELD_READ_ONLY | FIELD_NULLABLE,
              .doc = "From the due instant to the start."),
    FIELD_ID(T, run_key, "runKey", .flags = FIELD_READ_ONLY,
             .doc = "The same over all attempts of one occurrence; handed to every target."),
    FIELD_ID(T, blocked_by, "blockedBy", .flags = FIELD_READ_ONLY,
             .doc = "SKIPPED by overlap: the run in the way."),
    FIELD_JSON(T, inputs, "parameters", FIELD_IS_OBJECT, .flags = FIELD_READ_ONLY,
               .doc = "Parameters given at run time."),
};
#undef T
const struct fields run_fields =
    FIELDS("Run", struct run, run_rows, .doc = "One attempt of one occurrence of a job.");

#define T struct log_line
static const struct field log_line_rows[] = {
    FIELD_I64(T, id, "id", .flags = FIELD_READ_ONLY, .max = INT64_MAX,
              .doc = "Number of the line within its run, from 1."),
    FIELD_ID(T, run_id, "runId", .flags = FIELD_READ_ONLY, .doc = "Run that wrote it."),
    FIELD_INSTANT(T, timestamp, "timestamp", .flags = FIELD_READ_ONLY, .doc = "When it was written."),
    FIELD_ENUM(T, level, "level", log_severity_names, .flags = FIELD_READ_ONLY, .doc = "Severity."),
    FIELD_ENUM(T, stream, "stream", log_stream_names, .flags = FIELD_READ_ONLY, .doc = "Where it came from."),
    FIELD_STR(T, message, "message", .flags = FIELD_READ_ONLY, .doc = "The text."),
    FIELD_JSON(T, context, "context", FIELD_IS_OBJECT, .flags = FIELD_READ_ONLY, .doc = "Further facts as an object."),
};
#undef T
const struct fields log_line_fields =
    FIELDS("LogLine", struct log_line, log_line_rows, .doc = "One line of a run's log.");

// Identities must be equal on every node and for ever, so the hash keys are constants, not secrets.
static const uint8_t run_key_salt[16] = "chronos run key";
static const uint8_t run_id_salt[16] = "chronos run id.";

struct ulid run_key_of(struct ulid job_id, struct instant scheduled)
{
    struct {
        struct ulid job;
        int64_t us;
    } input = {job_id, scheduled.us};
    return ulid_derive(scheduled, run_key_salt, &input, sizeof input);
}

// Where the job's creation stands in a run id, and in steps of how many ms (a power of two) it counts.
enum { CREATED_AT = 6, CREATED_SHIFT = 6 };

struct ulid run_id_of(struct ulid job_id, struct instant scheduled, struct ulid run_key, int64_t attempt)
{
    struct {
        struct ulid key;
        int64_t attempt;
    } input = {run_key, attempt};
    struct ulid id = ulid_derive(scheduled, run_id_salt, &input, sizeof input);
    int64_t created = ulid_time(job_id).us / US_PER_MS >> CREATED_SHIFT;
    id.b[CREATED_AT] = (uint8_t)(created >> 8);
    id.b[CREATED_AT + 1] = (uint8_t)created;
    return id;
}

void run_derive(struct run *r)
{
    bool started = !instant_is_never(r->start), ended = !instant_is_never(r->end);
    bool ran = r->status == RUN_SUCCEEDED || run_status_failed(r->status);
    r->outcome = !ran ? -1 : r->status == RUN_SUCCEEDED ? OUTCOME_SUCCESS : OUTCOME_FAILURE;
    r->duration_ms = started && ended ? instant_since(r->end, r->start).us / US_PER_MS : FIELD_ABSENT;
    if (r->duration_ms != FIELD_ABSENT && r->duration_ms < 0)
        r->duration_ms = 0; // the clock was set back meanwhile
    r->start_delay_ms = started ? instant_since(r->start, r->due).us / US_PER_MS : FIELD_ABSENT;
    if (r->start_delay_ms != FIELD_ABSENT && r->start_delay_ms < 0)
        r->start_delay_ms = 0;
}

int job_status_of(const struct plan *p, const struct run *last)
{
    if (last && last->status == RUN_RUNNING)
        return JOB_RUNNING;
    if (p->state == JOB_STATE_CANCELLED)
        return JOB_CANCELLED;
    if (p->state == JOB_STATE_PAUSED || !p->enabled)
        return JOB_PAUSED;
    if (!instant_is_never(p->next_fire) || (last && last->status == RUN_QUEUED))
        return JOB_SCHEDULED;
    if (!last)
        return JOB_PENDING;
    if (last->status == RUN_SUCCEEDED)
        return JOB_SUCCEEDED;
    return last->status == RUN_CANCELLED ? JOB_CANCELLED : JOB_FAILED;
}
