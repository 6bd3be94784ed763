// SPDX-License-Identifier: Apache-2.0
// Connections that are permitted, refused, impossible and interrupted.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sync.h"
#include "net/dial.h"

enum { BUDGET = 1 << 16, PATIENCE_S = 10 };

// A listener on a free port; or a bound socket that nobody can connect to.
static int listener(bool listening, int *ret_port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &n), 0);
    if (listening)
        assert_int_equal(listen(fd, 1), 0);
    *ret_port = ntohs(in.sin_port);
    return fd;
}

static struct dial to(const char *host, int port)
{
    return (struct dial){
        .clock = clock_real(), .host = str_of(host), .port = port, .at_most = duration_s(PATIENCE_S)};
}

static void a_listener_is_reached_by_name_and_by_address(void **state)
{
    (void)state;
    struct err err;
    char address[DIAL_ADDRESS_MAX];
    int port, fd, server = listener(true, &port);
    struct dial by_name = to("localhost", port), by_address = to("127.0.0.1", port);
    assert_true(dial(&by_name, &fd, &err));
    assert_true(dial_peer_permitted(fd, NULL));
    close(fd);
    assert_true(dial_address(&by_address, address, &err));
    assert_string_equal(address, "127.0.0.1");
    close(server);
}

static void what_cannot_be_reached_is_told(void **state)
{
    (void)state;
    struct err err;
    int port, fd = -1, server = listener(false, &port);
    struct dial refused = to("127.0.0.1", port), unknown = to("no-such-host.invalid", port), bad = to("", port);
    assert_false(dial(&refused, &fd, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(err.text, "cannot be reached"));
    assert_false(dial(&unknown, &fd, &err));
    assert_true(err.code == ERR_UNAVAILABLE || err.code == ERR_TIMEOUT);
    assert_false(dial(&bad, &fd, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_int_equal(fd, -1);
    close(server);
}

static void the_guard_decides(void **state)
{
    (void)state;
    struct err err;
    struct arena a;
    struct egress e;
    int port, fd, server = listener(true, &port);
    struct str loopback = STR("loopback");
    arena_init(&a, BUDGET);
    assert_true(egress_parse((struct strs){&loopback, 1}, (struct strs){NULL, 0}, &e, &a, &err));
    struct dial d = to("localhost", port);
    assert_true(dial(&d, &fd, &err));
    assert_false(dial_peer_permitted(fd, &e));
    close(fd);
    d.egress = &e;
    assert_false(dial(&d, &fd, &err));
    assert_int_equal(err.code, ERR_DENIED);
    arena_release(&a);
    close(server);
}

static void a_stop_ends_the_wait(void **state)
{
    (void)state;
    struct err err;
    int fd;
    _Atomic bool stop = true;
    struct dial d = to("192.0.2.1", 9); // of a network for documentation: nobody answers
    d.stop = &stop;
    struct mono before = clock_mono(clock_real());
    assert_false(dial(&d, &fd, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_true(mono_since(clock_mono(clock_real()), before).us < US_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listener_is_reached_by_name_and_by_address),
        cmocka_unit_test(what_cannot_be_reached_is_told),
        cmocka_unit_test(the_guard_decides),
        cmocka_unit_test(a_stop_ends_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
