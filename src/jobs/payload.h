// SPDX-License-Identifier: Apache-2.0
// Payloads: JSON text at rest, a struct of the type's own when an attempt starts.
#ifndef JOBS_PAYLOAD_H
#define JOBS_PAYLOAD_H

#include "base/json.h"
#include "jobs/job_type.h"

// Where a list of strings is wanted, one value stands for a list of one, and numbers stand for their text.
void payload_widen(const struct fields *t, json_t *payload);
// Fills a->job, a->type and a->payload from the text of a definition; templates stay as they are. faults is scratch.
// ERR_CORRUPT: the text or a field of it is bad; ERR_INVALID: unknown type.
bool payload_decode(struct attempt *a, struct str definition, struct faults *faults, struct err *err)
    __attribute__((warn_unused_result));

#endif
