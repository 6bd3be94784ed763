// SPDX-License-Identifier: Apache-2.0
// Parameters of a job's SQL as JSON: {"name": value, …} for :name, [value, …] for ?.
//
// A value is a text, a number, true, false or null as the database takes it, or {"type": "date", "value":
// "2024-02-29"}: int, float, decimal, text, bool, bytes (base64), json, date, time, timestamp.
#ifndef JOBS_DATABASE_PARAMS_H
#define JOBS_DATABASE_PARAMS_H

#include "base/json.h"
#include "db/query.h"
#include "jobs/job_type.h"

struct database_param {
    struct str name; // absent: by position
    struct query_value v;
};
struct database_params {
    struct database_param *v;
    size_t n;
};

// From the text of a payload; absent gives none. templates: they are not expanded yet. Faults below pointer.
bool database_params_read(struct str json, struct str pointer, bool templates, struct database_params *ret,
                          struct arena *arena, struct faults *faults);
// Adds faults for what the statements want and nobody gives (but for `given`, a name that comes from
// elsewhere, or NULL), and for what nobody wants.
void database_params_match(const struct database_params *p, const struct query_text *t, const char *given,
                           struct str pointer, struct faults *faults);
// The values for the places of a statement; NULL when the arena is full. *given, if not NULL, is the value of
// the parameter of that name.
struct query_value *database_params_bind(const struct database_params *p, const struct query_statement *s,
                                         const struct database_param *given, struct arena *arena);
// A value of JSON with its own type; false with a sentence in *ret_wrong.
bool database_value_read(const json_t *json, struct query_value *ret, const char **ret_wrong,
                         struct arena *arena);

#endif
