// SPDX-License-Identifier: Apache-2.0
// Libraries that are loaded when they are first needed: the program starts, and stays small, without them.
//
//     static struct { int (*archive_read_free)(struct archive *); … } lib;
//     static const struct library_symbol symbols[] = {LIBRARY_SYMBOL(lib, archive_read_free), …};
//     static struct library archive = LIBRARY("libarchive.so.13", "libarchive13", symbols);
//     if (!library_need(&archive, err)) …
//
// The table's members carry the types of the library's own header, so that a call is checked as if it were linked.
#ifndef BASE_LIBRARY_H
#define BASE_LIBRARY_H

#include "base/err.h"

struct library_symbol {
    const char *name;
    void **place; // of the function pointer
};
struct library {
    const char *file;    // "libarchive.so.13"
    const char *package; // of Debian, for the remedy
    const struct library_symbol *symbols;
    size_t n;
    _Atomic(void *) handle; // once all symbols are in place
};

// The member of `table` that is named as the function is; its type must be the function's.
#define LIBRARY_SYMBOL(table, fn)                                                                            \
    {#fn, (void **)(void *)&(table).fn +                                                                     \
              0 * sizeof(char[__builtin_types_compatible_p(__typeof__((table).fn), __typeof__(&fn)) ? 1 : -1])}
#define LIBRARY(so, deb, table)                                                                              \
    {.file = (so), .package = (deb), .symbols = (table), .n = sizeof(table) / sizeof((table)[0])}

// Loads it unless that was done; it stays for the life of the process. ERR_UNAVAILABLE names the package to install.
// Thread-safe.
bool library_need(struct library *l, struct err *err) __attribute__((warn_unused_result));
// For `doctor`: whether it could be loaded.
bool library_there(struct library *l);

#endif
