// SPDX-License-Identifier: Apache-2.0
// Access tokens: what we sign is read back, and everything else is refused, above all what a forger who
// knows the JWT holes of other libraries would send. Forgeries are signed by hand with the right key where
// that makes them harder.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/token.h"
#include "base/clock.h"
#include "base/file.h"
#include "model/user.h"

enum { BUDGET = 1 << 20, NOW_S = 1790000000, LIFE_S = 900, PATH_LEN = 256 };

static const uint8_t SECRET[TOKEN_KEY_BYTES] = "0123456789abcdef0123456789abcde";

struct fixture {
    struct arena a;
    struct token_key *key;
    struct token_claims claims;
    struct str token;
};

static int fixture_new(void **state)
{
    static struct fixture f;
    f = (struct fixture){.key = token_key_new(SECRET)};
    arena_init(&f.a, BUDGET);
    struct err err;
    f.claims = (struct token_claims){
        .email = STR("some.body@example.org"),
        .roles = 1u << ROLE_USER | 1u << ROLE_AUDITOR,
        .session_epoch = 7,
        .issued_at = instant_s(NOW_S),
        .expires_at = instant_s(NOW_S + LIFE_S),
    };
    must(ulid_parse(STR("01ARZ3NDEKTSV4RRFFQ69G5FAV"), &f.claims.user_id));
    must(ulid_parse(STR("01BX5ZZKBKACTAV9WEVGEMMVRZ"), &f.claims.family));
    must(token_sign(f.key, &f.claims, &f.token, &f.a, &err));
    *state = &f;
    return 0;
}

static int fixture_free(void **state)
{
    struct fixture *f = *state;
    token_key_free(f->key);
    arena_release(&f->a);
    return 0;
}

static bool accepted(struct fixture *f, struct str token, int64_t now_s)
{
    struct token_claims c;
    struct err err = {.code = ERR_NONE};
    bool ok = token_verify(f->key, token, instant_s(now_s), &c, &f->a, &err);
    assert_int_equal(err.code, ok ? ERR_NONE : ERR_UNAUTHENTICATED);
    return ok;
}

static struct str b64(struct arena *a, struct str s)
{
    size_t cap = sodium_base64_encoded_len(s.n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    char *out = arena_alloc(a, cap);
    must(out);
    sodium_bin2base64(out, cap, (const uint8_t *)s.p, s.n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return str_of(out);
}

// A token with any header and claims and a right HS256 signature.
static struct str forge(struct arena *a, struct str header, struct str claims, const uint8_t *key,
                        size_t key_n)
{
    struct str h = b64(a, header), c = b64(a, claims);
    struct str input = arena_fmt(a, "%.*s.%.*s", STR_ARG(h), STR_ARG(c));
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state st;
    crypto_auth_hmacsha256_init(&st, key, key_n);
    crypto_auth_hmacsha256_update(&st, (const uint8_t *)input.p, input.n);
    crypto_auth_hmacsha256_final(&st, mac);
    struct str s = b64(a, str_of_n((const char *)mac, sizeof mac));
    return arena_fmt(a, "%.*s.%.*s", STR_ARG(input), STR_ARG(s));
}

static struct str good_header(struct fixture *f)
{
    return arena_fmt(&f->a, "{\"alg\":\"HS256\",\"kid\":\"%s\"}", token_key_id(f->key));
}

#define GOOD_CLAIMS \
    "{\"iss\":\"chronos\",\"aud\":\"chronos-api\",\"sub\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"email\":\"a@b\"," \
    "\"roles\":4,\"epoch\":7,\"sid\":\"01BX5ZZKBKACTAV9WEVGEMMVRZ\",\"iat\":1790000000,\"nbf\":1790000000," \
    "\"exp\":1790000900}"

static void what_was_signed_is_read_back(void **state)
{
    struct fixture *f = *state;
    struct token_claims c;
    struct err err;
    assert_true(token_verify(f->key, f->token, instant_s(NOW_S + 1), &c, &f->a, &err));
    assert_true(ulid_eq(c.user_id, f->claims.user_id) && ulid_eq(c.family, f->claims.family));
    assert_true(str_eq(c.email, f->claims.email));
    assert_int_equal(c.roles, f->claims.roles);
    assert_int_equal(c.session_epoch, 7);
    assert_int_equal(c.issued_at.us, f->claims.issued_at.us);
    assert_int_equal(c.expires_at.us, f->claims.expires_at.us);
}

static void the_edges_of_time_are_kept(void **state)
{
    struct fixture *f = *state;
    assert_true(accepted(f, f->token, NOW_S));
    assert_true(accepted(f, f->token, NOW_S - TOKEN_LEEWAY_S));
    assert_false(accepted(f, f->token, NOW_S - TOKEN_LEEWAY_S - 1));
    assert_true(accepted(f, f->token, NOW_S + LIFE_S - 1));
    assert_false(accepted(f, f->token, NOW_S + LIFE_S));
    struct err err = {.code = ERR_NONE};
    struct token_claims c;
    assert_false(token_verify(f->key, f->token, instant_s(NOW_S + LIFE_S), &c, &f->a, &err));
    assert_non_null(strstr(err.text, "expired"));
}

static void a_token_made_by_hand_like_ours_is_good(void **state)
{
    struct fixture *f = *state;
    // The base of the forgeries below: so that they fail for their own fault only.
    assert_true(accepted(f, forge(&f->a, good_header(f), STR(GOOD_CLAIMS), SECRET, sizeof SECRET), NOW_S));
}

static void foreign_headers_are_refused_even_when_signed(void **state)
{
    struct fixture *f = *state;
    static const char *const headers[] = {
        "{\"alg\":\"none\"}",
        "{\"alg\":\"None\",\"kid\":\"%s\"}",
        "{\"alg\":\"nOnE\",\"kid\":\"%s\"}",
        "{\"alg\":\"HS384\",\"kid\":\"%s\"}",
        "{\"alg\":\"RS256\",\"kid\":\"%s\"}",
        "{\"alg\":\"hs256\",\"kid\":\"%s\"}",
        "{\"kid\":\"%s\"}",
        "{\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"kid\":\"0000000000000000\"}",
        "{\"alg\":\"HS256\",\"kid\":\"../../dev/null\"}",
        "{\"alg\":\"HS256\",\"kid\":\"' OR 1=1 --\"}",
        "{\"alg\":\"none\",\"alg\":\"HS256\",\"kid\":\"%s\"}",
        "{\"alg\":\"HS256\",\"alg\":\"HS256\",\"kid\":\"%s\"}",
        "{\"alg\":\"HS256\",\"kid\":\"%s\",\"jku\":\"http://127.0.0.1/k\"}",
        "{\"alg\":\"HS256\",\"kid\":\"%s\",\"x5u\":\"http://127.0.0.1/k\"}",
        "{\"alg\":\"HS256\",\"kid\":\"%s\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"HS256\",\"kid\":\"%s\",\"b64\":false}",
        "{\"kid\":\"%s\",\"alg\":\"HS256\"}",
        "{ \"alg\":\"HS256\",\"kid\":\"%s\"}",
        "{}",
        "[]",
        "null",
        "",
        "x",
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        struct sbuf h;
        sbuf_init(&h, &f->a, PATH_LEN);
        const char *hole = strstr(headers[i], "%s");
        sbuf_put(&h, str_of_n(headers[i], hole ? (size_t)(hole - headers[i]) : strlen(headers[i])));
        if (hole) {
            sbuf_puts(&h, token_key_id(f->key));
            sbuf_puts(&h, hole + 2);
        }
        assert_false(accepted(f, forge(&f->a, sbuf_str(&h), STR(GOOD_CLAIMS), SECRET, sizeof SECRET), NOW_S));
    }
}

static void other_keys_and_empty_signatures_are_refused(void **state)
{
    struct fixture *f = *state;
    uint8_t other[TOKEN_KEY_BYTES];
    memcpy(other, SECRET, sizeof other);
    other[0] ^= 1;
    assert_false(accepted(f, forge(&f->a, good_header(f), STR(GOOD_CLAIMS), other, sizeof other), NOW_S));
    // The published text of a public key used as the HMAC secret (libjwt issue 200).
    static const char pem[] = "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n";
    struct str forged = forge(&f->a, good_header(f), STR(GOOD_CLAIMS), (const uint8_t *)pem, sizeof pem - 1);
    assert_false(accepted(f, forged, NOW_S));
    size_t cut = f->token.n - 43;
    assert_false(accepted(f, str_of_n(f->token.p, cut), NOW_S));
    assert_false(accepted(f, str_of_n(f->token.p, cut - 1), NOW_S));
    struct token_key *second = token_key_new(other);
    struct token_claims c;
    struct err err = {.code = ERR_NONE};
    assert_false(token_verify(second, f->token, instant_s(NOW_S), &c, &f->a, &err));
    assert_string_not_equal(token_key_id(second), token_key_id(f->key));
    token_key_free(second);
}

static void claims_must_be_exactly_ours(void **state)
{
    struct fixture *f = *state;
    static const char *const from_to[][2] = {
        {"\"iss\":\"chronos\"", "\"iss\":\"other\""},
        {"\"iss\":\"chronos\",", ""},
        {"\"aud\":\"chronos-api\"", "\"aud\":[\"chronos-api\"]"},
        {"\"aud\":\"chronos-api\",", ""},
        {"01ARZ3NDEKTSV4RRFFQ69G5FAV", "x"},
        {"\"roles\":4", "\"roles\":\"4\""},
        {"\"roles\":4", "\"roles\":-1"},
        {"\"roles\":4", "\"roles\":4,\"roles\":31"},
        {"\"roles\":4", "\"roles\":4.0"},
        {"\"epoch\":7", "\"epoch\":null"},
        {"\"exp\":1790000900", "\"exp\":\"1790000900\""},
        {",\"exp\":1790000900", ""},
        {"\"exp\":1790000900", "\"exp\":9223372036854775807"},
        {"\"exp\":1790000900", "\"exp\":1e300"},
        {"\"exp\":1790000900", "\"exp\":1790000000"},
        {"\"exp\":1790000900", "\"exp\":1790086401"},
        {"\"nbf\":1790000000,", ""},
        {"\"nbf\":1790000000", "\"nbf\":1789999999"},
        {"\"iat\":1790000000,", ""},
        {"}", ",\"admin\":true}"},
        {"}", "}{}"},
        {"a@b", "a\\u0000b"},
        {"a@b", "a\xff"},
        {"\"a@b\"", "{\"x\":1}"},
    };
    struct str good = STR(GOOD_CLAIMS);
    for (size_t i = 0; i < sizeof from_to / sizeof from_to[0]; i++) {
        const char *at = strstr(good.p, from_to[i][0]);
        assert_non_null(at);
        size_t before = (size_t)(at - good.p), cut = strlen(from_to[i][0]);
        struct sbuf b;
        sbuf_init(&b, &f->a, TOKEN_TEXT_MAX);
        sbuf_put(&b, str_of_n(good.p, before));
        sbuf_puts(&b, from_to[i][1]);
        sbuf_put(&b, str_of_n(at + cut, good.n - before - cut));
        assert_false(accepted(f, forge(&f->a, good_header(f), sbuf_str(&b), SECRET, sizeof SECRET), NOW_S));
    }
}

static void every_changed_byte_is_noticed(void **state)
{
    struct fixture *f = *state;
    char *copy = arena_cstr(&f->a, f->token);
    assert_non_null(copy);
    for (size_t i = 0; i < f->token.n; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            copy[i] = (char)(copy[i] ^ (1 << bit));
            assert_false(accepted(f, str_of_n(copy, f->token.n), NOW_S));
            copy[i] = (char)(copy[i] ^ (1 << bit));
        }
    for (size_t n = 0; n < f->token.n; n++)
        assert_false(accepted(f, str_of_n(copy, n), NOW_S));
}

static void odd_spellings_and_huge_texts_are_refused(void **state)
{
    struct fixture *f = *state;
    static char huge[1 << 20];
    memset(huge, 'A', sizeof huge);
    assert_false(accepted(f, str_of_n(huge, sizeof huge), NOW_S));
    memcpy(huge, f->token.p, f->token.n);
    assert_false(accepted(f, str_of_n(huge, sizeof huge), NOW_S));
    assert_false(accepted(f, STR_NONE, NOW_S));
    static const char *const tails[] = {"=", "==", ".", ".x", " ", "\n", "A"};
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++)
        assert_false(accepted(f, arena_fmt(&f->a, "%.*s%s", STR_ARG(f->token), tails[i]), NOW_S));
    assert_false(accepted(f, arena_fmt(&f->a, " %.*s", STR_ARG(f->token)), NOW_S));
    static const char *const texts[] = {"", ".", "..", "...", "a.b.c", "e30.e30.", "Bearer x"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(accepted(f, str_of(texts[i]), NOW_S));
}

static void a_key_file_is_made_once_and_kept_private(void **state)
{
    struct fixture *f = *state;
    char folder[] = "/tmp/chronos-token-XXXXXX", path[PATH_LEN];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/token.key", folder);
    struct str first, again;
    struct err err = {.code = ERR_NONE};
    assert_false(token_secret_load(path, false, &first, &f->a, &err));
    assert_int_equal(err.code, ERR_CONFIG);
    assert_true(token_secret_load(path, true, &first, &f->a, &err));
    assert_true(token_secret_load(path, false, &again, &f->a, &err));
    assert_true(first.n >= TOKEN_SECRET_MIN && str_eq(first, again));
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(chmod(path, 0644), 0);
    assert_false(token_secret_load(path, true, &again, &f->a, &err));
    assert_int_equal(err.code, ERR_CONFIG);
    assert_true(file_write(path, STR("too short\n"), 0600, &err));
    assert_false(token_secret_load(path, true, &again, &f->a, &err));
    assert_int_equal(err.code, ERR_CONFIG);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void many_tokens_a_second_are_verified(void **state)
{
    struct fixture *f = *state;
    enum { ROUNDS = 5000 };
    struct mono start = clock_mono(clock_real());
    for (int i = 0; i < ROUNDS; i++) {
        struct arena a;
        arena_init(&a, TOKEN_TEXT_MAX);
        struct token_claims c;
        struct err err;
        assert_true(token_verify(f->key, f->token, instant_s(NOW_S), &c, &a, &err));
        arena_release(&a);
    }
    struct duration took = mono_since(clock_mono(clock_real()), start);
    // Told, not demanded: the machine may be busy. The bound is only against a blunder.
    print_message("# %.1f us per token_verify\n", (double)took.us / ROUNDS);
    assert_true(took.us < ROUNDS * US_PER_MS);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_new, fixture_free)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_signed_is_read_back),
        TEST(the_edges_of_time_are_kept),
        TEST(a_token_made_by_hand_like_ours_is_good),
        TEST(foreign_headers_are_refused_even_when_signed),
        TEST(other_keys_and_empty_signatures_are_refused),
        TEST(claims_must_be_exactly_ours),
        TEST(every_changed_byte_is_noticed),
        TEST(odd_spellings_and_huge_texts_are_refused),
        TEST(a_key_file_is_made_once_and_kept_private),
        TEST(many_tokens_a_second_are_verified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
