// SPDX-License-Identifier: Apache-2.0
// Writing a text into another language, so that it stays a text there.
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include "base/sbuf.h"

enum escape {
    ESCAPE_NONE,
    ESCAPE_HTML,     // text and quoted attributes
    ESCAPE_JSON,     // the inside of a string
    ESCAPE_MRKDWN,   // Slack's own markup: no mentions, no links; bold and the like are left to it
    ESCAPE_MARKDOWN, // Discord, Teams
    ESCAPE_URL,      // one segment or parameter
};

void escape_put(struct sbuf *out, enum escape how, struct str s);

#endif
