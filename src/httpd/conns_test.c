// SPDX-License-Identifier: Apache-2.0
// Deadlines of connections, with a socket pair in place of a client and a moment in place of a clock.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "httpd/impl.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

enum { TIMEOUT_S = 10 };

struct fixture {
    struct httpd h;
    struct conn *conn;
    int client;
};

static struct fixture f;

static struct mono in(int64_t s)
{
    return mono_add(clock_mono(clock_real()), duration_s(s));
}

static int fixture_new(void **state)
{
    (void)state;
    int fds[2];
    f = (struct fixture){.h.config.request_timeout = duration_s(TIMEOUT_S)};
    mutex_init(&f.h.lock, LOCK_HTTPD_STREAMS);
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    f.conn = conn_new(&f.h, fds[0], (struct sockaddr *)&from);
    f.client = fds[1];
    return 0;
}

static int fixture_free(void **state)
{
    (void)state;
    int fd = f.conn->fd;
    conn_free(&f.h, f.conn);
    assert_null(f.h.conns);
    (void)close(fd), (void)close(f.client);
    mutex_release(&f.h.lock);
    return 0;
}

// What the client sees now: text, "" for an ended connection, NULL for nothing yet.
static const char *seen(void)
{
    static char text[256];
    ssize_t n = recv(f.client, text, sizeof text - 1, MSG_DONTWAIT);
    text[n > 0 ? n : 0] = '\0';
    return n < 0 ? NULL : text;
}

static void a_connection_in_time_is_left_alone(void **state)
{
    (void)state;
    conns_watch(&f.h, in(TIMEOUT_S - 1));
    assert_null(seen());
    conn_arrived(f.conn);
    conns_watch(&f.h, in(TIMEOUT_S * 100));
    assert_null(seen());
}

static void a_request_that_began_and_is_late_gets_408(void **state)
{
    (void)state;
    atomic_store(&f.conn->begun, true);
    conns_watch(&f.h, in(TIMEOUT_S + 1));
    assert_non_null(strstr(seen(), "HTTP/1.1 408 "));
    assert_string_equal(seen(), "");
}

static void a_connection_that_says_nothing_is_closed_without_a_word(void **state)
{
    (void)state;
    conns_watch(&f.h, in(TIMEOUT_S + 1));
    assert_string_equal(seen(), "");
}

static void remote_addresses_are_shown_as_people_know_them(void **state)
{
    (void)state;
    assert_string_equal(f.conn->remote, "127.0.0.1");
    static const char *const rows[][2] = {{"::1", "::1"}, {"2001:db8::7", "2001:db8::7"},
                                          {"::ffff:192.0.2.9", "192.0.2.9"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sockaddr_in6 from = {.sin6_family = AF_INET6};
        assert_int_equal(inet_pton(AF_INET6, rows[i][0], &from.sin6_addr), 1);
        struct conn *c = conn_new(&f.h, -1, (struct sockaddr *)&from);
        assert_string_equal(c->remote, rows[i][1]);
        conn_free(&f.h, c);
    }
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, fixture_new, fixture_free)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_connection_in_time_is_left_alone),
        TEST(a_request_that_began_and_is_late_gets_408),
        TEST(a_connection_that_says_nothing_is_closed_without_a_word),
        TEST(remote_addresses_are_shown_as_people_know_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
