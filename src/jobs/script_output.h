// SPDX-License-Identifier: Apache-2.0
// Cuts a program's output, as it comes in chunks, into lines of text.
//
// A line ends at LF; CR LF counts as LF; a lone CR (progress bars) restarts the line, so that what stood
// last is kept. Bytes that are not UTF-8 become U+FFFD and NUL too; a line longer than SCRIPT_LINE_MAX is
// handed on in pieces.
#ifndef JOBS_SCRIPT_OUTPUT_H
#define JOBS_SCRIPT_OUTPUT_H

#include "base/sbuf.h"

enum { SCRIPT_LINE_MAX = 16 * 1024 }; // over LOG_LINE_MAX, so that the sink's cut shows

struct script_output {
    struct sbuf line; // heap
    bool cr;          // the last byte was CR
    void (*emit)(void *ctx, struct str line);
    void *ctx;
};

void script_output_init(struct script_output *o, void (*emit)(void *ctx, struct str line), void *ctx);
void script_output_feed(struct script_output *o, struct str bytes);
void script_output_end(struct script_output *o); // emits what has no line end, frees

#endif
