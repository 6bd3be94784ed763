// SPDX-License-Identifier: Apache-2.0
// Field table of dead letters.
#include "model/dlq.h"

#include "base/json.h"

#define REPLAY_MEMBER "replay"

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
    FIELD_JSON(T, inputs, "parameters", FIELD_IS_OBJECT, .flags = FIELD_READ_ONLY,
               .doc = "Parameters given at run time."),
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
    FIELD_JSON(T, replay_definition, "replayJob", .flags = FIELD_READ_ONLY | FIELD_HIDDEN,
               .doc = "What the replay runs."),
};
#undef T
const struct fields dead_letter_fields =
    FIELDS("DeadLetter", struct dead_letter, rows, .doc = "An occurrence that used up its attempts.");

struct str replay_inputs(struct str inputs, const struct replay_mark *mark, struct arena *a)
{
    CLEANUP_JSON json_t *v = NULL;
    struct err err;
    char id[ULID_TEXT_MAX];
    if (!mark && !str_contains(inputs, STR("\"" REPLAY_MEMBER "\"")))
        return inputs;
    if (inputs.n == 0 || !json_parse(inputs, &v, &err) || !json_is_object(v)) {
        json_decref(v);
        v = json_object();
    }
    (void)json_object_del(v, REPLAY_MEMBER);
    if (mark)
        (void)json_object_set_new(v, REPLAY_MEMBER,
                                  json_pack("{s:s,s:I,s:b}", "deadLetterId", ulid_format(mark->letter, id),
                                            "jobVersion", (json_int_t)mark->job_version, "edited",
                                            (int)mark->edited));
    if (json_object_size(v) == 0)
        return STR_NONE;
    struct sbuf b;
    sbuf_init(&b, a, FIELD_MAX_DEFAULT * 2);
    json_write(v, &b);
    return sbuf_ok(&b) ? sbuf_str(&b) : STR_NONE;
}

bool replay_letter(struct str inputs, struct ulid *ret)
{
    CLEANUP_JSON json_t *v = NULL;
    struct err err;
    if (inputs.n == 0 || !str_contains(inputs, STR("\"" REPLAY_MEMBER "\"")) || !json_parse(inputs, &v, &err))
        return false;
    return ulid_parse(json_str(json_object_get(json_object_get(v, REPLAY_MEMBER), "deadLetterId")), ret);
}
