// SPDX-License-Identifier: Apache-2.0
// Waiting for a run and reading its log while it grows, over the log's event stream: the stream says "end" with the
// final status, so nothing is polled. A broken stream is taken up again where it stopped (Last-Event-ID).
#ifndef CLI_FOLLOW_H
#define CLI_FOLLOW_H

#include "cli/client.h"

struct follow {
    struct str run_id;
    bool print;             // log lines to standard output
    bool attempts;          // go on with the next attempt of the same occurrence
    struct duration timeout; // whole wait; 0 = none
};

// Waits for the end and shows the run in the form asked for (with print: a sentence on standard error instead).
// CLI_OK, CLI_RUN_FAILED when it ended otherwise than SUCCEEDED, CLI_UNREACHABLE after the timeout, or another code.
int follow_run(struct client *cl, const struct follow *f);

// One line of a log as people read it.
void log_line_print(const struct cli *c, const json_t *line);
// Columns of one run.
extern const struct column run_record_columns[];

#endif
