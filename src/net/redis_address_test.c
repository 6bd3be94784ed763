// SPDX-License-Identifier: Apache-2.0
// Addresses of Redis: every part is found, and what cannot be read is refused without being shown.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/redis_link.h"

static void every_part_is_found(void **state)
{
    (void)state;
    struct redis_address a;
    struct err err = {0};
    assert_true(redis_address_parse(STR("redis://chronos:p%40ss%3Aword@cache.example.com:7000/3"), &a, &err));
    assert_string_equal(a.host, "cache.example.com");
    assert_string_equal(a.user, "chronos");
    assert_string_equal(a.password, "p@ss:word");
    assert_int_equal(a.port, 7000);
    assert_int_equal(a.database, 3);
}

static void a_host_is_enough(void **state)
{
    (void)state;
    struct redis_address a;
    struct err err = {0};
    assert_true(redis_address_parse(STR("redis://127.0.0.1"), &a, &err));
    assert_int_equal(a.port, 6379);
    assert_int_equal(a.database, 0);
    assert_false(a.has_password);
    assert_false(a.has_user);
    assert_true(redis_address_parse(STR("redis://:only-a-password@[::1]:6380"), &a, &err));
    assert_string_equal(a.host, "::1");
    assert_false(a.has_user);
    assert_string_equal(a.password, "only-a-password");
}

static void what_cannot_be_read_is_refused_and_not_shown(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "redis://",
        "http://:secret@host",
        "redis://:secret@host:70000",
        "redis://:secret@host/x",
        "secret",
        "redis://:secret@host/-1",
        "rediss://:secret@host",
        "redis://:sec%zzret@:1/0",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct redis_address a;
        struct err err = {0};
        assert_false(redis_address_parse(str_of(bad[i]), &a, &err));
        assert_int_equal(err.code, ERR_CONFIG);
        assert_null(strstr(err.text, "secret"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_is_found),
        cmocka_unit_test(a_host_is_enough),
        cmocka_unit_test(what_cannot_be_read_is_refused_and_not_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
