// SPDX-License-Identifier: Apache-2.0
// The request target (RFC 9112 §3.2): path and query. Pure.
#ifndef HTTPD_TARGET_H
#define HTTPD_TARGET_H

#include "base/arena.h"

// Splits a raw target into a path, percent-decoded once, and the raw query (absent when none). Accepts the
// origin form ("/a?b"), the absolute form ("http://host/a") and, for OPTIONS, "*". Returns NULL, or what is
// wrong with it, for a person: longer than HTTPD_TARGET_MAX is the caller's to check.
const char *target_parse(struct str raw, bool options, struct str *ret_path, struct str *ret_query,
                         struct arena *a);

// Percent-decodes; '+' becomes a blank when plus is true. {NULL,0} for a bad escape or when the arena is
// exhausted.
struct str percent_decode(struct str s, bool plus, struct arena *a);

#endif
