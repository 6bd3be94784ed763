// SPDX-License-Identifier: Apache-2.0
// Walks through folders by descriptors: each folder is opened relative to the one that holds it and never
// through a link, so that nothing exchanged meanwhile leads anywhere else. One folder after the other is read
// as it comes; memory does not grow with their number of entries, and their depth is bounded.
#ifndef FS_TREE_H
#define FS_TREE_H

#include "fs/root.h"

enum { TREE_DEPTH_MAX = 100 };

struct tree_entry {
    int dir;          // folder that holds it
    const char *name; // in dir
    struct str path;  // below the start of the walk; holds until the visitor returns
    struct stat st;   // of the thing itself, links not followed
    size_t depth;     // 1: directly in the folder where the walk starts
};
enum tree_next { TREE_FAIL, TREE_ON, TREE_OVER }; // OVER: a folder is not entered

struct tree_visitor {
    enum tree_next (*visit)(void *ctx, const struct tree_entry *e, struct err *err);
    bool (*leave)(void *ctx, const struct tree_entry *e,
                  struct err *err); // a folder after its content; may be NULL
    const struct fs_stop *stop;     // may be NULL
    void *ctx;
};

// Reads dir, which stays the caller's. What vanishes meanwhile is left out; temporary files of ours are not
// shown.
bool tree_walk(int dir, struct str shown, const struct tree_visitor *v, struct err *err)
    __attribute__((warn_unused_result));

// Removes one entry: a file or link, or a folder with all it holds. What is gone already is fine.
// *ret_n counts what was removed.
bool tree_remove(int dir, const char *name, struct str shown, const struct fs_stop *stop, int64_t *ret_n,
                 struct err *err) __attribute__((warn_unused_result));

#endif
