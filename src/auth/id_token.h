// SPDX-License-Identifier: Apache-2.0
// What an OpenID provider says: of itself (discovery document), of its keys (JWKS), and of who signed in (ID token).
// Pure: fetches nothing and knows no clock.
//
// The algorithm belongs to the key, never to the token: it is the key's "alg", or the one that its kind of key stands
// for (RSA: RS256, P-256: ES256, Ed25519: EdDSA). Symmetric keys and keys with a private part are no keys here, and
// what the token's header offers besides (jwk, jku, x5u, x5c) is not looked at.
#ifndef AUTH_ID_TOKEN_H
#define AUTH_ID_TOKEN_H

#include "base/err.h"
#include "base/time.h"

enum {
    ID_TOKEN_MAX = 16 * 1024,
    JWKS_TEXT_MAX = 256 * 1024,
    JWKS_KEYS_MAX = 64,
    DISCOVERY_TEXT_MAX = 128 * 1024,
    ID_TOKEN_GROUPS_MAX = 1000,
    ID_TOKEN_LEEWAY_S = 60, // the provider's clock may differ by this much
    ID_TOKEN_AGE_MAX_S = 600, // issued longer ago, it is not of this sign-in
};

struct oidc_provider {
    struct str authorization, token, jwks; // where to
    bool secret_in_body;                   // it does not take the client's secret in a header
};
// ERR_UPSTREAM: not a document of this issuer, or an address in it is not https (http on loopback, if the issuer is).
bool oidc_provider_read(struct str document, struct str issuer, struct oidc_provider *ret, struct arena *a,
                        struct err *err) __attribute__((warn_unused_result));
// An address without user, query and fragment that is https, or http on loopback.
bool oidc_address_check(struct str url, struct err *err) __attribute__((warn_unused_result));

struct id_token_expected {
    struct str issuer, client_id, nonce;
    struct str groups_claim; // a name, or a path with dots
    struct instant now;
};
struct id_token {
    struct str subject;
    struct str email; // absent: not told
    bool email_verified, email_doubted; // the provider says so, and says that it is not
    struct strs groups;
};
// ERR_UNAUTHENTICATED: the sentence says which claim is wrong. *ret_key_unknown: the set holds no such key; it may be a
// new one. Texts of *ret are in the arena.
bool id_token_verify(struct str token, struct str jwks, const struct id_token_expected *x, struct id_token *ret,
                     bool *ret_key_unknown, struct arena *a, struct err *err) __attribute__((warn_unused_result));

// The S256 challenge of a verifier (RFC 7636), in the arena.
struct str pkce_challenge(struct str verifier, struct arena *a);

#endif
