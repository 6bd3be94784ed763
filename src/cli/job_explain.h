// SPDX-License-Identifier: Apache-2.0
// Why a job runs or does not run.
#ifndef CLI_JOB_EXPLAIN_H
#define CLI_JOB_EXPLAIN_H

#include "cli/client.h"

int job_explain_show(struct cli *c, struct client *cl, struct str id);

#endif
