// SPDX-License-Identifier: Apache-2.0
// Sealed values: a random nonce, then the ciphertext with its tag. The nonce has 192 bits, so chance never
// repeats it.
#include "auth/seal.h"

#include <sodium.h>

#include "base/err.h"
#include "base/rng.h"

enum {
    NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES
};
_Static_assert(SEAL_EXTRA_BYTES == NONCE + TAG, "what a sealed value has more");
_Static_assert(SEAL_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "the key of libsodium");

struct str seal(const uint8_t key[static SEAL_KEY_BYTES], struct str name, struct str value, struct arena *a)
{
    uint8_t *out = arena_alloc(a, value.n + SEAL_EXTRA_BYTES);
    if (!out)
        return STR_NONE;
    rng_secret(out, NONCE);
    must(crypto_aead_xchacha20poly1305_ietf_encrypt(out + NONCE, NULL, (const uint8_t *)value.p, value.n,
                                                    (const uint8_t *)name.p, name.n, NULL, out, key) == 0);
    return str_of_n((const char *)out, value.n + SEAL_EXTRA_BYTES);
}

bool seal_open(const uint8_t key[static SEAL_KEY_BYTES], struct str name, struct str sealed, struct str *ret,
               struct arena *a)
{
    if (sealed.n < SEAL_EXTRA_BYTES)
        return false;
    const uint8_t *in = (const uint8_t *)sealed.p;
    size_t n = sealed.n - SEAL_EXTRA_BYTES;
    uint8_t *out = arena_alloc(a, n);
    if (!out || crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, in + NONCE, sealed.n - NONCE,
                                                           (const uint8_t *)name.p, name.n, in, key) != 0)
        return false;
    *ret = str_of_n((const char *)out, n);
    return true;
}
