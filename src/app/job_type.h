// SPDX-License-Identifier: Apache-2.0
// The job types of this server as people and programs read about them.
#ifndef APP_JOB_TYPE_H
#define APP_JOB_TYPE_H

#include "app/app.h"

struct job_type_info {
    struct str name, doc;
    bool available;
    struct str unavailable_reason; // absent when it can run here
    struct strs failure_classes;
    struct str examples;       // JSON list of payloads
    struct str payload_schema; // JSON Schema 2020-12
};
extern const struct fields job_type_info_fields;

// Name and payload of the types in a fixed order, for descriptions that anybody may read. False: i is behind the last.
struct job_type_table {
    const char *name;
    const struct fields *payload;
};
bool app_job_type_table(size_t i, struct job_type_table *ret);

bool app_job_types(struct app *app, const struct caller *c, struct job_type_info **ret, size_t *ret_n,
                   struct arena *a, struct err *err) __attribute__((warn_unused_result));
// By name, letter case ignored. ERR_NOT_FOUND.
bool app_job_type(struct app *app, const struct caller *c, struct str name, struct job_type_info *ret,
                  struct arena *a, struct err *err) __attribute__((warn_unused_result));

#endif
