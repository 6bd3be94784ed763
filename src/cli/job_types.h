// SPDX-License-Identifier: Apache-2.0
// `chronos job types`, a verb of job.c in a file of its own.
#ifndef CLI_JOB_TYPES_H
#define CLI_JOB_TYPES_H

struct cli;

int job_types_run(struct cli *c);

#endif
