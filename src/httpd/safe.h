// SPDX-License-Identifier: Apache-2.0
// Headers that every answer carries, so that a browser makes no more of it than it is.
#ifndef HTTPD_SAFE_H
#define HTTPD_SAFE_H

#include "httpd/httpd.h"

// Adds what the answer does not say itself. https: the client came by TLS, and is to stay with it.
void safe_headers(struct httpd_response *r, struct arena *a, bool https);

#endif
