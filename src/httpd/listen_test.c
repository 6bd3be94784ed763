// SPDX-License-Identifier: Apache-2.0
// Listening addresses as people write them; each wrong one is told in words and leaves the results alone.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "httpd/listen.h"

#include <unistd.h>

static void listen_addresses_are_understood_or_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "x", "127.0.0.1", "127.0.0.1:", ":80", "127.0.0.1:70000",
        "127.0.0.1:-1",
                                      "::1:80", "127.0.0.1:http", "[::1]", "999.1.1.1:0", "203.0.113.77:0"};
    static const char *const good[] = {"127.0.0.1:0", "0.0.0.0:0", "localhost:0"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int fd = -1, port = -1;
        struct err err = {.code = ERR_NONE};
        assert_false(listen_open(str_of(bad[i]), &fd, &port, &err));
        assert_int_equal(err.code, ERR_CONFIG);
        assert_int_equal(fd, -1);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int fd, port;
        struct err err;
        assert_true(listen_open(str_of(good[i]), &fd, &port, &err));
        assert_true(port > 0);
        (void)close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listen_addresses_are_understood_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
