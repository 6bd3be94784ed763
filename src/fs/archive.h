// SPDX-License-Identifier: Apache-2.0
// Archives and compressed files through libarchive, which is loaded when first needed. Both directions
// stream.
//
// Names in an archive are relative, without "..": written so, and refused otherwise when read. Reading has
// bounds of bytes, entries and growth, so that a small file cannot fill a disk.
#ifndef FS_ARCHIVE_H
#define FS_ARCHIVE_H

#include "fs/fresh.h"

enum archive_format { ARCHIVE_ZIP, ARCHIVE_TAR, ARCHIVE_TAR_GZ, ARCHIVE_TAR_ZST, ARCHIVE_GZIP, ARCHIVE_ZSTD };
extern const char *const archive_format_names[]; // in that order, NULL-terminated: "ZIP", "TAR", "TAR.GZ", …

// GZIP and ZSTD hold the bytes of one file without a name.
static inline bool archive_is_single(enum archive_format f) { return f == ARCHIVE_GZIP || f == ARCHIVE_ZSTD; }
// By the end of a file's name; −1 when it has none of them.
int archive_format_of(struct str name);

struct archive_writer;

// to is open and not committed here. level 0: the format's own. Owner: caller, archive_writer_free.
struct archive_writer *archive_writer_new(enum archive_format f, int level, struct fresh *to,
                                          struct err *err);
void archive_writer_free(struct archive_writer *w);
// A regular file, by its open descriptor, or a folder (fd −1). *ret_bytes: its length.
bool archive_add(struct archive_writer *w, int fd, const struct stat *st, struct str name,
                 const struct fs_stop *stop, int64_t *ret_bytes, struct err *err)
    __attribute__((warn_unused_result));
bool archive_finish(struct archive_writer *w, struct err *err) __attribute__((warn_unused_result));

struct archive_bounds {
    int64_t bytes, entries; // all together
    int64_t ratio;          // unpacked to packed, once it is worth counting
};
struct archive_target {
    struct place folder; // for archives; made when missing
    struct place single; // for one compressed file without a name
    bool is_single;      // that is what it is, whatever its content looks like
    bool overwrite;
};
struct archive_totals {
    int64_t files, folders, bytes, skipped; // skipped: links and devices, which are not made
};

// Unpacks what fd holds, whatever kind it is. Files appear one by one, each whole.
bool archive_extract(int fd, struct str shown, const struct archive_target *to,
                     const struct archive_bounds *bounds, const struct fs_stop *stop,
                     struct archive_totals *ret, struct err *err) __attribute__((warn_unused_result));

#endif
