// SPDX-License-Identifier: Apache-2.0
// What a script may use and touch: the `limits` of its payload, and what the server makes of them. Internal
// to jobs/script*.
#ifndef JOBS_SCRIPT_LIMITS_H
#define JOBS_SCRIPT_LIMITS_H

#include "jobs/runner.h"
#include "net/process.h"

struct script_limits {
    int sandbox; // enum sandbox_level; −1: the server's
    bool network, best_effort;
    struct strs read_paths, write_paths;
    int64_t memory_mb, memory_bytes, cpu_seconds, processes, file_mb, file_bytes,
        open_files; // FIELD_ABSENT: none
};
extern const struct fields script_limit_fields;

// Rules beyond the table; base is the pointer of `limits`.
void script_limits_check(const struct script_limits *l, struct str base, struct faults *faults);
// Fills limits, sandbox and paths of the spec.
bool script_limits_apply(const struct attempt *a, const struct script_limits *l, struct process_spec *spec,
                         struct arena *arena);

#endif
