// SPDX-License-Identifier: Apache-2.0
// The egress guard: every odd form of a forbidden address is refused, plain ones are not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "net/egress.h"

enum { BUDGET = 1 << 20, LIST_MAX = 8 };

static struct arena arena;

static struct egress rules(const char *denied, const char *allowed)
{
    struct egress e;
    struct err err;
    struct str d[LIST_MAX], a[LIST_MAX];
    struct strs dv = {d, 0}, av = {a, 0};
    for (struct str rest = str_of(denied); rest.p;)
        d[dv.n++] = str_split(rest, ',', &rest);
    for (struct str rest = str_of(allowed); rest.p;)
        a[av.n++] = str_split(rest, ',', &rest);
    if (!egress_parse(dv, av, &e, &arena, &err))
        fail_msg("%s", err.text);
    return e;
}

static bool permits(const struct egress *e, const char *address)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, address, &in.sin_addr) == 1)
        return egress_permits(e, (struct sockaddr *)&in);
    assert_int_equal(inet_pton(AF_INET6, address, &in6.sin6_addr), 1);
    return egress_permits(e, (struct sockaddr *)&in6);
}

static void by_default_only_dangerous_addresses_are_refused(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "169.254.169.254", "169.254.0.1", "169.254.255.255", "100.100.100.200", "192.0.0.192",
        "168.63.129.16",
        "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.255", "255.255.255.255", "240.0.0.1",
        "::", "fe80::1", "febf::1", "ff02::1", "fd00:ec2::254", "fd20:ce::254",
        // the metadata address inside IPv6
        "::ffff:169.254.169.254", "::169.254.169.254", "::ffff:0:169.254.169.254", "64:ff9b::169.254.169.254",
        "64:ff9b:1::169.254.169.254", "64:ff9b:1:a9fe:a9:fe00::", "64:ff9b:1:a9:fe:a9fe::",
        "64:ff9b:1:0:a9:fea9:fe00::",
        "2002:a9fe:a9fe::1", "2001:0:a9fe:a9fe::1", "2001:0:808:808:0:0:5601:5601",
        "2001:db8::5efe:169.254.169.254", "2001:db8::200:5efe:169.254.169.254",
        "::ffff:255.255.255.255", "64:ff9b::224.0.0.1",
    };
    static const char *const permitted[] = {
        "8.8.8.8", "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "100.100.100.201",
        "223.255.255.255",
        "1.0.0.0", "169.253.255.255", "169.255.0.0", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "fd00::1",
        "fc00::1",
        "2001:4860:4860::8888", "fec0::1", "64:ff9b::8.8.8.8", "2002:808:808::1", "fe00::1",
    };
    struct egress e = rules(NULL, NULL);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (permits(&e, refused[i]))
            fail_msg("%s is permitted", refused[i]);
    for (size_t i = 0; i < sizeof permitted / sizeof permitted[0]; i++)
        if (!permits(&e, permitted[i]))
            fail_msg("%s is refused", permitted[i]);
}

static void loopback_and_private_networks_can_be_refused(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::127.0.0.1",
        "10.0.0.1",
        "172.31.255.255", "192.168.0.1", "100.127.255.255", "fc00::1", "fdff::1", "fec0::1",
        "::ffff:10.0.0.1",
        "2002:a00:1::1", "2002:7f00:1::1", "169.254.1.1", "2001:db8::5efe:10.0.0.1",
    };
    struct egress e = rules("loopback,private", NULL);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (permits(&e, refused[i]))
            fail_msg("%s is permitted", refused[i]);
    assert_true(permits(&e, "172.32.0.1"));
    assert_true(permits(&e, "8.8.8.8"));
}

static void the_longest_entry_decides(void **state)
{
    (void)state;
    struct egress list = rules("all", "10.0.0.0/8,2001:db8::/32");
    assert_true(permits(&list, "10.9.9.9"));
    assert_true(permits(&list, "::ffff:10.9.9.9"));
    assert_true(permits(&list, "2001:db8::1"));
    assert_false(permits(&list, "11.0.0.1"));
    assert_false(permits(&list, "2001:db9::1"));
    assert_false(permits(&list, "127.0.0.1"));
    struct egress all = rules(NULL, "all"); // does not open the metadata service
    assert_false(permits(&all, "169.254.169.254"));
    struct egress link = rules(NULL, "link-local");
    assert_true(permits(&link, "169.254.7.7"));
    assert_false(permits(&link, "169.254.169.254"));
    struct egress metadata = rules(NULL, "metadata");
    assert_true(permits(&metadata, "169.254.169.254"));
    struct egress inner = rules("10.0.0.0/8", "10.5.0.0/16");
    assert_true(permits(&inner, "10.5.1.1"));
    assert_false(permits(&inner, "10.6.1.1"));
    struct egress bits = rules("203.0.113.128/25,2001:db8:0:8000::/49", NULL);
    assert_true(permits(&bits, "203.0.113.127"));
    assert_false(permits(&bits, "203.0.113.128"));
    assert_true(permits(&bits, "2001:db8:0:7fff::1"));
    assert_false(permits(&bits, "2001:db8:0:8001::1"));
}

// getaddrinfo reads what a URL may say; the guard sees what comes out.
static void odd_spellings_of_numbers_are_judged_by_their_address(void **state)
{
    (void)state;
    static const char *const spellings[] = {"0x7f.1", "017700000001", "2130706433", "127.1", "0177.0.0.1",
                                            "0x7f000001",
                                            "127.000.000.001", "::ffff:7f00:1", "0:0:0:0:0:ffff:127.0.0.1"};
    struct egress e = rules("loopback", NULL);
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
        struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *found;
        assert_int_equal(getaddrinfo(spellings[i], "80", &hints, &found), 0);
        for (const struct addrinfo *a = found; a; a = a->ai_next)
            assert_false(egress_permits(&e, a->ai_addr));
        freeaddrinfo(found);
    }
}

static void other_families_are_refused(void **state)
{
    (void)state;
    struct egress e = rules(NULL, "all");
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    assert_false(egress_permits(&e, (struct sockaddr *)&un));
}

static void a_wrong_entry_is_named(void **state)
{
    (void)state;
    static const char *const wrong[] = {"10.0.0.0/33", "10.0.0/8", "localhost", "", "fd00::/129",
                                        "10.0.0.0/", "10.0.0.0/-1",
                                        "10.0.0.0/8/8", "1.2.3.4.5", "metadata2"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct str entry[] = {str_of(wrong[i])};
        struct egress e;
        struct err err;
        char named[64];
        (void)snprintf(named, sizeof named, "\"%s\" is not an egress network", wrong[i]);
        if (egress_parse((struct strs){entry, 1}, (struct strs){0}, &e, &arena, &err))
            fail_msg("\"%s\" is taken", wrong[i]);
        assert_int_equal(err.code, ERR_CONFIG);
        assert_non_null(strstr(err.text, named));
    }
}

static int open_arena(void **state)
{
    (void)state;
    arena_init(&arena, BUDGET);
    return 0;
}

static int close_arena(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_default_only_dangerous_addresses_are_refused),
        cmocka_unit_test(loopback_and_private_networks_can_be_refused),
        cmocka_unit_test(the_longest_entry_decides),
        cmocka_unit_test(odd_spellings_of_numbers_are_judged_by_their_address),
        cmocka_unit_test(other_families_are_refused),
        cmocka_unit_test(a_wrong_entry_is_named),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
