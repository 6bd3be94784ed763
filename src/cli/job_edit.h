// SPDX-License-Identifier: Apache-2.0
// Changing a job: from a file (PUT), by flags or in an editor (PATCH with what differs).
#ifndef CLI_JOB_EDIT_H
#define CLI_JOB_EDIT_H

#include "cli/client.h"

// Does what the flags of `job edit` say. *ret is the server's answer; status 0 when nothing was changed.
int job_edit(struct client *cl, struct str id, struct reply *ret);
// RFC 7396 patch that turns `from` into `to`; an empty object when they are equal. The caller owns it.
json_t *json_merge_diff(const json_t *from, const json_t *to);

#endif
