// SPDX-License-Identifier: Apache-2.0
// The line protocol of `schedule next --jsonl` over two file descriptors: big reads, big writes, nothing held back
// when the input pauses.
#ifndef CLI_SCHEDULE_LINES_H
#define CLI_SCHEDULE_LINES_H

#include "cli/command.h"

enum { SCHEDULE_LINE_MAX = 1 << 20 };

// Answers every line until the end of the input; lines over SCHEDULE_LINE_MAX and the last one without a line feed
// get theirs, too. Empty lines are skipped. Returns an exit code.
int schedule_lines(struct cli *c, int in, int out);

#endif
