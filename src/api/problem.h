// SPDX-License-Identifier: Apache-2.0
// Problem documents (RFC 9457): {type, title, status, detail, instance, code, traceId, errors}. One table maps
// struct err codes to statuses. `type` is the relative URI "/problems/<code in lower case>", stable like the code.
#ifndef API_PROBLEM_H
#define API_PROBLEM_H

#include "api/call.h"

struct problem {
    int status;
    const char *code, *title; // NULL: by status
    struct str detail;
    const struct faults *faults; // may be NULL
    struct str pointer;          // one fault without a list; absent: none
};

// The problem that an error is. Errors that are ours and not the caller's keep their text for the log.
struct problem problem_of(const struct err *err, const struct faults *faults);
// Only the object, for members of partial answers.
void problem_write(const struct problem *p, struct str instance, const char *trace_id, struct sbuf *out);
// Makes it the answer of the call, replacing whatever was written: for people (call.back) a page without scripts and
// styles, whose handler has set the headers of one.
void problem_answer(struct call *c, const struct problem *p);

#endif
