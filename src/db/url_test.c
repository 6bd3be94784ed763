// SPDX-License-Identifier: Apache-2.0
// Addresses with all parts and with few; bad ones name the part and never show the password.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/url.h"

static struct arena a;

static int setup(void **state)
{
    (void)state;
    arena_init(&a, 1 << 16);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_release(&a);
    return 0;
}

static void assert_text(struct str got, const char *want)
{
    assert_int_equal(got.n, strlen(want));
    assert_memory_equal(got.p, want, got.n);
}

static void all_parts(void **state)
{
    (void)state;
    struct db_url u;
    struct err err = {0};
    static const char text[] = "jdbc:MySQL://bob:p%40s:/s@db.example.com:3307/jobs?tls=verify&ca=%2Fetc%2Fca.pem";
    assert_true(db_url_parse(str_of(text), &u, &a, &err));
    assert_text(u.scheme, "mysql");
    assert_text(u.user, "bob");
    assert_text(u.password, "p@s:/s");
    assert_text(u.host, "db.example.com");
    assert_int_equal(u.port, 3307);
    assert_text(u.name, "jobs");
    assert_text(db_url_option(&u, "tls"), "verify");
    assert_text(db_url_option(&u, "ca"), "/etc/ca.pem");
    assert_null(db_url_option(&u, "other").p);
    assert_text(db_url_shown(&u, &a), "mysql://bob@db.example.com:3307/jobs");
}

static void few_parts(void **state)
{
    (void)state;
    struct db_url u;
    struct err err = {0};
    assert_true(db_url_parse(STR("postgresql://[::1]/jobs"), &u, &a, &err));
    assert_null(u.user.p);
    assert_null(u.password.p);
    assert_text(u.host, "::1");
    assert_int_equal(u.port, 0);
    assert_text(db_url_shown(&u, &a), "postgresql://[::1]/jobs");
    assert_true(db_url_parse(STR("postgres://%2Frun%2Fpostgresql/jobs"), &u, &a, &err));
    assert_text(u.host, "/run/postgresql");
}

static void bad_addresses_say_what_and_no_secret(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"mysql", "must look like"},
        {"mysql:host/x", "must look like"},
        {"mysql://u:hunter2@host", "names no database"},
        {"mysql://u:hunter2@host/", "names no database"},
        {"mysql://u:hunter2@/x", "no host"},
        {"mysql://u:hunter2@host:0/x", "port"},
        {"mysql://u:hunter2@host:x/x", "port"},
        {"mysql://u:hunter2@[::1/x", "'['"},
        {"mysql://u:hunter2%zz@host/x", "password"},
        {"mysql://u:hunter2@host/x?tls", "option"},
        {"mysql://u:hunter2%00@host/x", "password"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct db_url u;
        struct err err = {0};
        assert_false(db_url_parse(str_of(cases[i].text), &u, &a, &err));
        assert_int_equal(err.code, ERR_CONFIG);
        assert_non_null(strstr(err.text, cases[i].says));
        assert_null(strstr(err.text, "hunter2"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_parts),
        cmocka_unit_test(few_parts),
        cmocka_unit_test(bad_addresses_say_what_and_no_secret),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
