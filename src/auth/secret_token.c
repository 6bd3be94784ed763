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
