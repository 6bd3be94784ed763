// SPDX-License-Identifier: Apache-2.0
// Files that appear whole or not at all: written without a name (O_TMPFILE) or under a temporary one, synced,
// then given their name by one rename or link.
//
// A process that is killed meanwhile leaves at most a file named .chronos-*.part; fresh_sweep removes those
// that nobody writes any more, which it tells by their lock. Listings and walks of ours never show them.
#ifndef FS_FRESH_H
#define FS_FRESH_H

#include "fs/root.h"

enum { FRESH_NAME_MAX = 48 };

struct fresh_options {
    bool overwrite;   // else ERR_CONFLICT (EEXIST) when something has the name, also when it comes meanwhile
    bool create_dirs; // folders above
    unsigned mode;    // permissions before the umask; 0: 0666
};
struct fresh {
    int fd; // to write to; −1 once it is closed
    int dir;
    bool overwrite, named; // named: temp exists in dir
    char name[FS_NAME_MAX + 1], temp[FRESH_NAME_MAX];
    struct str shown;
};

bool fresh_open(const struct place *to, const struct fresh_options *o, struct fresh *ret, struct err *err)
    __attribute__((warn_unused_result));
bool fresh_write(struct fresh *f, const void *bytes, size_t n, struct err *err)
    __attribute__((warn_unused_result));
// Syncs file and folder; closes it also when it fails.
bool fresh_commit(struct fresh *f, struct err *err) __attribute__((warn_unused_result));
// Forgets what was written. For CLEANUP(fresh_drop): does nothing after fresh_commit or on {.fd = -1}.
void fresh_drop(struct fresh *f);

// A name of that kind, for links.
void fresh_temp_name(char buf[static FRESH_NAME_MAX]);
bool fresh_is_temp(const char *name);
// Removes what killed processes left in this folder; returns how many.
size_t fresh_sweep(int dir);

#endif
