// SPDX-License-Identifier: Apache-2.0
// chronos job stats.
#ifndef CLI_JOB_STATS_H
#define CLI_JOB_STATS_H

#include "cli/command.h"

extern const struct cli_flag job_stats_flags[];
int job_stats_run(struct cli *c);

#endif
