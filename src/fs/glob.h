// SPDX-License-Identifier: Apache-2.0
// Patterns of file names: * and ? within a name, [a-z] and [!a-z], ** for any number of folders, {a,b} for
// either. Bytes are compared; a pattern without a slash is about the name alone, one with a slash about the
// whole path.
#ifndef FS_GLOB_H
#define FS_GLOB_H

#include "base/err.h"

enum { GLOB_BYTES_MAX = 1024, GLOB_STARS_MAX = 32, GLOB_BRACES_MAX = 8 };

// Refuses what is unfinished or too long. ERR_INVALID.
bool glob_check(struct str pattern, struct err *err) __attribute__((warn_unused_result));
// True for a text that holds any of * ? [ {
bool glob_is(struct str text);
// path is relative, with slashes.
bool glob_match(struct str pattern, struct str path);
// Any of them; an empty list matches all.
bool glob_any(const struct strs *patterns, struct str path);

#endif
