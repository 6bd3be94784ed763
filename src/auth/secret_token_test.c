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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secret_tokens_differ_and_hash_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
