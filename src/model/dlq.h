// SPDX-License-Identifier: Apache-2.0
// Dead letters: occurrences that used up their attempts and wait for a person.
#ifndef MODEL_DLQ_H
#define MODEL_DLQ_H

#include "base/field.h"

enum { DLQ_RESOLUTION_MAX = 1000, DLQ_CLASS_MAX = 64 };

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
    struct str replay_definition; // what the replay runs; absent: the job as it is when it starts
};
extern const struct fields dead_letter_fields;

// A replay that runs another definition than the job's present one is told so in its inputs: "replay":
// {"deadLetterId", "jobVersion", "edited"}. Inputs without what an earlier replay left there, and with a new one
// when mark is not NULL; absent when empty or without memory (a->exhausted).
struct replay_mark {
    struct ulid letter;
    int64_t job_version;
    bool edited;
};
struct str replay_inputs(struct str inputs, const struct replay_mark *mark, struct arena *a);
// The dead letter named in such inputs; who reads it must check that the run really is its replay.
bool replay_letter(struct str inputs, struct ulid *ret);

#endif
