// SPDX-License-Identifier: Apache-2.0
// ID tokens: what a provider signed is believed for this sign-in only; forged, foreign, old and odd ones are not. Keys
// are real and made by the test.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <cjose/cjose.h>
#include <sodium.h>

#include "auth/id_token.h"
#include "base/json.h"
#include "base/sbuf.h"

enum {
    BUDGET = 16 << 20,
    NOW_S = 1790000000,
    RSA_BITS = 2048,
    WEAK_BITS = 1024,
    BASE64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING
};
#define ISSUER "https://id.example.com"
#define CLIENT "chronos"
#define NONCE  "n-0S6_WzA2Mj"

static struct fixture {
    cjose_jwk_t *rsa, *other, *weak, *ec;
    uint8_t ed_public[crypto_sign_PUBLICKEYBYTES], ed_secret[crypto_sign_SECRETKEYBYTES];
    struct arena a;
    struct err err;
} f;

static int group_open(void **state)
{
    (void)state;
    must(sodium_init() >= 0);
    static const uint8_t e[] = {1, 0, 1};
    f.rsa = cjose_jwk_create_RSA_random(RSA_BITS, e, sizeof e, NULL);
    f.other = cjose_jwk_create_RSA_random(RSA_BITS, e, sizeof e, NULL);
    f.weak = cjose_jwk_create_RSA_random(WEAK_BITS, e, sizeof e, NULL);
    f.ec = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, NULL);
    must(f.rsa && f.other && f.weak && f.ec && crypto_sign_keypair(f.ed_public, f.ed_secret) == 0);
    return 0;
}

static int group_close(void **state)
{
    (void)state;
    cjose_jwk_t *keys[] = {f.rsa, f.other, f.weak, f.ec};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        cjose_jwk_release(keys[i]);
    return 0;
}

static int test_open(void **state)
{
    (void)state;
    arena_init(&f.a, BUDGET);
    return 0;
}

static int test_close(void **state)
{
    (void)state;
    arena_release(&f.a);
    return 0;
}

static struct str b64(struct str s)
{
    size_t size = sodium_base64_encoded_len(s.n, BASE64);
    char *out = arena_alloc(&f.a, size);
    must(out);
    return str_of(sodium_bin2base64(out, size, (const uint8_t *)s.p, s.n, BASE64));
}

// The public part of a key with these members beside, as a provider shows it.
static struct str shown(cjose_jwk_t *key, const char *more)
{
    char *text = cjose_jwk_to_json(key, false, NULL);
    must(text);
    struct str s = str_of(text);
    struct str out = arena_fmt(&f.a, "{%s,%.*s", more, (int)(s.n - 1), s.p + 1);
    free(text);
    return out;
}

static struct str set_of(struct str one, struct str two)
{
    return arena_fmt(&f.a, "{\"keys\":[%.*s%s%.*s]}", STR_ARG(one), two.p ? "," : "", STR_ARG(two));
}

static struct str rsa_set(void) { return set_of(shown(f.rsa, "\"kid\":\"r\",\"use\":\"sig\""), STR_NONE); }

static struct str claims_with(const char *more)
{
    return arena_fmt(&f.a,
                     "{\"iss\":\"" ISSUER "\",\"aud\":\"" CLIENT "\",\"sub\":\"42\",\"nonce\":\"" NONCE "\",\"iat\":%d,"
                     "\"exp\":%d%s}",
                     NOW_S, NOW_S + 300, more);
}

// Signed by cjose under the header's algorithm; kid may be NULL.
static struct str signed_by(cjose_jwk_t *key, const char *alg, const char *kid, struct str claims)
{
    cjose_header_t *h = cjose_header_new(NULL);
    const char *text;
    must(h && cjose_header_set(h, CJOSE_HDR_ALG, alg, NULL));
    must(!kid || cjose_header_set(h, CJOSE_HDR_KID, kid, NULL));
    cjose_jws_t *jws = cjose_jws_sign(key, h, (const uint8_t *)claims.p, claims.n, NULL);
    must(jws && cjose_jws_export(jws, &text, NULL));
    struct str token = arena_str(&f.a, str_of(text));
    cjose_jws_release(jws);
    cjose_header_release(h);
    return token;
}

static bool believed(struct str token, struct str jwks, struct id_token *ret, bool *ret_unknown)
{
    struct id_token t;
    bool unknown;
    const struct id_token_expected x = {.issuer = STR(ISSUER), .client_id = STR(CLIENT), .nonce = STR(NONCE),
                                        .groups_claim = STR("groups"), .now = instant_s(NOW_S + 1)};
    f.err = (struct err){0};
    bool ok = id_token_verify(token, jwks, &x, ret ? ret : &t, ret_unknown ? ret_unknown : &unknown, &f.a, &f.err);
    assert_int_equal(ok, f.err.code == ERR_NONE);
    return ok;
}

static bool good(struct str token, struct str jwks) { return believed(token, jwks, NULL, NULL); }

static void each_kind_of_key_is_believed(void **state)
{
    (void)state;
    struct id_token t;
    struct str claims = claims_with(",\"email\":\"a@b.example\",\"email_verified\":true,\"groups\":[\"x\",\"y\",7]");
    assert_true(believed(signed_by(f.rsa, "RS256", "r", claims), rsa_set(), &t, NULL));
    assert_true(str_is(t.subject, "42") && str_is(t.email, "a@b.example") && t.email_verified && t.groups.n == 2);
    assert_true(good(signed_by(f.rsa, "RS256", NULL, claims), rsa_set()));
    assert_true(good(signed_by(f.rsa, "PS256", "p", claims),
                     set_of(shown(f.rsa, "\"kid\":\"p\",\"alg\":\"PS256\""), STR_NONE)));
    assert_true(good(signed_by(f.ec, "ES256", "e", claims),
                     set_of(shown(f.ec, "\"kid\":\"e\""), shown(f.rsa, "\"kid\":\"r\""))));
    struct str input = arena_fmt(&f.a, "%s.%s", b64(STR("{\"alg\":\"EdDSA\",\"kid\":\"d\"}")).p, b64(claims).p);
    uint8_t sig[crypto_sign_BYTES];
    crypto_sign_detached(sig, NULL, (const uint8_t *)input.p, input.n, f.ed_secret);
    struct str token = arena_fmt(&f.a, "%s.%s", input.p, b64(str_of_n((char *)sig, sizeof sig)).p);
    struct str set = arena_fmt(&f.a, "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"d\",\"x\":\"%s\"}]}",
                               b64(str_of_n((char *)f.ed_public, sizeof f.ed_public)).p);
    assert_true(good(token, set));
    ((char *)token.p)[token.n - 5] ^= 1;
    assert_false(good(token, set));
}

static void the_algorithm_is_the_keys(void **state)
{
    (void)state;
    struct str claims = claims_with("");
    // The same key, the same signature: under another name it is nothing.
    assert_false(good(signed_by(f.rsa, "PS256", "r", claims), rsa_set()));
    assert_false(good(signed_by(f.rsa, "RS512", "r", claims), rsa_set()));
    assert_false(good(signed_by(f.rsa, "RS256", "r", claims),
                      set_of(shown(f.rsa, "\"kid\":\"r\",\"alg\":\"PS256\""), STR_NONE)));
    static const char *const algs[] = {"none", "None", "nOnE", "NONE", "", "HS256", "ES256"};
    for (size_t i = 0; i < sizeof algs / sizeof algs[0]; i++) {
        struct str h = b64(arena_fmt(&f.a, "{\"alg\":\"%s\",\"kid\":\"r\"}", algs[i]));
        assert_false(good(arena_fmt(&f.a, "%s.%s.", h.p, b64(claims).p), rsa_set()));
        assert_false(good(arena_fmt(&f.a, "%s.%s.AAAA", h.p, b64(claims).p), rsa_set()));
    }
    // HMAC with the text that everybody can read of the public key.
    struct str secret = shown(f.rsa, "\"kid\":\"r\"");
    cjose_jwk_t *oct = cjose_jwk_create_oct_spec((const uint8_t *)secret.p, secret.n, NULL);
    assert_false(good(signed_by(oct, "HS256", "r", claims), rsa_set()));
    char *text = cjose_jwk_to_json(oct, true, NULL);
    struct str oct_set = arena_fmt(&f.a, "{\"keys\":[{\"kid\":\"r\",\"alg\":\"HS256\",%s]}", text + 1);
    assert_false(good(signed_by(oct, "HS256", "r", claims), oct_set)); // not even a key that the provider shows
    free(text);
    cjose_jwk_release(oct);
}

static void other_weak_and_unknown_keys_are_refused(void **state)
{
    (void)state;
    bool unknown;
    struct str claims = claims_with("");
    assert_false(believed(signed_by(f.other, "RS256", "r", claims), rsa_set(), NULL, &unknown));
    assert_false(unknown);
    assert_false(believed(signed_by(f.rsa, "RS256", "new", claims), rsa_set(), NULL, &unknown));
    assert_true(unknown);
    assert_false(good(signed_by(f.weak, "RS256", "w", claims), set_of(shown(f.weak, "\"kid\":\"w\""), STR_NONE)));
    assert_false(good(signed_by(f.rsa, "RS256", "r", claims),
                      set_of(shown(f.rsa, "\"kid\":\"r\",\"use\":\"enc\""), STR_NONE)));
    // Two of one name, and two that could be meant.
    assert_false(good(signed_by(f.rsa, "RS256", "r", claims),
                      set_of(shown(f.rsa, "\"kid\":\"r\""), shown(f.other, "\"kid\":\"r\""))));
    assert_false(good(signed_by(f.rsa, "RS256", NULL, claims),
                      set_of(shown(f.rsa, "\"kid\":\"r\""), shown(f.other, "\"kid\":\"q\""))));
    struct str one = STR("{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"r\",\"e\":\"AQ\",\"n\":\"AQ\"}]}");
    assert_false(good(signed_by(f.rsa, "RS256", "r", claims), one));
    static const char *const sets[] = {
        "", "{}", "[]", "{\"keys\":7}", "{\"keys\":[1,null,{}]}", "{\"keys\":[{\"kty\":\"RSA\"}]}"};
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        assert_false(good(signed_by(f.rsa, "RS256", "r", claims), str_of(sets[i])));
}

static void headers_that_bring_keys_are_not_listened_to(void **state)
{
    (void)state;
    struct str claims = b64(claims_with("")), token = signed_by(f.rsa, "RS256", "r", claims_with(""));
    struct str rest, signature;
    (void)str_split(token, '.', &rest);
    (void)str_split(rest, '.', &signature);
    static const char *const headers[] = {
        "{\"alg\":\"RS256\",\"kid\":\"r\",\"jwk\":{\"kty\":\"RSA\"}}",
        "{\"alg\":\"RS256\",\"kid\":\"r\",\"jku\":\"http://127.0.0.1:9/\"}",
        "{\"alg\":\"RS256\",\"kid\":\"r\",\"x5u\":\"http://127.0.0.1:9/\"}",
        "{\"alg\":\"RS256\",\"kid\":\"r\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"RS256\",\"kid\":[\"r\"]}",
        "{\"alg\":\"RS256\",\"alg\":\"RS256\",\"kid\":\"r\"}",
        "{\"alg\":\"RS256\",\"kid\":\"../../etc/passwd\"}",
        "{\"alg\":\"RS256\",\"kid\":\"' OR 1=1 --\"}",
        "[]", "null", "",
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        assert_false(
            good(arena_fmt(&f.a, "%s.%s.%.*s", b64(str_of(headers[i])).p, claims.p, STR_ARG(signature)),
                 rsa_set()));
}

static void claims_must_be_of_this_sign_in(void **state)
{
    (void)state;
#define C(iss, aud, sub, nonce, times, more) \
    "{\"iss\":" iss ",\"aud\":" aud ",\"sub\":" sub ",\"nonce\":" nonce "," times more "}"
#define I "\"" ISSUER "\""
#define A "\"" CLIENT "\""
#define N "\"" NONCE "\""
#define T "\"iat\":1790000000,\"exp\":1790000300"
    static const char *const right[] = {
        C(I, A, "\"42\"", N, T, ""), C(I, "[" A "]", "\"42\"", N, T, ""),
        C(I, "[" A ",\"x\"]", "\"42\"", N, T, ",\"azp\":" A), C(I, A, "\"42\"", N, T, ",\"nbf\":1790000060"),
        C(I, A, "\"42\"", N, "\"iat\":1790000000.5,\"exp\":1789999950", ""), // 51 s ago: within the leeway
    };
    static const char *const wrong[] = {
        C("\"https://id.example.com/\"", A, "\"42\"", N, T, ""), C("null", A, "\"42\"", N, T, ""),
        C("[" I "]", A, "\"42\"", N, T, ""), C(I, "\"other\"", "\"42\"", N, T, ""), C(I, "[]", "\"42\"", N, T, ""),
        C(I, "[" A ",\"x\"]", "\"42\"", N, T, ""), C(I, "[" A ",\"x\"]", "\"42\"", N, T, ",\"azp\":\"x\""),
        C(I, A, "\"42\"", N, T, ",\"azp\":\"x\""), C(I, A, "\"42\"", N, T, ",\"azp\":null"), C(I, A, "\"\"", N, T, ""),
        C(I, A, "42", N, T, ""), C(I, A, "\"42\"", "\"other\"", T, ""), C(I, A, "\"42\"", "null", T, ""),
        C(I, A, "\"42\"", N, "\"iat\":1790000000", ""), C(I, A, "\"42\"", N, "\"exp\":1790000300", ""),
        C(I, A, "\"42\"", N, "\"iat\":1790000000,\"exp\":\"1790000300\"", ""),
        C(I, A, "\"42\"", N, "\"iat\":1790000000,\"exp\":1789999941", ""),
        C(I, A, "\"42\"", N, "\"iat\":1790000062,\"exp\":1790000300", ""),
        C(I, A, "\"42\"", N, "\"iat\":1789999340,\"exp\":1790000300", ""),
        C(I, A, "\"42\"", N, T, ",\"nbf\":1790000062"), C(I, A, "\"42\"", N, T, ",\"nbf\":\"x\""),
        C(I, A, "\"42\"", N, T, ",\"sub\":\"43\""), "[]", "{}", "7", "",
        "{\"iss\":\"" ISSUER "\",\"aud\":\"chronos\",\"sub\":\"42\",\"iat\":1790000000,\"exp\":1790000300}",
    };
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++)
        if (!good(signed_by(f.rsa, "RS256", "r", str_of(right[i])), rsa_set()))
            fail_msg("%s: %s", right[i], f.err.text);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (good(signed_by(f.rsa, "RS256", "r", str_of(wrong[i])), rsa_set()))
            fail_msg("%s was believed", wrong[i]);
}

static void every_changed_byte_is_noticed(void **state)
{
    (void)state;
    struct str token = signed_by(f.rsa, "RS256", "r", claims_with("")), set = rsa_set();
    char *copy = arena_cstr(&f.a, token);
    enum { STEP = 7 }; // of the bytes: each costs a check of a signature
    for (size_t i = 0; i < token.n; i += STEP) {
        copy[i] ^= 1;
        // Unused bits at the end of a part may differ for a lax decoder; ours takes none.
        assert_false(good(str_of_n(copy, token.n), set));
        copy[i] ^= 1;
    }
    for (size_t n = 0; n < token.n; n += STEP)
        assert_false(good(str_of_n(copy, n), set));
    static char huge[1 << 20];
    memset(huge, 'A', sizeof huge);
    assert_false(good(str_of_n(huge, sizeof huge), set));
}

static void a_provider_tells_where_to_go(void **state)
{
    (void)state;
    struct oidc_provider p;
    struct err err = {0};
#define DOC(iss, auth, token)                                                                                \
    "{\"issuer\":\"" iss "\",\"authorization_endpoint\":\"" auth "\",\"token_endpoint\":\"" token            \
    "\",\"jwks_uri\":\"https://x.example/k\"}"
    assert_true(oidc_provider_read(STR(DOC(ISSUER, "https://x.example/a?b=c", "https://x.example/t")),
                                   STR(ISSUER), &p, &f.a, &err));
    assert_true(str_is(p.token, "https://x.example/t") && !p.secret_in_body);
    static const char *const wrong[] = {
        DOC("https://evil.example", "https://x.example/a", "https://x.example/t"),
        DOC(ISSUER, "http://x.example/a", "https://x.example/t"),
        DOC(ISSUER, "javascript:alert(1)", "https://x.example/t"),
        DOC(ISSUER, "https://u:p@x.example/a", "https://x.example/t"),
        DOC(ISSUER, "https://x.example/a#", "https://x.example/t"),
        DOC(ISSUER, "https://x.example/a", "http://127.0.0.1:8080/t"),
        "{}",
        "[]",
        "x",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(oidc_provider_read(str_of(wrong[i]), STR(ISSUER), &p, &f.a, &err));
    static const char *const addresses[] = {"http://127.0.0.1.evil.example/", "http://localhost@evil.example",
                                            "https://", "ftp://x"};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++)
        assert_false(oidc_address_check(str_of(addresses[i]), &err));
    assert_true(oidc_address_check(STR("http://127.0.0.1:4000"), &err));
}

static void pkce_is_that_of_the_standard(void **state)
{
    (void)state;
    struct str c = pkce_challenge(STR("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), &f.a); // RFC 7636, appendix B
    assert_true(str_is(c, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"));
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, test_open, test_close)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_kind_of_key_is_believed),
        TEST(the_algorithm_is_the_keys),
        TEST(other_weak_and_unknown_keys_are_refused),
        TEST(headers_that_bring_keys_are_not_listened_to),
        TEST(claims_must_be_of_this_sign_in),
        TEST(every_changed_byte_is_noticed),
        TEST(a_provider_tells_where_to_go),
        TEST(pkce_is_that_of_the_standard),
    };
    return cmocka_run_group_tests(tests, group_open, group_close);
}
