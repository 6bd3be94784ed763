// SPDX-License-Identifier: Apache-2.0
// ID tokens and the keys they are signed with. Signatures of RSA and EC keys are cjose's to check, those of Ed25519
// libsodium's, because cjose knows no such keys. Rules: id_token.h.
#include "auth/id_token.h"

#include <cjose/cjose.h>
#include <sodium.h>

#include "base/json.h"

enum {
    BASE64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING,
    RSA_BYTES_MIN = 2048 / 8,
    RSA_BYTES_MAX = 8192 / 8,
    RSA_E_BYTES_MAX = 4,
    P256_BYTES = 32,
    P384_BYTES = 48,
    SUBJECT_MAX = 255, // OpenID Connect Core §2
    GROUP_MAX = 256,
    EMAIL_TEXT_MAX = 254,
};

struct alg {
    const char *name, *kty, *crv; // crv NULL: any
    bool by_default;              // of a key that names none
};
static const struct alg algs[] = {
    {"RS256", "RSA", NULL, true},  {"RS384", "RSA", NULL, false}, {"RS512", "RSA", NULL, false},
    {"PS256", "RSA", NULL, false}, {"PS384", "RSA", NULL, false}, {"PS512", "RSA", NULL, false},
    {"ES256", "EC", "P-256", true}, {"ES384", "EC", "P-384", true}, {"EdDSA", "OKP", "Ed25519", true},
};

static bool bad(struct err *err, const char *what)
{
    return ERR(err, ERR_UNAUTHENTICATED, "the provider's ID token is refused: %s", what);
}

// Bytes of base64url text in the arena; absent when it is not that, or longer.
static struct str bytes_of(struct str text, size_t max, struct arena *a)
{
    size_t n = 0;
    uint8_t *out = text.p && text.n > 0 && text.n <= max * 2 ? arena_alloc(a, max + 1) : NULL;
    if (!out || sodium_base642bin(out, max, text.p, text.n, NULL, &n, NULL, BASE64) != 0)
        return STR_NONE;
    return (struct str){(char *)out, n};
}

static struct str member(const json_t *v, const char *name) { return json_str(json_object_get(v, name)); }

// ---- keys --------------------------------------------------------------------------------------

// The one algorithm of a key; NULL when it is no key to check signatures with.
static const struct alg *alg_of(const json_t *jwk)
{
    struct str kty = member(jwk, "kty"), crv = member(jwk, "crv"), name = member(jwk, "alg"), use = member(jwk, "use");
    if ((use.p && !str_is(use, "sig")) || json_object_get(jwk, "d") || json_object_get(jwk, "k"))
        return NULL;
    for (size_t i = 0; i < sizeof algs / sizeof algs[0]; i++) {
        const struct alg *g = &algs[i];
        bool fits = str_is(kty, g->kty) && (!g->crv || str_is(crv, g->crv));
        if (fits && (name.p ? str_is(name, g->name) : g->by_default))
            return g;
    }
    return NULL;
}

// The key by its id. Without one in the header there must be only one that could be meant.
static const json_t *key_find(const json_t *keys, struct str kid, struct str alg)
{
    const json_t *found = NULL;
    size_t n = json_array_size(keys) < JWKS_KEYS_MAX ? json_array_size(keys) : JWKS_KEYS_MAX;
    for (size_t i = 0; i < n; i++) {
        const json_t *jwk = json_array_get(keys, i);
        const struct alg *g = alg_of(jwk);
        if (!g || (kid.p ? !str_eq(member(jwk, "kid"), kid) : !str_is(alg, g->name)))
            continue;
        if (found)
            return NULL; // two of one name: neither
        found = jwk;
    }
    return found;
}

static void jwk_cleanup(cjose_jwk_t **jwk)
{
    if (*jwk)
        cjose_jwk_release(*jwk);
}

static void jws_cleanup(cjose_jws_t **jws)
{
    if (*jws)
        cjose_jws_release(*jws);
}

static struct str stripped(struct str number)
{
    while (number.n > 0 && number.p[0] == '\0')
        number = (struct str){number.p + 1, number.n - 1};
    return number;
}

static cjose_jwk_t *rsa_import(const json_t *jwk, struct arena *a)
{
    struct str n = stripped(bytes_of(member(jwk, "n"), RSA_BYTES_MAX + 1, a));
    struct str e = stripped(bytes_of(member(jwk, "e"), RSA_E_BYTES_MAX, a));
    // Exponent 1 would make every signature its own message.
    bool small = e.n == 0 || (e.n == 1 && (unsigned char)e.p[0] < 3) || !(e.p[e.n - 1] & 1);
    if (!n.p || n.n < RSA_BYTES_MIN || n.n > RSA_BYTES_MAX || small)
        return NULL;
    cjose_jwk_rsa_keyspec spec = {.n = (uint8_t *)n.p, .nlen = n.n, .e = (uint8_t *)e.p, .elen = e.n};
    return cjose_jwk_create_RSA_spec(&spec, NULL);
}

static cjose_jwk_t *ec_import(const json_t *jwk, struct arena *a)
{
    bool p256 = str_is(member(jwk, "crv"), "P-256");
    size_t size = p256 ? P256_BYTES : P384_BYTES;
    struct str x = bytes_of(member(jwk, "x"), size, a), y = bytes_of(member(jwk, "y"), size, a);
    if (!x.p || !y.p || x.n != size || y.n != size)
        return NULL;
    cjose_jwk_ec_keyspec spec = {.crv = p256 ? CJOSE_JWK_EC_P_256 : CJOSE_JWK_EC_P_384,
                                 .x = (uint8_t *)x.p, .xlen = x.n, .y = (uint8_t *)y.p, .ylen = y.n};
    return cjose_jwk_create_EC_spec(&spec, NULL);
}

static bool ed25519_right(const json_t *jwk, struct str input, struct str signature, struct arena *a)
{
    struct str x = bytes_of(member(jwk, "x"), crypto_sign_PUBLICKEYBYTES, a);
    struct str sig = bytes_of(signature, crypto_sign_BYTES, a);
    return x.n == crypto_sign_PUBLICKEYBYTES && sig.n == crypto_sign_BYTES &&
           crypto_sign_verify_detached((const uint8_t *)sig.p, (const uint8_t *)input.p, input.n,
                                       (const uint8_t *)x.p) == 0;
}

// input: header and claims as they were sent, with the dot between.
static bool signature_right(struct str token, struct str input, struct str signature, const json_t *jwk,
                            struct arena *a)
{
    struct str kty = member(jwk, "kty");
    if (str_is(kty, "OKP"))
        return ed25519_right(jwk, input, signature, a);
    __attribute__((cleanup(jwk_cleanup))) cjose_jwk_t *key =
        str_is(kty, "RSA") ? rsa_import(jwk, a) : ec_import(jwk, a);
    if (!key)
        return false;
    __attribute__((cleanup(jws_cleanup))) cjose_jws_t *jws = cjose_jws_import(token.p, token.n, NULL);
    return jws && cjose_jws_verify(jws, key, NULL);
}

// ---- the token ---------------------------------------------------------------------------------

struct parts {
    struct str input, signature; // as they were sent
    json_t *header, *claims;
};

static void parts_release(struct parts *p)
{
    json_decref(p->header);
    json_decref(p->claims);
}

static bool json_part(struct str text, json_t **ret, struct arena *a)
{
    struct err ignored;
    struct str bytes = bytes_of(text, ID_TOKEN_MAX, a);
    return bytes.p && json_parse(bytes, ret, &ignored) && json_is_object(*ret);
}

static bool parts_read(struct str token, struct parts *ret, struct arena *a)
{
    struct str rest, header, claims;
    if (!token.p || token.n > ID_TOKEN_MAX)
        return false;
    header = str_split(token, '.', &rest);
    claims = str_split(rest, '.', &ret->signature);
    ret->input = (struct str){token.p, header.n + 1 + claims.n};
    return ret->signature.n > 0 && str_find(ret->signature, '.') == ret->signature.n &&
           bytes_of(ret->signature, RSA_BYTES_MAX, a).p && json_part(header, &ret->header, a) &&
           json_part(claims, &ret->claims, a);
}

static bool signed_by(const struct parts *p, struct str token, struct str jwks, bool *ret_key_unknown, struct arena *a,
                      struct err *err)
{
    CLEANUP_JSON json_t *set = NULL;
    struct err ignored;
    const json_t *kid = json_object_get(p->header, "kid");
    struct str alg = member(p->header, "alg");
    if (json_object_get(p->header, "crit") || (kid && !json_is_string(kid)) || !alg.p)
        return bad(err, "its header is not one we know");
    if (jwks.n > JWKS_TEXT_MAX || !json_parse(jwks, &set, &ignored))
        return ERR(err, ERR_UPSTREAM, "the provider's keys cannot be read");
    const json_t *jwk = key_find(json_object_get(set, "keys"), json_str(kid), alg);
    if (!jwk) {
        *ret_key_unknown = true;
        return bad(err, "it is signed with a key that the provider does not show");
    }
    if (!str_is(alg, alg_of(jwk)->name))
        return bad(err, "its algorithm is not the one of its key");
    return signature_right(token, p->input, p->signature, jwk, a) || bad(err, "its signature is wrong");
}

// "aud": the client, or a list with it in; with others in, "azp" says that it was made for us.
static bool audience_right(const json_t *claims, struct str client_id)
{
    const json_t *aud = json_object_get(claims, "aud"), *azp = json_object_get(claims, "azp");
    bool ours = json_is_string(aud) && str_eq(json_str(aud), client_id);
    for (size_t i = 0; json_is_array(aud) && i < json_array_size(aud); i++)
        ours |= str_eq(json_str(json_array_get(aud, i)), client_id) && json_is_string(json_array_get(aud, i));
    bool alone = json_is_string(aud) || json_array_size(aud) == 1;
    return ours && (azp ? json_is_string(azp) && str_eq(json_str(azp), client_id) : alone);
}

// Seconds of a claim as an instant; whole or not, they come as numbers.
static bool moment(const json_t *claims, const char *name, struct instant *ret)
{
    const json_t *v = json_object_get(claims, name);
    double s = json_number_value(v);
    if (!json_is_number(v) || !(s >= 0 && s < (double)(INT64_MAX / US_PER_S / 2)))
        return false;
    *ret = instant_s((int64_t)s);
    return true;
}

static bool times_right(const json_t *claims, struct instant now, struct err *err)
{
    struct instant issued, expires, not_before;
    int64_t leeway_us = ID_TOKEN_LEEWAY_S * US_PER_S, age_us = ID_TOKEN_AGE_MAX_S * US_PER_S;
    if (!moment(claims, "exp", &expires) || now.us - leeway_us >= expires.us)
        return bad(err, "it has expired");
    if (!moment(claims, "iat", &issued) || issued.us > now.us + leeway_us || issued.us < now.us - age_us - leeway_us)
        return bad(err, "it was not issued just now; compare the clocks");
    if (json_object_get(claims, "nbf") && (!moment(claims, "nbf", &not_before) || not_before.us > now.us + leeway_us))
        return bad(err, "it is not valid yet; compare the clocks");
    return true;
}

static bool claims_right(const json_t *claims, const struct id_token_expected *x, struct err *err)
{
    struct str subject = member(claims, "sub"), nonce = member(claims, "nonce");
    if (!str_eq(member(claims, "iss"), x->issuer) || !member(claims, "iss").p)
        return bad(err, "it is of another issuer");
    if (!audience_right(claims, x->client_id))
        return bad(err, "it was made for another client");
    if (!nonce.p || !str_eq_secret(nonce, x->nonce))
        return bad(err, "it belongs to another sign-in");
    if (subject.n == 0 || subject.n > SUBJECT_MAX)
        return bad(err, "it does not say who signed in");
    return times_right(claims, x->now, err);
}

// A claim by its name, else by a path with dots through objects.
static const json_t *claim_find(const json_t *claims, struct str path, struct arena *a)
{
    const char *name = arena_cstr(a, path);
    const json_t *v = name ? json_object_get(claims, name) : NULL;
    if (v || !name)
        return v;
    v = claims;
    for (struct str rest = path; v && rest.n > 0;) {
        const char *step = arena_cstr(a, str_split(rest, '.', &rest));
        v = step ? json_object_get(v, step) : NULL;
    }
    return v == claims ? NULL : v;
}

static bool groups_read(const json_t *v, struct strs *ret, struct arena *a)
{
    size_t n = json_is_array(v) ? json_array_size(v) : json_is_string(v) ? 1 : 0;
    n = n < ID_TOKEN_GROUPS_MAX ? n : ID_TOKEN_GROUPS_MAX;
    *ret = (struct strs){arena_new_array(a, struct str, n), 0};
    for (size_t i = 0; ret->v && i < n; i++) {
        struct str group = json_str(json_is_array(v) ? json_array_get(v, i) : v);
        if (group.n > 0 && group.n <= GROUP_MAX)
            ret->v[ret->n++] = arena_str(a, group);
    }
    return ret->v && !a->exhausted;
}

static bool claims_take(const json_t *claims, struct str groups_claim, struct id_token *ret, struct arena *a,
                        struct err *err)
{
    const json_t *verified = json_object_get(claims, "email_verified");
    struct str email = member(claims, "email"), word = json_str(verified);
    struct id_token t = {.subject = arena_str(a, member(claims, "sub")),
                         .email_verified = json_is_true(verified) || str_is(word, "true"),
                         .email_doubted = json_is_false(verified) || str_is(word, "false")};
    if (email.n > 0 && email.n <= EMAIL_TEXT_MAX)
        t.email = arena_str(a, email);
    if (!groups_read(claim_find(claims, groups_claim, a), &t.groups, a))
        return ERR(err, ERR_TOO_LARGE, "the provider's ID token does not fit into memory");
    *ret = t;
    return true;
}

bool id_token_verify(struct str token, struct str jwks, const struct id_token_expected *x, struct id_token *ret,
                     bool *ret_key_unknown, struct arena *a, struct err *err)
{
    must(sodium_init() >= 0);
    struct parts p __attribute__((cleanup(parts_release))) = {.header = NULL};
    *ret_key_unknown = false;
    if (!parts_read(token, &p, a))
        return bad(err, "it is no signed token");
    return signed_by(&p, token, jwks, ret_key_unknown, a, err) && claims_right(p.claims, x, err) &&
           claims_take(p.claims, x->groups_claim, ret, a, err);
}

// ---- the provider ------------------------------------------------------------------------------

static bool on_loopback(struct str url)
{
    static const char *const starts[] = {"http://127.0.0.1", "http://localhost", "http://[::1]"};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        struct str start = str_of(starts[i]);
        char next = url.n > start.n ? url.p[start.n] : '/';
        if (str_starts(url, start) && (next == ':' || next == '/'))
            return true;
    }
    return false;
}

bool oidc_address_check(struct str url, struct err *err)
{
    struct str https = STR("https://");
    bool ok = on_loopback(url) || (str_starts(url, https) && url.n > https.n && url.p[https.n] != '/');
    for (size_t i = 0; ok && i < url.n; i++)
        ok = url.p[i] > ' ' && url.p[i] < 0x7f && url.p[i] != '#' && url.p[i] != '@' && url.p[i] != '\\';
    return ok || ERR(err, ERR_CONFIG, "must be an https address, or http on this machine, without a user");
}

static bool address_take(const json_t *document, const char *name, struct str issuer, struct str *ret, struct arena *a,
                         struct err *err)
{
    struct str url = member(document, name);
    struct err ignored = {0};
    if (!url.p || !oidc_address_check(url, &ignored) || (on_loopback(url) && !on_loopback(issuer)))
        return ERR(err, ERR_UPSTREAM, "the provider's discovery document has no usable \"%s\"", name);
    *ret = arena_str(a, url);
    return true;
}

bool oidc_provider_read(struct str document, struct str issuer, struct oidc_provider *ret, struct arena *a,
                        struct err *err)
{
    CLEANUP_JSON json_t *v = NULL;
    struct err why = {0};
    struct oidc_provider p = {.secret_in_body = false};
    if (document.n > DISCOVERY_TEXT_MAX || !json_parse(document, &v, &why))
        return ERR(err, ERR_UPSTREAM, "the provider's discovery document cannot be read: %s", why.text);
    if (!str_eq(member(v, "issuer"), issuer))
        return ERR(err, ERR_UPSTREAM, "the provider's discovery document is of another issuer than oidc.issuer says");
    if (!address_take(v, "authorization_endpoint", issuer, &p.authorization, a, err) ||
        !address_take(v, "token_endpoint", issuer, &p.token, a, err) ||
        !address_take(v, "jwks_uri", issuer, &p.jwks, a, err))
        return false;
    const json_t *methods = json_object_get(v, "token_endpoint_auth_methods_supported");
    bool basic = !json_is_array(methods);
    for (size_t i = 0; i < json_array_size(methods); i++) {
        struct str method = json_str(json_array_get(methods, i));
        basic |= str_is(method, "client_secret_basic");
        p.secret_in_body |= str_is(method, "client_secret_post");
    }
    p.secret_in_body &= !basic;
    *ret = p;
    return true;
}

struct str pkce_challenge(struct str verifier, struct arena *a)
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    char text[sodium_base64_ENCODED_LEN(sizeof hash, BASE64)];
    crypto_hash_sha256(hash, (const uint8_t *)verifier.p, verifier.n);
    sodium_bin2base64(text, sizeof text, hash, sizeof hash, BASE64);
    return arena_str(a, str_of(text));
}
