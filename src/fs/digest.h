// SPDX-License-Identifier: Apache-2.0
// SHA-256 of files, as sha256sum writes it.
#ifndef FS_DIGEST_H
#define FS_DIGEST_H

#include "fs/root.h"

enum { DIGEST_TEXT_MAX = 65 }; // 64 hexadecimal digits and a NUL

// Reads from the start to the end; fd stays the caller's.
bool digest_file(int fd, struct str shown, const struct fs_stop *stop, char ret_hex[static DIGEST_TEXT_MAX],
                 int64_t *ret_bytes, struct err *err) __attribute__((warn_unused_result));
// One line of a checksum file: digest, blank, blank or star, path. False when it is none.
bool digest_line_parse(struct str line, struct str *ret_hex, struct str *ret_path);

#endif
