// SPDX-License-Identifier: Apache-2.0
// {{name}} in the text fields of a payload: checked at save, replaced when an attempt starts.
//
// Names: run.id run.key run.scheduledTime run.attempt job.id job.name param.NAME secret.NAME. "\{{" stands for a
// plain "{{". Replaced text is never looked at again, so a value cannot smuggle a name in. Fields that others can see
// while a run lasts (FIELD_NO_SECRETS) take no secrets. Values are put in as they are: quoting for JSON, URLs or
// shells is not done here. Text fields are strings, lists of strings, the values of maps and the texts inside of
// JSON values, nested objects included.
#ifndef JOBS_TEMPLATE_H
#define JOBS_TEMPLATE_H

#include "jobs/job_type.h"
#include "model/parameter.h"

enum {
    TEMPLATE_TEXT_MAX = 1024 * 1024, // bytes of one expanded text
    TEMPLATE_PARAM_NAME_MAX = PARAMETER_NAME_MAX,
};

struct template_values {
    struct ulid run_id, run_key, job_id;
    struct str job_name;
    struct instant scheduled;
    int64_t attempt;
    const json_t *inputs; // object, or NULL
    // The value of a secret, in the arena; NULL: there are none.
    bool (*secret)(void *ctx, struct str name, struct str *ret, struct arena *a, struct err *err);
    void *secret_ctx;
};

// Which names a job may use.
struct template_names {
    struct parameters parameters; // none: any
    const struct secret_names *secrets; // NULL: any
};

// Adds a fault for every unknown, unfinished or refused name in the text fields of *obj; pointers below base.
void template_check(const struct fields *t, const void *obj, struct str base, const struct template_names *names,
                    struct faults *faults);
// True when the text holds a name that starts with this prefix ("param.").
bool template_uses(struct str text, const char *prefix);
// Replaces every name in the text fields of *obj; texts without "{{" are left as they are, uncopied.
// ERR_INVALID: a parameter was not given, or a name is not known. ERR_TOO_LARGE.
bool template_expand(const struct fields *t, void *obj, const struct template_values *v, struct arena *a,
                     struct err *err) __attribute__((warn_unused_result));
// The text of a run-time parameter: a string as it is, other values as JSON; absent when not given.
struct str template_param(const json_t *inputs, struct str name, struct arena *a);

#endif
