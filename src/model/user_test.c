// SPDX-License-Identifier: Apache-2.0
// Users: addresses and roles.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/user.h"

static void only_plain_addresses_are_taken(void **state)
{
    (void)state;
    static const struct { const char *text; bool valid; } rows[] = {
        {"ops@example.com", true}, {"a@b", true}, {"o'brien+x@example.co.uk", true}, {"", false}, {"@", false},
        {"ops", false}, {"@example.com", false}, {"ops@", false}, {"a@b@c", false}, {"a b@c", false},
        {"a@b\r\nBcc: x", false}, {"<a@b>", false}, {"a,b@c", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (email_valid(str_of(rows[i].text)) != rows[i].valid)
            fail_msg("\"%s\"", rows[i].text);
}

static void roles_become_bits_and_unknown_words_none(void **state)
{
    (void)state;
    struct str words[] = {STR_INIT("ADMIN"), STR_INIT("viewer"), STR_INIT("KING")};
    struct user u = {.roles = {words, 3}};
    assert_int_equal(user_role_bits(&u), 1u << ROLE_ADMIN | 1u << ROLE_VIEWER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_plain_addresses_are_taken),
        cmocka_unit_test(roles_become_bits_and_unknown_words_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
