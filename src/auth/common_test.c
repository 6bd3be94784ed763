// SPDX-License-Identifier: Apache-2.0
// Passwords everybody knows, and others.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/common.h"

static void known_ones_are_found(void **state)
{
    (void)state;
    static const char *const bad[] = {"password1234", "PASSWORD!!!!", "Passw0rd2027!", "passwordpassword",
                                      "123456789012",
                                      "qwertyuiop123", "aaaaaaaaaaaa", "abababababab", "Welcome2027!!", "210987654321",
                                      "1q2w3e4r5t6y", "iloveyou12345", "!!letmein!!!!", "098765432109"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (!password_common(str_of(bad[i])))
            fail_msg("%s", bad[i]);
}

static void others_are_not(void **state)
{
    (void)state;
    static const char *const good[] = {"correct horse battery", "a long enough password", "tr0ub4dor and 3 more",
                                       "zürich-paris-oslo", "Xk9#mQ2$vL7p", "my password is a sentence"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (password_common(str_of(good[i])))
            fail_msg("%s", good[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_ones_are_found),
        cmocka_unit_test(others_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
