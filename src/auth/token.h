// SPDX-License-Identifier: Apache-2.0
// Two kinds of tokens. Access tokens are JWTs (RFC 7519) signed with HS256 by one key of ours; everything
// needed to authorise is inside. Secret tokens (refresh tokens, API keys) are 256 random bits of which only
// a hash is kept.
//
// The algorithm belongs to the key, never to the token: a token whose header is not byte for byte the one
// this key writes is refused before anything else of it is looked at (alg none/None/RS256, jku, x5u, crit,
// duplicate keys, another kid). Signatures are compared in constant time. Keys and caches are safe to use
// from any thread.
#ifndef AUTH_TOKEN_H
#define AUTH_TOKEN_H

#include "base/arena.h"
#include "base/err.h"
#include "base/time.h"
#include "base/ulid.h"

struct token_key;

enum {
    TOKEN_KEY_BYTES = 32,
    TOKEN_SECRET_MIN = 32, // characters
    TOKEN_TEXT_MAX = 4096,  // longer access tokens are refused unread
    TOKEN_LEEWAY_S = 5,     // clocks of two nodes may differ by this much
    TOKEN_LIFE_MAX_S = 86400, // no token is valid for longer, whatever its exp says
};

// The secret text in the file, in the arena; when there is no file and `make`, a new random one is written with mode
// 0600. ERR_CONFIG when the file is missing, holds no secret or others may read it.
bool token_secret_load(const char *path, bool make, struct str *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// A key from bytes.
struct token_key *token_key_new(const uint8_t secret[static TOKEN_KEY_BYTES]);
// A key from a secret text of at least TOKEN_SECRET_MIN characters by chance.
struct token_key *token_key_of(struct str secret);
// A new secret text for token_key_of, in the arena; absent when it does not fit.
struct str token_secret_new(struct arena *a);
// Another key of the installation, one for each purpose; none of them tells anything of the others.
void token_key_derive(const struct token_key *key, const char *purpose, uint8_t ret[static TOKEN_KEY_BYTES]);
void token_key_free(struct token_key *key); // NULL is allowed
// Identifies the key without giving it away: hex of a keyed hash. Lives as long as the key.
const char *token_key_id(const struct token_key *key);
enum { TOKEN_KEY_ID_CHARS = 16 };
// Whether the token's header is, byte for byte, the one this key writes.
bool token_is_of(const struct token_key *key, struct str token);
// Whether the header is of the form that keys of ours write, whichever key it names.
bool token_names_key(struct str token);

struct token_claims {
    struct ulid user_id;
    struct str email;         // ≤ EMAIL_MAX bytes
    unsigned roles;           // 1 << enum role
    int64_t session_epoch;    // must equal the user's, or the token was revoked: the caller checks
    struct ulid family;       // session family (struct session); zero when none
    struct instant issued_at; // whole seconds are kept
    struct instant expires_at;
};

// Compact JWS text, in the arena. ERR_TOO_LARGE past TOKEN_TEXT_MAX.
bool token_sign(const struct token_key *key, const struct token_claims *claims, struct str *ret,
                struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// Claims of a valid token; ret->email is in the arena. ERR_UNAUTHENTICATED for every other text; the
// sentence tells an expired token from a bad one and nothing else.
bool token_verify(const struct token_key *key, struct str token, struct instant now, struct token_claims *ret,
                  struct arena *a, struct err *err)
    __attribute__((warn_unused_result));

enum {
    SECRET_TOKEN_HASH_BYTES = 32,
    SECRET_TOKEN_PREFIX_MAX = 16,
    SECRET_TOKEN_MAX = SECRET_TOKEN_PREFIX_MAX + 43 + 1, // prefix, 256 bits of base64url, NUL
};
// prefix (≤ SECRET_TOKEN_PREFIX_MAX characters, such as "chr_") followed by 43 random base64url characters.
// Returns out.
const char *secret_token_new(const char *prefix, char out[static SECRET_TOKEN_MAX]);
// BLAKE2b-256 of the whole text. The token holds 256 bits of chance, so no salt and no slow hash are needed.
void secret_token_hash(struct str token, uint8_t ret[static SECRET_TOKEN_HASH_BYTES]);
// The same for one purpose: a secret that was given out for it is good for nothing else.
void secret_token_hash_for(const char *purpose, struct str token, uint8_t ret[static SECRET_TOKEN_HASH_BYTES]);
// What follows from a text and a key, as base64url; absent when it does not fit into the arena.
struct str secret_token_mac(const uint8_t key[static TOKEN_KEY_BYTES], struct str text, struct arena *a);

#endif
