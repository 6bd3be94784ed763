// SPDX-License-Identifier: Apache-2.0
// Parameters of a job: what may be given to a run, as {{param.NAME}} in its payload. A job without
// declarations takes any.
#ifndef MODEL_PARAMETER_H
#define MODEL_PARAMETER_H

#include "base/field.h"

enum parameter_type { PARAMETER_STRING, PARAMETER_NUMBER, PARAMETER_BOOLEAN };
enum {
    PARAMETER_NAME_MAX = 64, // letters, digits, '_', '-', '.'
    JOB_PARAMETERS_MAX = 100,
    JOB_PARAMETERS_TEXT_MAX = 64 * 1024, // bytes of all declarations
};

struct parameter {
    struct str name;
    int type;
    struct str def; // JSON text; absent: none
    bool required;
    struct str description;
};
extern const struct fields parameter_fields;
struct parameters {
    struct parameter *v;
    size_t n;
};

bool parameter_name_ok(struct str name);
// Reads declarations, a JSON list; absent text: none. Every fault below base; false when there was one.
bool parameters_read(struct str text, struct str base, struct parameters *ret, struct faults *faults);
const struct parameter *parameters_find(const struct parameters *p, struct str name); // NULL: not declared

// The values a run is given (a JSON object or absent), as the types say: a number or truth value may come as text.
// Faults below /parameters: missing, unknown (dropped instead when drop_unknown), of another type. Absent after faults.
struct str parameters_take(const struct parameters *p, struct str inputs, bool drop_unknown, struct faults *faults);
// The inputs with the defaults of what was not given. ERR_INVALID: one without a default is missing.
bool parameters_fill(const struct parameters *p, struct str inputs, struct str *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));

#endif
