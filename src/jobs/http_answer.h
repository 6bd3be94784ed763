// SPDX-License-Identifier: Apache-2.0
// What becomes of the answer to an HTTP job: status rules, the run's log line, the outcome. Internal to
// jobs/http*.
#ifndef JOBS_HTTP_ANSWER_H
#define JOBS_HTTP_ANSWER_H

#include "jobs/http_payload.h"
#include "jobs/runner.h"

// "204", "2xx" or "200-204".
bool http_status_rule_ok(struct str rule);
// Some rule covers the status; without rules, 2xx do.
bool http_status_expected(const struct strs *rules, int status);
// Logs the answer, or why there is none, and ends the attempt.
void http_answer_record(struct attempt *a, const struct http_payload *p, const char *method,
                        const struct http_response *r);

#endif
