// SPDX-License-Identifier: Apache-2.0
// Folders below which jobs may work, and places below them that nobody can bend to somewhere else.
//
// A path is looked at as text once (root_find) and walked by the kernel once (openat2, RESOLVE_BENEATH); what
// comes after is done relative to the descriptor of the folder found. Links on the way are followed as long
// as they stay below the root; a kernel without openat2 follows none. Nothing of /proc's magic links is ever
// followed. Functions that fail name the path as the user wrote it, with errno in err->native.
#ifndef FS_ROOT_H
#define FS_ROOT_H

#include <sys/stat.h>

#include "base/err.h"

enum { ROOTS_MAX = 64, FS_PATH_MAX = 4096, FS_NAME_MAX = 255, FS_COPY_CHUNK = 1024 * 1024 };

struct root {
    struct str path; // absolute, without a slash at its end
    int fd;          // O_PATH
};
struct roots {
    struct root *v;
    size_t n;
};
// A name below a root, that may or may not exist.
struct place {
    const struct root *root;
    struct str rel;   // NUL-terminated, without "." and ".."; "" is the root itself
    struct str shown; // as the user wrote it
};

// Whether somebody wants the work to end; asked at least once an entry and once a chunk.
struct fs_stop {
    bool (*asked)(void *ctx);
    void *ctx;
};

// Which root a path belongs to and what it is below it: absolute paths by the longest root, others by the
// first. Text only, nothing is looked up. ERR_INVALID: "..", a NUL, too long; ERR_DENIED: below none.
bool root_find(const struct strs *roots, struct str path, size_t *ret_root, struct str *ret_rel,
               struct arena *a, struct err *err) __attribute__((warn_unused_result));

// Opens the folders; roots_close ends it. The paths of roots are trusted: they may be links.
bool roots_open(const struct strs *paths, struct roots *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
void roots_close(struct roots *r);

bool place_find(const struct roots *r, struct str path, struct place *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// The place that is called rel below a folder. rel comes from a walk: no "..", no slash in front.
bool place_below(const struct place *folder, struct str rel, struct place *ret, struct arena *a,
                 struct err *err) __attribute__((warn_unused_result));
// The last part of its name; "" for a root.
struct str place_name(const struct place *p);

// Opens what is there; its last part is followed too when it is a link that stays below the root, unless
// flags hold O_NOFOLLOW. Owner of *ret_fd: the caller.
bool place_open(const struct place *p, int flags, int *ret_fd, struct err *err)
    __attribute__((warn_unused_result));
// A regular file to read: never a pipe, a device or a folder, and never blocks.
bool place_open_file(const struct place *p, int *ret_fd, struct stat *ret_st, struct err *err)
    __attribute__((warn_unused_result));
// A folder to read.
bool place_open_dir(const struct place *p, int *ret_fd, struct err *err) __attribute__((warn_unused_result));
// The folder that holds it, as O_PATH; missing ones are made when `create`. The place is not a root.
bool place_open_parent(const struct place *p, bool create, int *ret_fd, struct err *err)
    __attribute__((warn_unused_result));
// The folder itself, made with all above it when it is missing.
bool place_make_dir(const struct place *p, struct err *err) __attribute__((warn_unused_result));
// What is there, a link as a link; *ret_there is false when nothing is.
bool place_stat(const struct place *p, bool *ret_there, struct stat *ret_st, struct err *err)
    __attribute__((warn_unused_result));

// A regular file in an open folder, as place_open_file; links are not followed.
bool entry_open_file(int dir, const char *name, struct str shown, int *ret_fd, struct stat *ret_st,
                     struct err *err) __attribute__((warn_unused_result));
// Fills *err by errno: what was tried on which path, and what helps. Returns false.
bool fs_error(struct err *err, const char *what, struct str path);
// ERR_TIMEOUT with ECANCELED, when it is asked for.
bool fs_stopped(const struct fs_stop *stop, struct err *err);

// For tests: as on a kernel without openat2.
void root_openat2_switch(bool on);

#endif
