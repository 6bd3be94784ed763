// SPDX-License-Identifier: Apache-2.0
// Who the client is: by peer, trusted networks and headers.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "httpd/forward.h"

enum { BUDGET = 1 << 16, HEADERS_MAX = 4 };

struct row {
    const char *peer, *client;
    bool https;
    struct str_pair v[HEADERS_MAX]; // up to the first without a name
};

static void look(struct forward *f, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct str_pair v[HEADERS_MAX];
        memcpy(v, rows[i].v, sizeof v);
        struct str_map m = {v, 0};
        while (m.n < HEADERS_MAX && v[m.n].key.p)
            m.n++;
        struct forward_seen seen;
        forward_look(f, str_of(rows[i].peer), &m, &seen);
        assert_string_equal(seen.client, rows[i].client);
        assert_int_equal(seen.https, rows[i].https);
    }
}

static bool parse(const char *nets, bool standard, struct forward *ret, struct arena *a)
{
    static struct str v[8];
    struct strs list = {v, 0};
    struct err err;
    for (struct str rest = str_of(nets); rest.n > 0;)
        v[list.n++] = str_split(rest, ' ', &rest);
    return forward_parse(list, standard, ret, a, &err);
}

#define FOR(value)                                                                                           \
    {                                                                                                        \
        STR_INIT("x-forwarded-for"), STR_INIT(value)                                                         \
    }
#define PROTO(value)                                                                                         \
    {                                                                                                        \
        STR_INIT("x-forwarded-proto"), STR_INIT(value)                                                       \
    }
#define STANDARD(value)                                                                                      \
    {                                                                                                        \
        STR_INIT("forwarded"), STR_INIT(value)                                                               \
    }

static void the_right_most_untrusted_address_is_the_client(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"10.0.0.1", "10.0.0.1", false, {{STR_INIT("host"), STR_INIT("a")}}},
        {"10.0.0.1", "192.0.2.7", false, {FOR("192.0.2.7")}},
        {"10.0.0.1", "192.0.2.7", false, {FOR("1.1.1.1, 192.0.2.7")}},
        {"10.0.0.1", "192.0.2.7", false, {FOR("1.1.1.1, 192.0.2.7, 10.9.9.9")}},
        {"10.0.0.1", "192.0.2.7", false, {FOR("1.1.1.1"), FOR("192.0.2.7")}},
        {"10.0.0.1", "192.0.2.7", false, {FOR("192.0.2.7:4711")}},
        {"10.0.0.1", "2001:db8::1", false, {FOR("[2001:db8:0::1]:4711")}},
        {"fd00::5", "2001:db8::1", false, {FOR("2001:db8::1")}},
        {"10.0.0.1", "10.2.2.2", false, {FOR("10.2.2.2, 10.3.3.3")}},
        {"10.0.0.1", "10.3.3.3", false, {FOR("1.1.1.1, unknown, 10.3.3.3")}},
        {"10.0.0.1", "10.0.0.1", false, {FOR("<script>")}},
        {"10.0.0.1", "10.0.0.1", false, {FOR("1.1.1.1,")}},
        {"192.0.2.9", "192.0.2.9", false, {FOR("1.1.1.1"), PROTO("https")}},
        {"10.0.0.1", "192.0.2.7", true, {FOR("192.0.2.7"), PROTO("https")}},
        {"10.0.0.1", "192.0.2.7", false, {FOR("192.0.2.7"), PROTO("https, http")}},
        {"10.0.0.1", "10.0.0.1", false, {STANDARD("for=192.0.2.7;proto=https")}},
    };
    struct arena a;
    struct forward f;
    arena_init(&a, BUDGET);
    assert_true(parse("10.0.0.0/8 fd00::/8", false, &f, &a));
    look(&f, rows, sizeof rows / sizeof rows[0]);
    arena_release(&a);
}

static void forwarded_is_read_where_the_proxies_write_it(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"10.0.0.1", "192.0.2.7", true, {STANDARD("for=192.0.2.7;proto=https;by=10.0.0.1")}},
        {"10.0.0.1", "2001:db8::1", false, {STANDARD("for=1.1.1.1, For=\"[2001:db8::1]:80\" ; Proto=http")}},
        {"10.0.0.1", "10.0.0.1", false, {STANDARD("for=_hidden")}},
        {"10.0.0.1", "10.0.0.1", false, {FOR("192.0.2.7")}},
    };
    struct arena a;
    struct forward f;
    arena_init(&a, BUDGET);
    assert_true(parse("10.0.0.0/8", true, &f, &a));
    look(&f, rows, sizeof rows / sizeof rows[0]);
    arena_release(&a);
}

static void nobody_is_trusted_without_networks(void **state)
{
    (void)state;
    static const struct row rows[] = {{"127.0.0.1", "127.0.0.1", false, {FOR("1.1.1.1"), PROTO("https")}}};
    struct arena a;
    struct forward f;
    arena_init(&a, BUDGET);
    assert_true(parse("", false, &f, &a));
    look(&f, rows, 1);
    arena_release(&a);
}

static void networks_are_read_and_checked(void **state)
{
    (void)state;
    static const char *const bad[] = {"10.0.0.0/33",       "10.0.0/8",    "::/129",
                                      "proxy.example.com", "10.0.0.0/-1", "/8"};
    struct arena a;
    struct forward f;
    arena_init(&a, BUDGET);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(parse(bad[i], false, &f, &a));
    assert_true(parse("192.0.2.128/25 192.0.2.1 2001:db8::/33", false, &f, &a));
    assert_true(forward_trusts(&f, STR("192.0.2.129")));
    assert_false(forward_trusts(&f, STR("192.0.2.127")));
    assert_true(forward_trusts(&f, STR("192.0.2.1")));
    assert_false(forward_trusts(&f, STR("192.0.2.2")));
    assert_true(forward_trusts(&f, STR("2001:db8:7fff::1")));
    assert_false(forward_trusts(&f, STR("2001:db8:8000::1")));
    assert_false(forward_trusts(&f, STR("")));
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_most_untrusted_address_is_the_client),
        cmocka_unit_test(forwarded_is_read_where_the_proxies_write_it),
        cmocka_unit_test(nobody_is_trusted_without_networks),
        cmocka_unit_test(networks_are_read_and_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
