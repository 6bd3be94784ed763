// SPDX-License-Identifier: Apache-2.0
// Access tokens: JSON claims in a compact JWS. Signing and the HMAC check are cjose's; what a token must
// look like is decided here, because cjose reads the algorithm from the token's own header and accepts
// repeated header names.
//
// The header is a constant of the key ("{"alg":"HS256","kid":…}"), so it is compared, not parsed.
#include "auth/token.h"

#include <cjose/cjose.h>
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/sync.h"
#include "model/user.h"

enum {
    KEY_ID_BYTES = TOKEN_KEY_ID_CHARS / 2,
    KEY_ID_TEXT = TOKEN_KEY_ID_CHARS + 1,
    HEADER_TEXT_MAX = 128,
    CLAIMS_TEXT_MAX = 2048,
    CLAIMS_COUNT = 10,
    SIGNATURE_BYTES = 32,
    SIGNATURE_TEXT = 43,
    KEY_TEXT_MAX = 64,
    KEY_FILE_MAX = 8192, // several, with commas between
};

static const char ISSUER[] = "chronos";
static const char AUDIENCE[] = "chronos-api";
static const char BAD[] = "the access token is not valid; sign in again";
static const char EXPIRED[] = "the access token has expired; sign in again or refresh it";

struct token_key {
    cjose_jwk_t *jwk;
    char id[KEY_ID_TEXT];
    char header[HEADER_TEXT_MAX]; // base64url text of the one header this key writes, without the dot
    size_t header_n;
    uint8_t parent[TOKEN_KEY_BYTES]; // of the derived keys
    uint64_t serial; // of this process, so that what is remembered of another key is never taken for this one's
};

static void jws_cleanup(cjose_jws_t **jws)
{
    if (*jws)
        cjose_jws_release(*jws);
}

static cjose_header_t *header_new(const struct token_key *key)
{
    cjose_header_t *h = cjose_header_new(NULL);
    must(h && cjose_header_set(h, CJOSE_HDR_ALG, CJOSE_HDR_ALG_HS256, NULL));
    must(cjose_header_set(h, CJOSE_HDR_KID, key->id, NULL));
    return h;
}

// Compact text of the signed bytes; lives as long as *ret_jws.
static bool sign_bytes(const struct token_key *key, struct str bytes, cjose_jws_t **ret_jws,
                       const char **ret_text)
{
    cjose_header_t *h = header_new(key);
    *ret_jws = cjose_jws_sign(key->jwk, h, (const uint8_t *)bytes.p, bytes.n, NULL);
    cjose_header_release(h);
    return *ret_jws && cjose_jws_export(*ret_jws, ret_text, NULL);
}

// The header text of this key is learned by signing once.
static void header_learn(struct token_key *key)
{
    __attribute__((cleanup(jws_cleanup))) cjose_jws_t *jws = NULL;
    const char *text;
    must(sign_bytes(key, STR("{}"), &jws, &text));
    key->header_n = str_find(str_of(text), '.');
    must(key->header_n < sizeof key->header);
    memcpy(key->header, text, key->header_n);
}

struct token_key *token_key_new(const uint8_t secret[static TOKEN_KEY_BYTES])
{
    must(sodium_init() >= 0);
    struct token_key *key = mem_new(struct token_key);
    static _Atomic uint64_t serials;
    key->serial = atomic_fetch_add(&serials, 1) + 1;
    static const uint8_t purpose[] = "chronos token key id";
    uint8_t id[crypto_generichash_BYTES_MIN];
    must(crypto_generichash(id, sizeof id, purpose, sizeof purpose, secret, TOKEN_KEY_BYTES) == 0);
    sodium_bin2hex(key->id, sizeof key->id, id, KEY_ID_BYTES);
    static const uint8_t family[] = "chronos derived keys";
    must(crypto_generichash(key->parent, sizeof key->parent, family, sizeof family, secret, TOKEN_KEY_BYTES) == 0);
    key->jwk = cjose_jwk_create_oct_spec(secret, TOKEN_KEY_BYTES, NULL);
    must(key->jwk);
    header_learn(key);
    return key;
}

// A key others can read is no secret; who owns the file may give it to his group (secrets of orchestrators).
static bool key_file_private(const char *path, struct err *err)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return ERR_ERRNO(err, "look at token key file \"%s\"", path);
    if (st.st_mode & (S_IRWXO | S_IWGRP))
        return ERR(err, ERR_CONFIG, "token key file \"%s\" is open to other users; chmod it to 600", path);
    return true;
}

static bool key_file_write(const char *path, struct err *err)
{
    uint8_t secret[TOKEN_KEY_BYTES];
    char text[KEY_TEXT_MAX];
    rng_secret(secret, sizeof secret);
    sodium_bin2base64(text, sizeof text, secret, sizeof secret, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    struct str line = str_of(text);
    text[line.n++] = '\n';
    bool ok = file_write(path, line, S_IRUSR | S_IWUSR, err);
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(text, sizeof text);
    return ok;
}

bool token_secret_load(const char *path, bool make, struct str *ret, struct arena *a, struct err *err)
{
    must(sodium_init() >= 0);
    struct str text;
    bool missing = access(path, F_OK) != 0 && errno == ENOENT;
    if (missing && !make)
        return ERR(err, ERR_CONFIG, "token key file \"%s\" is missing: put it back from a backup, or run "
                                    "chronos admin forget-key",
                   path);
    if (missing && !key_file_write(path, err))
        return err_wrap(err, "new token key");
    // Always read back, so that what is used is what the next start will find.
    if (!key_file_private(path, err) || !file_read(path, KEY_FILE_MAX, &text, a, err))
        return false;
    text = str_trim(text);
    if (text.n < TOKEN_SECRET_MIN)
        return ERR(err, ERR_CONFIG, "token key file \"%s\" holds no key: put it back from a backup, or delete it and "
                                    "run chronos admin forget-key",
                   path);
    *ret = text;
    return true;
}

struct token_key *token_key_of(struct str text)
{
    must(sodium_init() >= 0 && text.n >= TOKEN_SECRET_MIN);
    static const uint8_t purpose[] = "chronos token key";
    uint8_t secret[TOKEN_KEY_BYTES];
    crypto_generichash_state hash;
    must(crypto_generichash_init(&hash, purpose, sizeof purpose, sizeof secret) == 0);
    must(crypto_generichash_update(&hash, (const uint8_t *)text.p, text.n) == 0);
    must(crypto_generichash_final(&hash, secret, sizeof secret) == 0);
    struct token_key *key = token_key_new(secret);
    sodium_memzero(secret, sizeof secret);
    return key;
}

struct str token_secret_new(struct arena *a)
{
    uint8_t secret[TOKEN_KEY_BYTES];
    char text[KEY_TEXT_MAX];
    rng_secret(secret, sizeof secret);
    sodium_bin2base64(text, sizeof text, secret, sizeof secret, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    struct str copy = arena_str(a, str_of(text));
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(text, sizeof text);
    return copy;
}

void token_key_derive(const struct token_key *key, const char *purpose, uint8_t ret[static TOKEN_KEY_BYTES])
{
    must(crypto_generichash(ret, TOKEN_KEY_BYTES, (const uint8_t *)purpose, strlen(purpose), key->parent,
                            sizeof key->parent) == 0);
}

void token_key_free(struct token_key *key)
{
    if (!key)
        return;
    sodium_memzero(key->parent, sizeof key->parent);
    cjose_jwk_release(key->jwk);
    mem_free(key);
}

const char *token_key_id(const struct token_key *key)
{
    return key->id;
}

static void claims_write(const struct token_claims *c, struct sbuf *out)
{
    char user[ULID_TEXT_MAX], family[ULID_TEXT_MAX];
    int64_t issued_s = c->issued_at.us / US_PER_S;
    sbuf_fmt(out, "{\"iss\":\"%s\",\"aud\":\"%s\",\"sub\":\"%s\",\"email\":", ISSUER, AUDIENCE,
             ulid_format(c->user_id, user));
    sbuf_json(out, c->email);
    sbuf_fmt(out, ",\"roles\":%u,\"epoch\":%" PRId64 ",\"sid\":\"%s\"", c->roles, c->session_epoch,
             ulid_format(c->family, family));
    sbuf_fmt(out, ",\"iat\":%" PRId64 ",\"nbf\":%" PRId64 ",\"exp\":%" PRId64 "}", issued_s, issued_s,
             c->expires_at.us / US_PER_S);
}

bool token_sign(const struct token_key *key, const struct token_claims *claims, struct str *ret,
                struct arena *a, struct err *err)
{
    struct sbuf json;
    sbuf_init(&json, a, CLAIMS_TEXT_MAX);
    claims_write(claims, &json);
    if (!sbuf_ok(&json))
        return ERR(err, ERR_TOO_LARGE, "access token would be too long; shorten the e-mail address");
    __attribute__((cleanup(jws_cleanup))) cjose_jws_t *jws = NULL;
    const char *text;
    if (!sign_bytes(key, sbuf_str(&json), &jws, &text))
        return ERR(err, ERR_INTERNAL, "access token could not be signed");
    struct str copy = arena_str(a, str_of(text));
    if (!copy.p || copy.n > TOKEN_TEXT_MAX)
        return ERR(err, ERR_TOO_LARGE, "access token does not fit into memory");
    *ret = copy;
    return true;
}

bool token_is_of(const struct token_key *key, struct str token)
{
    return token.n > key->header_n && token.p[key->header_n] == '.' &&
           memcmp(token.p, key->header, key->header_n) == 0;
}

bool token_names_key(struct str token)
{
    static const char before[] = "{\"alg\":\"HS256\",\"kid\":\"", after[] = "\"}";
    enum { BEFORE = sizeof before - 1, AFTER = sizeof after - 1, TEXT = BEFORE + TOKEN_KEY_ID_CHARS + AFTER };
    char text[HEADER_TEXT_MAX];
    size_t n = 0, end = str_find(token, '.');
    if (end > sizeof text || sodium_base642bin((uint8_t *)text, sizeof text, token.p, end, NULL, &n, NULL,
                                               sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
        return false;
    bool ours = n == TEXT && memcmp(text, before, BEFORE) == 0 &&
                memcmp(text + BEFORE + TOKEN_KEY_ID_CHARS, after, AFTER) == 0;
    for (size_t i = BEFORE; ours && i < BEFORE + TOKEN_KEY_ID_CHARS; i++)
        ours = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
    return ours;
}

// header "." claims "." signature, with our header and a signature in its only canonical spelling.
static bool token_shape_ok(const struct token_key *key, struct str token)
{
    if (!token.p || token.n > TOKEN_TEXT_MAX || token.n <= key->header_n + 1 + SIGNATURE_TEXT + 1)
        return false;
    struct str rest, signature, header = str_split(token, '.', &rest);
    struct str claims = str_split(rest, '.', &signature);
    if (!str_eq(header, str_of_n(key->header, key->header_n)) || signature.n != SIGNATURE_TEXT)
        return false;
    uint8_t bytes[CLAIMS_TEXT_MAX];
    size_t n;
    // libsodium's decoder refuses padding, foreign characters and trailing bits; cjose's is laxer.
    return sodium_base642bin(bytes, SIGNATURE_BYTES, signature.p, signature.n, NULL, &n, NULL,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
           n == SIGNATURE_BYTES &&
           sodium_base642bin(bytes, sizeof bytes, claims.p, claims.n, NULL, &n, NULL,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0;
}

static bool claim_ulid(const json_t *v, const char *name, struct ulid *ret)
{
    struct str s = json_str(json_object_get(v, name));
    return s.p && ulid_parse(s, ret);
}

static bool claim_i64(const json_t *v, const char *name, int64_t max, int64_t *ret)
{
    const json_t *n = json_object_get(v, name);
    if (!json_is_integer(n) || json_integer_value(n) < 0 || json_integer_value(n) > max)
        return false;
    *ret = json_integer_value(n);
    return true;
}

// Reads the claims that do not depend on the time of day. Exactly our claims, each of its type and in its
// range.
static bool claims_read(const json_t *v, struct token_claims *ret, struct arena *a)
{
    int64_t roles, issued_s, not_before_s, expires_s;
    struct str email = json_str(json_object_get(v, "email"));
    bool ok = json_is_object(v) && json_object_size(v) == CLAIMS_COUNT &&
              str_is(json_str(json_object_get(v, "iss")), ISSUER) &&
              str_is(json_str(json_object_get(v, "aud")), AUDIENCE) && claim_ulid(v, "sub", &ret->user_id) &&
              claim_ulid(v, "sid", &ret->family) && email.p && email.n <= EMAIL_MAX &&
              claim_i64(v, "roles", UINT16_MAX, &roles) &&
              claim_i64(v, "epoch", INT64_MAX, &ret->session_epoch) &&
              claim_i64(v, "iat", INT64_MAX / US_PER_S, &issued_s) &&
              claim_i64(v, "nbf", INT64_MAX / US_PER_S, &not_before_s) &&
              claim_i64(v, "exp", INT64_MAX / US_PER_S, &expires_s) && not_before_s == issued_s;
    if (!ok)
        return false;
    ret->email = arena_str(a, email);
    ret->roles = (unsigned)roles;
    ret->issued_at = instant_s(issued_s);
    ret->expires_at = instant_s(expires_s);
    return ret->email.p != NULL;
}

static bool claims_decode(const struct token_key *key, struct str token, struct token_claims *ret,
                          struct arena *a)
{
    __attribute__((cleanup(jws_cleanup))) cjose_jws_t *jws = cjose_jws_import(token.p, token.n, NULL);
    if (!jws || !cjose_jws_verify(jws, key->jwk, NULL))
        return false;
    uint8_t *bytes;
    size_t n;
    if (!cjose_jws_get_plaintext(jws, &bytes, &n, NULL))
        return false;
    CLEANUP_JSON json_t *v = NULL;
    struct err bad;
    return json_parse(str_of_n((const char *)bytes, n), &v, &bad) && claims_read(v, ret, a);
}

// What this thread verified lately. A client sends the same token with every request, and checking the signature and
// reading the claims costs more than a small request itself. The place is found and proved by a keyed hash of
// the whole token (map_key); times are judged anew every time.
enum { VERIFIED_MAX = 32 };
struct verified {
    uint64_t key_serial; // 0 = empty
    struct ulid hash;
    struct token_claims claims;
    char email[EMAIL_MAX];
};
static _Thread_local struct verified verified[VERIFIED_MAX];

static bool claims_recall(const struct token_key *key, struct ulid hash, struct token_claims *ret, struct arena *a)
{
    const struct verified *v = &verified[hash.b[0] % VERIFIED_MAX];
    if (v->key_serial != key->serial || !ulid_eq(v->hash, hash))
        return false;
    *ret = v->claims;
    ret->email = arena_str(a, str_of_n(v->email, v->claims.email.n));
    return ret->email.p != NULL;
}

static void claims_remember(const struct token_key *key, struct ulid hash, const struct token_claims *c)
{
    struct verified *v = &verified[hash.b[0] % VERIFIED_MAX];
    v->key_serial = key->serial;
    v->hash = hash;
    v->claims = *c;
    memcpy(v->email, c->email.p, c->email.n);
}

static bool claims_of(const struct token_key *key, struct str token, struct token_claims *ret, struct arena *a)
{
    if (!token.p || token.n > TOKEN_TEXT_MAX)
        return false;
    struct ulid hash = map_key(token.p, token.n);
    if (claims_recall(key, hash, ret, a))
        return true;
    if (!token_shape_ok(key, token) || !claims_decode(key, token, ret, a))
        return false;
    claims_remember(key, hash, ret);
    return true;
}

bool token_verify(const struct token_key *key, struct str token, struct instant now, struct token_claims *ret,
                  struct arena *a, struct err *err)
{
    struct token_claims c = {.roles = 0};
    if (!claims_of(key, token, &c, a))
        return ERR(err, ERR_UNAUTHENTICATED, "%s", BAD);
    int64_t life_us = instant_since(c.expires_at, c.issued_at).us;
    bool early = instant_since(c.issued_at, now).us > TOKEN_LEEWAY_S * US_PER_S;
    if (early || life_us <= 0 || life_us > TOKEN_LIFE_MAX_S * US_PER_S)
        return ERR(err, ERR_UNAUTHENTICATED, "%s", BAD);
    if (instant_since(c.expires_at, now).us <= 0)
        return ERR(err, ERR_UNAUTHENTICATED, "%s", EXPIRED);
    *ret = c;
    return true;
}
