// SPDX-License-Identifier: Apache-2.0
// Field table of dead letters.
#include "model/dlq.h"

#define T struct dead_letter
static const struct field rows[] = {
    FIELD_ID(T, id, "id", .flags = FIELD_READ_ONLY | FIELD_INDEXED, .doc = "Identifier (ULID)."),
    FIELD_ID(T, job_id, "jobId", .flags = FIELD_READ_ONLY, .doc = "Job whose occurrence failed for good."),
    FIELD_STR(T, job_name, "jobName", .flags = FIELD_READ_ONLY, .doc = "Name of that job."),
    FIELD_ID(T, last_run_id, "lastRunId", .flags = FIELD_READ_ONLY, .doc = "Last attempt."),
    FIELD_ID(T, run_key, "runKey", .flags = FIELD_READ_ONLY, .doc = "Key of the occurrence."),
    FIELD_INSTANT(T, scheduled, "scheduledTime", .flags = FIELD_READ_ONLY, .doc = "Occurrence that failed."),
    FIELD_STR(T, reason, "reason", .flags = FIELD_READ_ONLY, .doc = "One sentence on why it was given up."),
    FIELD_STR(T, error_class, "errorClass", .flags = FIELD_READ_ONLY, .doc = "Class of the last failure."),
    FIELD_I64(T, attempts, "attempts", .flags = FIELD_READ_ONLY, .max = INT64_MAX, .doc = "Attempts made."),
    FIELD_I64(T, job_version, "jobVersion", .flags = FIELD_READ_ONLY, .max = INT64_MAX,
              .doc = "Version of the job that failed."),
    FIELD_JSON(T, definition, "job", .flags = FIELD_READ_ONLY | FIELD_HIDDEN, .doc = "The job as it was."),
    FIELD_JSON(T, inputs, "parameters", .flags = FIELD_READ_ONLY, .doc = "Parameters given at run time."),
    FIELD_INSTANT(T, created_at, "createdAt", .flags = FIELD_READ_ONLY, .doc = "When it was given up."),
    FIELD_BOOL(T, resolved, "resolved", .flags = FIELD_READ_ONLY | FIELD_INDEXED,
               .doc = "Whether somebody dealt with it."),
    FIELD_INSTANT(T, resolved_at, "resolvedAt", .flags = FIELD_READ_ONLY | FIELD_NULLABLE,
                  .doc = "When it was resolved."),
    FIELD_STR(T, resolved_by, "resolvedBy", .flags = FIELD_READ_ONLY | FIELD_NULLABLE,
              .doc = "Who resolved it."),
    FIELD_STR(T, resolution, "resolution", .flags = FIELD_READ_ONLY | FIELD_NULLABLE,
              .doc = "What was done about it."),
    FIELD_ID(T, replay_run_id, "replayRunId", .flags = FIELD_READ_ONLY | FIELD_NULLABLE,
             .doc = "Run that replays it."),
};
#undef T
const struct fields dead_letter_fields =
    FIELDS("DeadLetter", struct dead_letter, rows, .doc = "An occurrence that used up its attempts.");
