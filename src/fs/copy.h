// SPDX-License-Identifier: Apache-2.0
// Copying and moving single files: by the kernel where it can (shared blocks, copy_file_range), holes stay
// holes, the target appears whole (fs/fresh.h), memory does not grow with the size.
#ifndef FS_COPY_H
#define FS_COPY_H

#include "fs/root.h"

struct copy_options {
    bool overwrite, create_dirs;
    bool preserve; // mode, times, owner where permitted, extended attributes
};

// from stays the caller's. *ret_bytes: its length.
bool copy_file(int from, const struct place *to, const struct copy_options *o, const struct fs_stop *stop,
               int64_t *ret_bytes, struct err *err) __attribute__((warn_unused_result));
// A link as a link, wherever it points.
bool copy_link(int dir, const char *name, const struct place *to, const struct copy_options *o,
               struct err *err) __attribute__((warn_unused_result));
// Mode, times, owner where permitted and extended attributes of one open thing to another. Best effort: what
// the target's file system or our rights do not allow is left.
void copy_attributes(int from, const struct stat *st, int to);
// Renames. False with *ret_other_device and *err untouched: it must be copied instead.
bool move_entry(int dir, const char *name, const struct place *to, const struct copy_options *o,
                bool *ret_other_device, struct err *err) __attribute__((warn_unused_result));

#endif
