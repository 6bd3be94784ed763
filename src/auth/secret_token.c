// SPDX-License-Identifier: Apache-2.0
// Refresh tokens and API keys: chance with a prefix, so that a leaked one is recognised by scanners.
#include "auth/token.h"

#include <sodium.h>

#include "base/rng.h"

enum { SECRET_BYTES = 32 };

const char *secret_token_new(const char *prefix, char out[static SECRET_TOKEN_MAX])
{
    size_t n = strlen(prefix);
    must(n <= SECRET_TOKEN_PREFIX_MAX);
    uint8_t secret[SECRET_BYTES];
    rng_secret(secret, sizeof secret);
    memcpy(out, prefix, n);
    sodium_bin2base64(out + n, SECRET_TOKEN_MAX - n, secret, sizeof secret,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(secret, sizeof secret);
    return out;
}

void secret_token_hash(struct str token, uint8_t ret[static SECRET_TOKEN_HASH_BYTES])
{
    must(crypto_generichash(ret, SECRET_TOKEN_HASH_BYTES, (const uint8_t *)(token.p ? token.p : ""), token.n,
                            NULL, 0) == 0);
}

void secret_token_hash_for(const char *purpose, struct str token, uint8_t ret[static SECRET_TOKEN_HASH_BYTES])
{
    must(crypto_generichash(ret, SECRET_TOKEN_HASH_BYTES, (const uint8_t *)(token.p ? token.p : ""), token.n,
                            (const uint8_t *)purpose, strlen(purpose)) == 0);
}

struct str secret_token_mac(const uint8_t key[static TOKEN_KEY_BYTES], struct str text, struct arena *a)
{
    uint8_t mac[SECRET_TOKEN_HASH_BYTES];
    char out[sodium_base64_ENCODED_LEN(sizeof mac, sodium_base64_VARIANT_URLSAFE_NO_PADDING)];
    must(crypto_generichash(mac, sizeof mac, (const uint8_t *)text.p, text.n, key, TOKEN_KEY_BYTES) == 0);
    sodium_bin2base64(out, sizeof out, mac, sizeof mac, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return arena_str(a, str_of(out));
}
