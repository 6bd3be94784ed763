// SPDX-License-Identifier: Apache-2.0
// Parts of the OpenAPI document: names, shapes of bodies, operations.
#ifndef API_OPENAPI_H
#define API_OPENAPI_H

#include "api/call.h"

// A body that is no object of one field table. Routes name it (route.in, route.out).
struct shape {
    const char *name;
    const char *media;          // NULL: application/json
    const struct fields *table; // with `schema` as further properties; NULL: `schema` is all of it
    const char *schema;         // text of a JSON Schema
    bool request;               // of a request
};
extern const struct shape shapes[];
extern const size_t shapes_n;
const struct shape *shape_find(const char *name); // NULL: there is none

// "listJobRuns", unique and stable: from method and path.
void operation_id(const struct route *r, struct sbuf *out);
// First word of the path.
struct str operation_tag(const struct route *r);
// Statuses of problems that the route can answer, rising, ends with 0.
enum { PROBLEM_STATUSES_MAX = 16 };
void operation_problems(const struct route *r, int ret[static PROBLEM_STATUSES_MAX]);
// An example of a request body as JSON; NULL: none.
const char *request_example(const struct route *r);

void openapi_operation(const struct route *r, struct sbuf *out);
void openapi_components(struct sbuf *out, struct arena *a);

#endif
