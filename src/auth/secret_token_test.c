// SPDX-License-Identifier: Apache-2.0
// Secret tokens: shape, chance, and a hash that tells them apart.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "auth/token.h"

static void secret_tokens_differ_and_hash_the_same(void **state)
{
    (void)state;
    char a[SECRET_TOKEN_MAX], b[SECRET_TOKEN_MAX];
    uint8_t ha[SECRET_TOKEN_HASH_BYTES], hb[SECRET_TOKEN_HASH_BYTES];
    assert_ptr_equal(secret_token_new("chr_", a), a);
    secret_token_new("chr_", b);
    assert_int_equal(strlen(a), 4 + 43);
    assert_string_not_equal(a, b);
    secret_token_hash(str_of(a), ha);
    secret_token_hash(str_of(a), hb);
    assert_memory_equal(ha, hb, sizeof ha);
    secret_token_hash(str_of(b), hb);
    assert_memory_not_equal(ha, hb, sizeof ha);
}

static void a_secret_of_one_purpose_is_none_of_another(void **state)
{
    (void)state;
    uint8_t plain[SECRET_TOKEN_HASH_BYTES], one[SECRET_TOKEN_HASH_BYTES], two[SECRET_TOKEN_HASH_BYTES];
    secret_token_hash(STR("secret"), plain);
    secret_token_hash_for("session of a browser", STR("secret"), one);
    secret_token_hash_for("code of a command line", STR("secret"), two);
    assert_memory_not_equal(plain, one, sizeof one);
    assert_memory_not_equal(one, two, sizeof one);
}

static void what_follows_from_a_secret_needs_the_key(void **state)
{
    (void)state;
    static const uint8_t key[TOKEN_KEY_BYTES] = "one", other[TOKEN_KEY_BYTES] = "other";
    struct arena a;
    arena_init(&a, 1024);
    struct str mac = secret_token_mac(key, STR("cookie"), &a);
    assert_int_equal(mac.n, 43);
    assert_true(str_eq(mac, secret_token_mac(key, STR("cookie"), &a)));
    assert_false(str_eq(mac, secret_token_mac(key, STR("cookiE"), &a)));
    assert_false(str_eq(mac, secret_token_mac(other, STR("cookie"), &a)));
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secret_tokens_differ_and_hash_the_same),
        cmocka_unit_test(a_secret_of_one_purpose_is_none_of_another),
        cmocka_unit_test(what_follows_from_a_secret_needs_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
