// SPDX-License-Identifier: Apache-2.0
// Checks of a request's head that the HTTP library leaves to us. Pure.
#ifndef HTTPD_HEAD_H
#define HTTPD_HEAD_H

#include "base/str.h"

struct refusal {
    int status;         // 0: nothing wrong
    const char *detail; // a sentence for the client
};

// Looks at lower-cased header names and their values: names are tokens, values hold no control characters,
// at most one Host, Content-Length and Transfer-Encoding, never the last two together, no coding but
// chunked (RFC 9112 §6.1, the request smuggling rules), a Content-Length within body_max.
struct refusal headers_check(const struct str_map *headers, bool http11, int64_t body_max);

// The head as the library leaves it in its buffer: line ends and the separators of each header are NULs.
// True when there are exactly as many as the headers account for; more of them were sent, or lines ended in
// a bare line feed or were folded, all of which other servers read differently.
bool head_block_clean(struct str block, size_t headers);

#endif
