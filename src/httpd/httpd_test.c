// SPDX-License-Identifier: Apache-2.0
// Requests through a real server on a free port of the loopback, sent byte by byte as no client would send
// them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "httpd/test_client.h"

#include <poll.h>

#include "base/sync.h"

enum { BODY_MAX = 4096, LARGE = 300000 };

// What the handler of "/block" waits for.
static struct {
    struct mutex lock;
    struct cond changed;
    int running;
    bool open;
} gate;

static atomic_int handled;

static void block(void)
{
    WITH_LOCK(&gate.lock);
    gate.running++;
    cond_broadcast(&gate.changed);
    while (!gate.open)
        cond_wait(&gate.changed, &gate.lock);
}

static void gate_await(int running)
{
    WITH_LOCK(&gate.lock);
    while (gate.running < running)
        cond_wait(&gate.changed, &gate.lock);
}

static void gate_open(void)
{
    WITH_LOCK(&gate.lock);
    gate.open = true;
    cond_broadcast(&gate.changed);
}

static void handle(void *ctx, const struct httpd_request *q, struct httpd_response *p)
{
    (void)ctx;
    atomic_fetch_add(&handled, 1);
    if (str_is(q->path, "/block"))
        block();
    if (str_is(q->path, "/none")) {
        p->status = 204;
        return;
    }
    if (str_is(q->path, "/large")) {
        for (int i = 0; i < LARGE; i++)
            sbuf_putc(&p->body, 'x');
        return;
    }
    if (str_is(q->path, "/cached"))
        httpd_response_header(p, q->a, "cache-control", STR("max-age=60"));
    p->close = str_is(q->path, "/last");
    sbuf_fmt(&p->body, "[%.*s %.*s ?%.*s body=%zu:%.*s x=%.*s from=%.*s]", STR_ARG(q->method),
             STR_ARG(q->path), STR_ARG(q->query), q->body.n, STR_ARG(q->body),
             STR_ARG(httpd_header(q, "x-test")), STR_ARG(q->remote));
}

static void problem(void *ctx, const struct httpd_request *q, int status, const char *detail,
                    struct httpd_response *p)
{
    (void)ctx, (void)q;
    p->status = status;
    p->content_type = "application/problem+json";
    sbuf_fmt(&p->body, "{\"status\":%d,\"detail\":", status);
    sbuf_json(&p->body, str_of(detail));
    sbuf_putc(&p->body, '}');
}

static struct httpd *start(struct httpd_config c)
{
    struct httpd *h;
    struct err err;
    const struct httpd_handlers handlers = {handle, problem, NULL};
    gate.running = 0;
    gate.open = false;
    must(httpd_start(&c, &handlers, &h, &err));
    return h;
}

static struct httpd_config config(void)
{
    return (struct httpd_config){
        .listen = STR("127.0.0.1:0"),
        .threads = 2,
        .workers = 4,
        .body_max = BODY_MAX,
        .connections_max = 100,
        .streams_max = 4,
        .idle_timeout = duration_s(30),
        .request_timeout = duration_s(30),
    };
}

static int server_new(void **state)
{
    *state = start(config());
    return 0;
}

static int server_free(void **state)
{
    httpd_stop(*state);
    return 0;
}

static struct reply reply;

#define HEAD_OF(target) "GET " target " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"

static void a_request_reaches_the_handler_whole(void **state)
{
    exchange(*state, STR("PUT /a%20b?c=%64 HTTP/1.1\r\nHost: h\r\nX-TEST:  yes \r\nContent-Length: 5\r\n"
                         "Connection: close\r\n\r\nhello"), &reply);
    assert_int_equal(reply_status(&reply), 200);
    assert_non_null(strstr(reply.text, "[PUT /a b ?c=%64 body=5:hello x=yes from=127.0.0.1]"));
    assert_non_null(strstr(reply.text, "X-Content-Type-Options: nosniff\r\n"));
    assert_non_null(strstr(reply.text, "Cache-Control: no-store\r\n"));
    assert_non_null(strstr(reply.text, "Content-Type: application/json\r\n"));
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    exchange(*state, STR("GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
                         "POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab"
                         "GET /3 HTTP/1.1\r\nHost: h\r\n\r\n" HEAD_OF("/4") "\r\n"), &reply);
    const char *one = strstr(reply.text, "[GET /1 "), *two = strstr(reply.text, "[POST /2 ? body=2:ab");
    const char *three = strstr(reply.text, "[GET /3 "), *four = strstr(reply.text, "[GET /4 ");
    assert_true(one && two && three && four && one < two && two < three && three < four);
}

static void a_chunked_body_is_put_together(void **state)
{
    exchange(*state,
        STR("POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                         "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n"), &reply);
    assert_non_null(strstr(reply.text, "body=13:abc0123456789 "));
}

static void a_body_of_a_get_is_ignored(void **state)
{
    exchange(*state, STR(HEAD_OF("/g") "Content-Length: 3\r\n\r\nabc"), &reply);
    assert_non_null(strstr(reply.text, "[GET /g ? body=0: "));
}

static void head_gets_the_headers_of_get_without_body(void **state)
{
    exchange(*state, STR("HEAD /h HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), &reply);
    assert_int_equal(reply_status(&reply), 200);
    assert_non_null(strstr(reply.text, "Content-Length: "));
    assert_null(strstr(reply.text, "Content-Length: 0"));
    assert_null(strstr(reply.text, "[GET"));
}

static void methods_are_passed_on_as_they_are(void **state)
{
    exchange(*state, STR("OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), &reply);
    assert_non_null(strstr(reply.text, "[OPTIONS * "));
    exchange(*state, STR("BREW /pot HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), &reply);
    assert_non_null(strstr(reply.text, "[BREW /pot "));
}

static void empty_cached_and_last_answers_look_right(void **state)
{
    exchange(*state, STR(HEAD_OF("/none") "\r\n"), &reply);
    assert_int_equal(reply_status(&reply), 204);
    assert_null(strstr(reply.text, "Content-Type:"));
    exchange(*state, STR(HEAD_OF("/cached") "\r\n"), &reply);
    assert_non_null(strstr(reply.text, "cache-control: max-age=60"));
    assert_null(strstr(reply.text, "no-store"));
    exchange(*state, STR("GET /last HTTP/1.1\r\nHost: h\r\n\r\n"
                         ""), &reply); // ends only because the server closes
    assert_non_null(strstr(reply.text, "Connection: close"));
}

static void a_large_answer_arrives_whole(void **state)
{
    int fd = client_connect(*state);
    client_send(fd, STR(HEAD_OF("/large") "\r\n"));
    size_t total = 0;
    static char buf[REPLY_MAX];
    for (ssize_t n; (n = recv(fd, buf, sizeof buf, 0)) > 0;)
        total += (size_t)n;
    (void)close(fd);
    assert_true(total > LARGE);
}

// Up to four times the bound is read first, so that the answer reaches a client that is still writing.
static void a_body_far_over_the_bound_is_refused_at_the_headers(void **state)
{
    int before = atomic_load(&handled);
    exchange(*state, STR("POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 16385\r\n\r\n"), &reply);
    assert_int_equal(reply_status(&reply), 413);
    assert_non_null(strstr(reply.text, "application/problem+json"));
    exchange(*state, STR("POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n"
                         "\r\n"), &reply);
    assert_int_equal(reply_status(&reply), 413);
    assert_int_equal(atomic_load(&handled), before);
}

static void a_chunked_body_over_the_bound_is_refused(void **state)
{
    int before = atomic_load(&handled);
    static char text[3 * BODY_MAX];
    int n = snprintf(text, sizeof text,
        "POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n",
                     BODY_MAX + 1);
    memset(text + n, 'x', BODY_MAX + 1);
    n += BODY_MAX + 1;
    n += snprintf(text + n, sizeof text - (size_t)n, "\r\n0\r\n\r\n");
    exchange(*state, str_of_n(text, (size_t)n), &reply);
    assert_int_equal(reply_status(&reply), 413);
    assert_int_equal(atomic_load(&handled), before);
    static char exact[2 * BODY_MAX];
    n = snprintf(exact, sizeof exact,
        "POST /b HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n",
                 BODY_MAX);
    memset(exact + n, 'y', BODY_MAX);
    exchange(*state, str_of_n(exact, (size_t)n + BODY_MAX), &reply);
    assert_non_null(strstr(reply.text, "body=4096:yyy"));
}

static void expect_100_continue_is_answered(void **state)
{
    int fd = client_connect(*state);
    client_send(fd, STR("POST /e HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n"
                        "Connection: close\r\n\r\n"));
    client_read(fd, "\r\n\r\n", &reply);
    assert_int_equal(reply_status(&reply), 100);
    client_send(fd, STR("ok"));
    client_read(fd, NULL, &reply);
    assert_non_null(strstr(reply.text, "body=2:ok"));
    (void)close(fd);
    exchange(*state, STR("POST /e HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                         "Content-Length: 5000\r\n\r\n"), &reply);
    assert_int_equal(reply_status(&reply), 413);
}

static void malformed_requests_are_refused_and_never_handled(void **state)
{
    const struct str rows[] = {
        STR("\r\n\r\n\r\nnonsense\r\n\r\n"),
        STR("GET\r\n\r\n"),
        STR("GET /\r\n\r\n"),
        STR(" / HTTP/1.1\r\n\r\n"),
        STR("GET / HTTP/1.1\r\n\r\n"),
        STR("GET / HTTP/3.0\r\nHost: h\r\n\r\n"),
        STR("GET / HTTX/1.1\r\nHost: h\r\n\r\n"),
        STR("GET /a b HTTP/1.1\r\nHost: h\r\n\r\n"),
        STR("GET  / HTTP/1.1\r\nHost: h\r\n\r\n"),
        STR("GET /a\0b HTTP/1.1\r\nHost: h\r\n\r\n"),
        STR("G\0T / HTTP/1.1\r\nHost: h\r\n\r\n"),
        STR("GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n"),
        STR("GET / HTTP/1.1\r\nHost: h\r\nX\0: a\r\n\r\n"),
        STR("GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n"),
        STR("GET / HTTP/1.1\r\nHost: h\r\nX: \x01\r\n\r\n"),
        STR("GET / HTTP/1.1\nHost: h\n\n"),
        STR("GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n"),
        STR("GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n folded\r\n\r\n"),
        STR("GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n"),
        STR("GET / HTTP/1.1\r\nHost: h\r\n: empty\r\n\r\n"),
        STR("GET / HTTP/1.1\r\nHost : h\r\n\r\n"),
        STR("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        STR("GET /../etc HTTP/1.1\r\nHost: h\r\n\r\n"),
        STR("GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n"),
        STR("GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n"),
        STR("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n"),
        STR("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1x\r\n\r\nab"),
        STR("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\na"),
        STR("POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n"),
        STR("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        STR("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n"
            "\r\n0\r\n\r\n"),
        STR("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        STR("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\nabc"),
        STR("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        STR("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n"),
        STR("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nab\r\n0\r\n\r\n"),
        STR("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n"),
        STR("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
            "\r\nfffffffffffffffff\r\nab\r\n0\r\n\r\n"),
    };
    int before = atomic_load(&handled);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int fd = client_connect(*state);
        client_send(fd, rows[i]);
        (void)shutdown(fd, SHUT_WR);
        client_read(fd, NULL, &reply);
        (void)close(fd);
        int status = reply_status(&reply);
        if (status < 400 || status > 505)
            print_message("# row %zu: %.60s → %d\n", i, rows[i].p, status);
        assert_in_range(status, 400, 505);
    }
    assert_int_equal(atomic_load(&handled), before);
}

static void oversized_heads_are_refused(void **state)
{
    static char text[100000];
    static const struct { int fill, status; bool target; } rows[] = {
        {1900, 200, true}, {2100, 414, true}, {90000, 414, true}, {16000, 200, false}, {17000, 431, false},
        {90000, 431, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int n = snprintf(text, sizeof text, "GET /%s", rows[i].target ? "" : " HTTP/1.1\r\nHost: h\r\nX: ");
        memset(text + n, 'a', (size_t)rows[i].fill);
        n += rows[i].fill;
        n += snprintf(text + n, sizeof text - (size_t)n, "%s\r\nConnection: close\r\n\r\n",
                      rows[i].target ? " HTTP/1.1\r\nHost: h" : "");
        exchange(*state, str_of_n(text, (size_t)n), &reply);
        assert_int_equal(reply_status(&reply), rows[i].status);
    }
}

static void slow_requests_are_ended_by_the_request_timeout(void **state)
{
    (void)state;
    struct httpd_config c = config();
    c.request_timeout = duration_ms(150);
    struct httpd *h = start(c);
    exchange(h, STR("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nonly a part"), &reply);
    assert_int_equal(reply_status(&reply), 408);
    exchange(h, STR("GET / HTTP/1.1\r\nHost: h\r\nX-Never"), &reply);
    assert_int_equal(reply_status(&reply), 408);
    exchange(h, STR("GET /unfin"), &reply);
    assert_true(reply.closed && reply_status(&reply) != 200);
    httpd_stop(h);
}

static void idle_connections_are_closed(void **state)
{
    (void)state;
    struct httpd_config c = config();
    c.idle_timeout = duration_s(1);
    struct httpd *h = start(c);
    int fd = client_connect(h);
    client_send(fd, STR("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    client_read(fd, NULL, &reply); // returns because the server closes
    assert_true(reply.closed && reply_status(&reply) == 200);
    (void)close(fd);
    httpd_stop(h);
}

static void a_full_queue_answers_503_with_retry_after(void **state)
{
    (void)state;
    struct httpd_config c = config();
    c.workers = 1;
    c.waiting_max = 1;
    struct httpd *h = start(c);
    int first = client_connect(h), two[2] = {client_connect(h), client_connect(h)};
    client_send(first, STR(HEAD_OF("/block") "\r\n"));
    gate_await(1);
    client_send(two[0], STR(HEAD_OF("/block") "\r\n"));
    client_send(two[1], STR(HEAD_OF("/block") "\r\n"));
    struct pollfd fds[2] = {{.fd = two[0], .events = POLLIN}, {.fd = two[1], .events = POLLIN}};
    assert_int_equal(poll(fds, 2, PATIENCE_S * 1000), 1); // one waits, the other is told to come back
    int refused = fds[0].revents ? 0 : 1;
    client_read(two[refused], NULL, &reply);
    assert_int_equal(reply_status(&reply), 503);
    assert_non_null(strstr(reply.text, "Retry-After: 1\r\n"));
    gate_open();
    client_read(two[!refused], NULL, &reply);
    assert_int_equal(reply_status(&reply), 200);
    client_read(first, NULL, &reply);
    assert_int_equal(reply_status(&reply), 200);
    (void)close(first), (void)close(two[0]), (void)close(two[1]);
    httpd_stop(h);
}

static void *stop_server(void *h)
{
    httpd_stop(h);
    return NULL;
}

static void stopping_lets_running_requests_end(void **state)
{
    (void)state;
    struct httpd *h = start(config());
    int busy = client_connect(h), idle = client_connect(h);
    client_send(busy, STR("GET /block HTTP/1.1\r\nHost: h\r\n\r\n"));
    gate_await(1);
    pthread_t stopper = thread_start("stopper", stop_server, h);
    gate_open();
    client_read(busy, NULL, &reply);
    assert_int_equal(reply_status(&reply), 200);
    assert_non_null(strstr(reply.text, "[GET /block "));
    client_read(idle, NULL, &reply);
    assert_true(reply.closed);
    assert_int_equal(pthread_join(stopper, NULL), 0);
    (void)close(busy), (void)close(idle);
}

static void clients_that_go_away_do_no_harm(void **state)
{
    static const char *const texts[] = {
        "", "GET", "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nab",
        "GET /large HTTP/1.1\r\nHost: h\r\n\r\n",
    };
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    for (int round = 0; round < 100; round++) {
        int fd = client_connect(*state);
        client_send(fd, str_of(texts[(size_t)round % (sizeof texts / sizeof texts[0])]));
        if (round % 2)
            must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0);
        (void)close(fd);
    }
    exchange(*state, STR(HEAD_OF("/ok") "\r\n"), &reply);
    assert_int_equal(reply_status(&reply), 200);
}

static void a_taken_port_is_named_with_its_remedy(void **state)
{
    char text[64];
    (void)snprintf(text, sizeof text, "127.0.0.1:%d", httpd_port(*state));
    struct httpd_config c = config();
    c.listen = str_of(text);
    const struct httpd_handlers handlers = {handle, problem, NULL};
    struct httpd *h = NULL;
    struct err err = {.code = ERR_NONE};
    assert_false(httpd_start(&c, &handlers, &h, &err));
    assert_int_equal(err.code, ERR_CONFIG);
    assert_non_null(strstr(err.text, text));
    assert_non_null(strstr(err.text, "address already in use; stop the other server or set http.listen"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, server_new, server_free)
int main(void)
{
    mutex_init(&gate.lock, LOCK_TEST);
    cond_init(&gate.changed);
    const struct CMUnitTest tests[] = {
        TEST(a_request_reaches_the_handler_whole),
        TEST(pipelined_requests_are_answered_in_order),
        TEST(a_chunked_body_is_put_together),
        TEST(a_body_of_a_get_is_ignored),
        TEST(head_gets_the_headers_of_get_without_body),
        TEST(methods_are_passed_on_as_they_are),
        TEST(empty_cached_and_last_answers_look_right),
        TEST(a_large_answer_arrives_whole),
        TEST(a_body_far_over_the_bound_is_refused_at_the_headers),
        TEST(a_chunked_body_over_the_bound_is_refused),
        TEST(expect_100_continue_is_answered),
        TEST(malformed_requests_are_refused_and_never_handled),
        TEST(oversized_heads_are_refused),
        cmocka_unit_test(slow_requests_are_ended_by_the_request_timeout),
        cmocka_unit_test(idle_connections_are_closed),
        cmocka_unit_test(a_full_queue_answers_503_with_retry_after),
        cmocka_unit_test(stopping_lets_running_requests_end),
        TEST(clients_that_go_away_do_no_harm),
        TEST(a_taken_port_is_named_with_its_remedy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
