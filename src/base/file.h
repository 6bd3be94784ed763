// SPDX-License-Identifier: Apache-2.0
// Small files as a whole: configuration, keys, tokens.
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/arena.h"
#include "base/err.h"

// Whole file into the arena; ERR_NOT_FOUND, ERR_TOO_LARGE past max, ERR_IO.
bool file_read(const char *path, size_t max, struct str *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// Writes to a new file beside it, fsyncs file and folder, renames: after a crash the old or the new text
// stands.
bool file_write(const char *path, struct str text, unsigned mode, struct err *err)
    __attribute__((warn_unused_result));
// mkdir -p with the mode for new folders.
bool dir_make(const char *path, unsigned mode, struct err *err) __attribute__((warn_unused_result));

#endif
