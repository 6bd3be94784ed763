// SPDX-License-Identifier: Apache-2.0
// Fuzzes token_verify two ways: the input as a whole token, and the input as claims under a right header
// and signature (an attacker cannot do that, but only so do the claim checks get reached). A token that is
// accepted must say what it holds in range, and only within its time.
#include <sodium.h>

#include "auth/token.h"
#include "model/user.h"

enum { BUDGET = 1 << 16, INPUT_MAX = 2000, NOW_S = 1790000000, MAC_TEXT = 44 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t SECRET[TOKEN_KEY_BYTES] = "0123456789abcdef0123456789abcde";

static void verify(const struct token_key *key, struct str token, struct arena *a)
{
    struct token_claims c;
    struct err err = {.code = ERR_NONE};
    struct instant now = instant_s(NOW_S);
    if (!token_verify(key, token, now, &c, a, &err)) {
        must(err.code == ERR_UNAUTHENTICATED);
        return;
    }
    must(c.email.p && c.email.n <= EMAIL_MAX && str_utf8_valid(c.email));
    must(c.expires_at.us > now.us && c.expires_at.us > c.issued_at.us && c.session_epoch >= 0);
}

static struct str signed_claims(const struct token_key *key, const uint8_t *data, size_t size,
                                struct arena *a)
{
    struct str header = arena_fmt(a, "{\"alg\":\"HS256\",\"kid\":\"%s\"}", token_key_id(key));
    const int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
    size_t header_cap = sodium_base64_encoded_len(header.n, variant);
    size_t claims_cap = sodium_base64_encoded_len(size, variant);
    char *h = arena_alloc(a, header_cap), *c = arena_alloc(a, claims_cap), mac_text[MAC_TEXT];
    must(h && c);
    sodium_bin2base64(h, header_cap, (const uint8_t *)header.p, header.n, variant);
    sodium_bin2base64(c, claims_cap, data, size, variant);
    struct str input = arena_fmt(a, "%s.%s", h, c);
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    must(crypto_auth_hmacsha256(mac, (const uint8_t *)input.p, input.n, SECRET) == 0);
    sodium_bin2base64(mac_text, sizeof mac_text, mac, sizeof mac, variant);
    return arena_fmt(a, "%.*s.%s", STR_ARG(input), mac_text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct token_key *key;
    if (!key)
        key = token_key_new(SECRET);
    struct arena a;
    arena_init(&a, BUDGET);
    verify(key, str_of_n((const char *)data, size), &a);
    if (size <= INPUT_MAX)
        verify(key, signed_claims(key, data, size, &a), &a);
    arena_release(&a);
    return 0;
}
