// SPDX-License-Identifier: Apache-2.0
// The functions of libarchive that are used, loaded once.
#ifndef FS_ARCHIVE_LIB_H
#define FS_ARCHIVE_LIB_H

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>

#include "base/err.h"

#define ARCHIVE_FUNCTIONS(F)                                                                                 \
    F(archive_write_new)                                                                                     \
    F(archive_write_free)                                                                                    \
    F(archive_write_close)                                                                                   \
    F(archive_write_set_format_zip)                                                                          \
    F(archive_write_set_format_pax_restricted)                                                               \
    F(archive_write_set_format_raw)                                                                          \
    F(archive_write_add_filter_gzip)                                                                         \
    F(archive_write_add_filter_zstd)                                                                         \
    F(archive_write_set_options)                                                                             \
    F(archive_write_open)                                                                                    \
    F(archive_write_header)                                                                                  \
    F(archive_write_data)                                                                                    \
    F(archive_write_finish_entry)                                                                            \
    F(archive_write_set_bytes_in_last_block)                                                                 \
    F(archive_read_new)                                                                                      \
    F(archive_read_free)                                                                                     \
    F(archive_read_support_filter_gzip)                                                                      \
    F(archive_read_support_filter_zstd)                                                                      \
    F(archive_read_support_format_zip)                                                                       \
    F(archive_read_support_format_tar)                                                                       \
    F(archive_read_support_format_raw)                                                                       \
    F(archive_read_open_fd)                                                                                  \
    F(archive_read_next_header)                                                                              \
    F(archive_read_data)                                                                                     \
    F(archive_filter_code)                                                                                   \
    F(archive_filter_bytes)                                                                                  \
    F(archive_error_string)                                                                                  \
    F(archive_errno)                                                                                         \
    F(archive_entry_new)                                                                                     \
    F(archive_entry_free)                                                                                    \
    F(archive_entry_pathname)                                                                                \
    F(archive_entry_filetype)                                                                                \
    F(archive_entry_hardlink)                                                                                \
    F(archive_entry_perm)                                                                                    \
    F(archive_entry_set_pathname)                                                                            \
    F(archive_entry_set_filetype)                                                                            \
    F(archive_entry_set_perm)                                                                                \
    F(archive_entry_set_size)                                                                                \
    F(archive_entry_set_mtime)

struct archive_lib {
#define ARCHIVE_MEMBER(fn) __typeof__(&fn) fn;
    ARCHIVE_FUNCTIONS(ARCHIVE_MEMBER)
#undef ARCHIVE_MEMBER
};
extern struct archive_lib archive_lib;

// Loads it unless that was done. ERR_UNAVAILABLE names the package.
bool archive_lib_need(struct err *err) __attribute__((warn_unused_result));
// Names of files are UTF-8 for the library as long as this thread says so: it asks the thread's locale.
locale_t archive_names_begin(void);
void archive_names_end(locale_t before);

#endif
