// SPDX-License-Identifier: Apache-2.0
// Dead letters: occurrences that used up their attempts and wait for a person.
#ifndef MODEL_DLQ_H
#define MODEL_DLQ_H

#include "base/field.h"

enum { DLQ_RESOLUTION_MAX = 1000 };

struct dead_letter {
    struct ulid id; // derived from the run key: one occurrence, one dead letter
    struct ulid job_id;
    struct str job_name;
    struct ulid last_run_id;
    struct ulid run_key;
    struct instant scheduled;
    struct str reason;
    struct str error_class;
    int64_t attempts;
    int64_t job_version;
    struct str definition; // the job as it was (JSON text of job_fields); secrets stay references
    struct str inputs;     // JSON object of run-time parameters, or absent
    struct instant created_at;
    bool resolved;
    struct instant resolved_at;
    struct str resolved_by; // e-mail of the user
    struct str resolution;
    struct ulid replay_run_id;
};
extern const struct fields dead_letter_fields;

#endif
