// SPDX-License-Identifier: Apache-2.0
// secretstream over chunks; the last chunk, which may be empty, carries TAG_FINAL.
#include "fs/cipher.h"

#include <errno.h>
#include <sodium.h>
#include <unistd.h>

#include "base/mem.h"

enum {
    KIND_KEY = 1,
    KIND_PASSPHRASE = 2,
    MAGIC_BYTES = 8,
    SALT_BYTES = crypto_pwhash_SALTBYTES,
    KEY_BYTES = crypto_secretstream_xchacha20poly1305_KEYBYTES,
    HEADER_BYTES = crypto_secretstream_xchacha20poly1305_HEADERBYTES,
    SEAL_BYTES = crypto_secretstream_xchacha20poly1305_ABYTES,
    CHUNK = 64 * 1024,
    PASSPHRASE_PASSES = 3,
    PASSPHRASE_MEMORY = 19 * 1024 * 1024,
    SHOWN_MAX = 160,
};
static const char magic[MAGIC_BYTES + 1] = "CHRONOS1";

struct file_head {
    char magic[MAGIC_BYTES];
    unsigned char kind;
    unsigned char salt[SALT_BYTES];
    unsigned char header[HEADER_BYTES];
};
_Static_assert(sizeof(struct file_head) == MAGIC_BYTES + 1 + SALT_BYTES + HEADER_BYTES,
               "it is written as it is");

struct work {
    crypto_secretstream_xchacha20poly1305_state state;
    unsigned char key[KEY_BYTES];
    unsigned char in[CHUNK + SEAL_BYTES], out[CHUNK + SEAL_BYTES];
};

static void work_free(struct work **w)
{
    sodium_memzero(*w, sizeof **w);
    mem_free(*w);
}

static bool key_of_hex(struct str key, unsigned char out[static KEY_BYTES])
{
    size_t n = 0;
    return key.n == 2 * KEY_BYTES && sodium_hex2bin(out, KEY_BYTES, key.p, key.n, NULL, &n, NULL) == 0 &&
           n == KEY_BYTES;
}

static bool key_make(struct str key, const struct file_head *h, unsigned char out[static KEY_BYTES],
                     struct err *err)
{
    if (h->kind == KIND_KEY)
        return key_of_hex(key, out) || ERR(err, ERR_CORRUPT,
                                           "the file was encrypted with a key of 64 hexadecimal "
                                           "digits; give that key");
    if (crypto_pwhash(out, KEY_BYTES, key.p, key.n, h->salt, PASSPHRASE_PASSES, PASSPHRASE_MEMORY,
                      crypto_pwhash_ALG_ARGON2ID13) != 0)
        return ERR(err, ERR_TOO_LARGE,
                   "no memory to make a key of the passphrase; give a key of 64 hexadecimal digits");
    return true;
}

// As many bytes as there are, up to n.
static bool read_full(int fd, void *buf, size_t n, off_t at, size_t *ret_n, struct str shown, struct err *err)
{
    size_t have = 0;
    while (have < n) {
        ssize_t got = pread(fd, (char *)buf + have, n - have, at + (off_t)have);
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            return fs_error(err, "read", shown);
        have += got > 0 ? (size_t)got : 0;
    }
    *ret_n = have;
    return true;
}

bool cipher_encrypt(int fd, struct str shown, struct str key, struct fresh *to, const struct fs_stop *stop,
                    struct err *err)
{
    __attribute__((cleanup(work_free))) struct work *w = mem_new(struct work);
    struct file_head h = {.kind = KIND_PASSPHRASE};
    memcpy(h.magic, magic, MAGIC_BYTES);
    if (key_of_hex(key, w->key))
        h.kind = KIND_KEY;
    else if (key.n < CIPHER_PASSPHRASE_MIN)
        return ERR(err, ERR_INVALID,
                   "the key must be 64 hexadecimal digits or a passphrase of at least %d bytes",
                   (int)CIPHER_PASSPHRASE_MIN);
    randombytes_buf(h.salt, sizeof h.salt);
    if (!key_make(key, &h, w->key, err))
        return false;
    crypto_secretstream_xchacha20poly1305_init_push(&w->state, h.header, w->key);
    if (!fresh_write(to, &h, sizeof h, err))
        return false;
    for (off_t at = 0;;) {
        size_t n;
        unsigned long long sealed;
        if (fs_stopped(stop, err) || !read_full(fd, w->in, CHUNK, at, &n, shown, err))
            return false;
        unsigned char tag = n < CHUNK ? crypto_secretstream_xchacha20poly1305_TAG_FINAL : 0;
        crypto_secretstream_xchacha20poly1305_push(&w->state, w->out, &sealed, w->in, n, NULL, 0, tag);
        if (!fresh_write(to, w->out, (size_t)sealed, err))
            return false;
        if (tag)
            return true;
        at += (off_t)n;
    }
}

static bool damaged(struct str shown, struct err *err)
{
    return ERR(err, ERR_CORRUPT, "\"%.*s\" cannot be decrypted: it was changed or cut, or the key is another",
               (int)str_utf8_cut(shown, SHOWN_MAX), shown.p);
}

bool cipher_decrypt(int fd, struct str shown, struct str key, struct fresh *to, const struct fs_stop *stop,
                    struct err *err)
{
    __attribute__((cleanup(work_free))) struct work *w = mem_new(struct work);
    struct file_head h;
    size_t n;
    if (!read_full(fd, &h, sizeof h, 0, &n, shown, err))
        return false;
    if (n < sizeof h || memcmp(h.magic, magic, MAGIC_BYTES) != 0 ||
        (h.kind != KIND_KEY && h.kind != KIND_PASSPHRASE))
        return ERR(err, ERR_CORRUPT, "\"%.*s\" is no file that ENCRYPT has written",
                   (int)str_utf8_cut(shown, SHOWN_MAX), shown.p);
    if (!key_make(key, &h, w->key, err))
        return false;
    if (crypto_secretstream_xchacha20poly1305_init_pull(&w->state, h.header, w->key) != 0)
        return damaged(shown, err);
    for (off_t at = sizeof h;;) {
        unsigned long long plain;
        unsigned char tag;
        if (fs_stopped(stop, err) || !read_full(fd, w->in, sizeof w->in, at, &n, shown, err))
            return false;
        if (crypto_secretstream_xchacha20poly1305_pull(&w->state, w->out, &plain, &tag, w->in, n, NULL, 0) !=
            0)
            return damaged(shown, err);
        if (!fresh_write(to, w->out, (size_t)plain, err))
            return false;
        if (tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL)
            return n < sizeof w->in || damaged(shown, err);
        at += (off_t)n;
    }
}
