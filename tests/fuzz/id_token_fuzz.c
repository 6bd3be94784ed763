// SPDX-License-Identifier: Apache-2.0
// Fuzzes what an OpenID provider sends four ways: the input as an ID token, as a set of keys, as the discovery
// document, and as claims under a right signature. What is believed must be of this sign-in and within its bounds.
#include <sodium.h>

#include "auth/id_token.h"

enum { BUDGET = 4 << 20, INPUT_MAX = 8000, NOW_S = 1790000000, BASE64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t public_key[crypto_sign_PUBLICKEYBYTES], secret_key[crypto_sign_SECRETKEYBYTES];

static struct str b64(const void *bytes, size_t n, struct arena *a)
{
    size_t size = sodium_base64_encoded_len(n, BASE64);
    char *out = arena_alloc(a, size);
    must(out);
    return str_of(sodium_bin2base64(out, size, bytes, n, BASE64));
}

static struct str key_set(struct arena *a)
{
    return arena_fmt(a, "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k\",\"x\":\"%s\"}]}",
                     b64(public_key, sizeof public_key, a).p);
}

static struct str signed_claims(const uint8_t *data, size_t size, struct arena *a)
{
    static const char header[] = "{\"alg\":\"EdDSA\",\"kid\":\"k\"}";
    uint8_t signature[crypto_sign_BYTES];
    struct str input = arena_fmt(a, "%s.%s", b64(header, sizeof header - 1, a).p, b64(data, size, a).p);
    crypto_sign_detached(signature, NULL, (const uint8_t *)input.p, input.n, secret_key);
    return arena_fmt(a, "%.*s.%s", STR_ARG(input), b64(signature, sizeof signature, a).p);
}

static void verify(struct str token, struct str keys, struct arena *a)
{
    const struct id_token_expected x = {.issuer = STR("https://i"), .client_id = STR("c"), .nonce = STR("n"),
                                        .groups_claim = STR("a.groups"), .now = instant_s(NOW_S)};
    struct id_token t;
    bool unknown;
    struct err err = {.code = ERR_NONE};
    if (!id_token_verify(token, keys, &x, &t, &unknown, a, &err)) {
        must(err.code == ERR_UNAUTHENTICATED || err.code == ERR_UPSTREAM || err.code == ERR_TOO_LARGE);
        return;
    }
    must(t.subject.n > 0 && t.groups.n <= ID_TOKEN_GROUPS_MAX && !(t.email_verified && t.email_doubted));
    for (size_t i = 0; i < t.groups.n; i++)
        must(t.groups.v[i].n > 0 && str_utf8_valid(t.groups.v[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t seed[crypto_sign_SEEDBYTES] = "a key for fuzzing, 32 bytes....";
    struct arena a;
    struct oidc_provider p;
    struct err ignored;
    struct str text = str_of_n((const char *)data, size);
    must(sodium_init() >= 0 && crypto_sign_seed_keypair(public_key, secret_key, seed) == 0);
    arena_init(&a, BUDGET);
    verify(text, key_set(&a), &a);
    if (size <= INPUT_MAX) {
        verify(signed_claims(data, size, &a), key_set(&a), &a);
        verify(signed_claims((const uint8_t *)"{}", 2, &a), text, &a);
    }
    if (oidc_provider_read(text, STR("https://i"), &p, &a, &ignored))
        must(oidc_address_check(p.token, &ignored) && oidc_address_check(p.authorization, &ignored));
    arena_release(&a);
    return 0;
}
