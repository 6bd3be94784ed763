// SPDX-License-Identifier: Apache-2.0
// Encrypted files: XChaCha20-Poly1305 in chunks (libsodium secretstream), so that size does not matter and a
// file that was cut, reordered or changed anywhere is refused.
//
//     "CHRONOS1"  kind (1 byte)  salt (16 bytes)  stream header (24 bytes)  chunks of 64 KiB + 17 bytes, the
//     last marked
//
// A key of 64 hexadecimal digits is the key itself (kind 1); any other text is a passphrase (kind 2,
// Argon2id).
#ifndef FS_CIPHER_H
#define FS_CIPHER_H

#include "fs/fresh.h"

enum { CIPHER_PASSPHRASE_MIN = 12 };

// Both read from the start of fd; to is open, and not committed here. ERR_INVALID: the key is too short.
bool cipher_encrypt(int fd, struct str shown, struct str key, struct fresh *to, const struct fs_stop *stop,
                    struct err *err) __attribute__((warn_unused_result));
// ERR_CORRUPT: not such a file, damaged, or another key.
bool cipher_decrypt(int fd, struct str shown, struct str key, struct fresh *to, const struct fs_stop *stop,
                    struct err *err) __attribute__((warn_unused_result));

#endif
