// SPDX-License-Identifier: Apache-2.0
// What the body of an answer must say. Internal to jobs/http*.
#ifndef JOBS_HTTP_EXPECT_H
#define JOBS_HTTP_EXPECT_H

#include "jobs/http_payload.h"

enum { EXPECT_REGEX_MAX = 1000 };

void http_expect_check(const struct http_expect_payload *e, struct str pointer, struct faults *faults,
                       struct arena *scratch);
// Something is expected at all.
bool http_expect_any(const struct http_expect_payload *e);
// The body says it. ERR_INVALID says what it does not; never a part of the body.
bool http_expect_holds(const struct http_expect_payload *e, const struct http_response *r, struct arena *a,
                       struct err *err);

#endif
