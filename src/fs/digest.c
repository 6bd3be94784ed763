// SPDX-License-Identifier: Apache-2.0
// libsodium's SHA-256 over chunks.
#include "fs/digest.h"

#include <errno.h>
#include <sodium.h>
#include <unistd.h>

#include "base/mem.h"

enum { BUFFER = 256 * 1024, HEX_DIGITS = DIGEST_TEXT_MAX - 1 };

bool digest_file(int fd, struct str shown, const struct fs_stop *stop, char ret_hex[static DIGEST_TEXT_MAX],
                 int64_t *ret_bytes, struct err *err)
{
    crypto_hash_sha256_state state;
    unsigned char sum[crypto_hash_sha256_BYTES];
    unsigned char *buffer = mem_array(BUFFER, 1);
    int64_t bytes = 0;
    bool ok = true;
    crypto_hash_sha256_init(&state);
    for (ssize_t n = 1; ok && n != 0;) {
        n = pread(fd, buffer, BUFFER, bytes);
        if (n < 0 && errno != EINTR)
            ok = fs_error(err, "read", shown);
        if (n > 0) {
            crypto_hash_sha256_update(&state, buffer, (unsigned long long)n);
            bytes += n;
        }
        ok = ok && !fs_stopped(stop, err);
    }
    mem_free(buffer);
    if (!ok)
        return false;
    crypto_hash_sha256_final(&state, sum);
    sodium_bin2hex(ret_hex, DIGEST_TEXT_MAX, sum, sizeof sum);
    *ret_bytes = bytes;
    return true;
}

bool digest_line_parse(struct str line, struct str *ret_hex, struct str *ret_path)
{
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    if (line.n < HEX_DIGITS + 3 || line.p[HEX_DIGITS] != ' ' ||
        (line.p[HEX_DIGITS + 1] != ' ' && line.p[HEX_DIGITS + 1] != '*'))
        return false;
    for (size_t i = 0; i < HEX_DIGITS; i++)
        if (!strchr("0123456789abcdefABCDEF", line.p[i]) || line.p[i] == '\0')
            return false;
    *ret_hex = (struct str){line.p, HEX_DIGITS};
    *ret_path = (struct str){line.p + HEX_DIGITS + 2, line.n - HEX_DIGITS - 2};
    return true;
}
