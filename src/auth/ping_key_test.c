// SPDX-License-Identifier: Apache-2.0
// Addresses for pings: they come back, and nothing else is taken for one.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "auth/ping_key.h"

static const struct ulid job = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

static struct token_key *key_of(uint8_t first)
{
    uint8_t secret[TOKEN_KEY_BYTES] = {first};
    return token_key_new(secret);
}

static void an_address_names_its_job(void **state)
{
    (void)state;
    struct token_key *key = key_of(1);
    char text[PING_KEY_TEXT_MAX];
    struct ulid back;
    assert_true(ping_key_read(key, str_of(ping_key_text(key, job, text)), &back));
    assert_true(ulid_eq(back, job));
    token_key_free(key);
}

static void every_changed_character_is_refused(void **state)
{
    (void)state;
    struct token_key *key = key_of(1), *other = key_of(2);
    char text[PING_KEY_TEXT_MAX];
    struct ulid back;
    (void)ping_key_text(key, job, text);
    assert_false(ping_key_read(other, str_of(text), &back));
    for (size_t i = 0; text[i]; i++) {
        char was = text[i];
        text[i] = was == '3' ? '4' : '3';
        assert_false(ping_key_read(key, str_of(text), &back));
        text[i] = was;
        assert_false(ping_key_read(key, str_of_n(text, i), &back));
    }
    assert_false(ping_key_read(key, STR(""), &back));
    assert_false(ping_key_read(key, STR("-"), &back));
    token_key_free(key);
    token_key_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_names_its_job),
        cmocka_unit_test(every_changed_character_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
