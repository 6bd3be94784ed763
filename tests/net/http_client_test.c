// SPDX-License-Identifier: Apache-2.0
// The HTTP client against a server that behaves, and one that does not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "base/sbuf.h"
#include "base/sync.h"
#include "net/http.h"
#include "http_target.h"
#include "net/loop.h"

enum { PATIENCE_S = 60, BUDGET = 8 << 20, LOOPS = 2, MANY = 5000 };

static struct target *target, *other;
static struct loop *loops[LOOPS];
static struct http_client *client, *guarded;
static struct egress no_loopback;
static struct arena arena;

struct answer {
    enum http_error error;
    int status;
    char sentence[256];
    struct sbuf body;
    int64_t body_bytes, redirects;
    size_t headers;
    bool truncated;
    struct duration retry_after, total;
    struct waker came;
    uint64_t id;
};

static void on_done(void *ctx, const struct http_response *r)
{
    struct answer *a = ctx;
    a->error = r->error;
    a->status = r->status;
    memcpy(a->sentence, r->sentence, sizeof a->sentence);
    sbuf_put(&a->body, r->body);
    a->body_bytes = r->body_bytes;
    a->redirects = r->redirects;
    a->headers = r->headers.n;
    a->truncated = r->truncated;
    a->retry_after = r->retry_after;
    a->total = r->total;
    waker_wake(&a->came);
}

static void answer_init(struct answer *a)
{
    *a = (struct answer){0};
    sbuf_init(&a->body, NULL, BUDGET);
    waker_init(&a->came, LOCK_TEST);
}

static void answer_release(struct answer *a)
{
    sbuf_release(&a->body);
    waker_release(&a->came);
}

static struct str url_of(const struct target *t, const char *path)
{
    return arena_fmt(&arena, "http://127.0.0.1:%d%s", target_port(t), path);
}

static void begin(struct http_client *c, const struct http_request *r, struct answer *a)
{
    answer_init(a);
    assert_true(http_send(c, r, on_done, a, &a->id));
}

static void await(struct answer *a)
{
    assert_true(waker_wait(&a->came, duration_s(PATIENCE_S)));
}

static void get(struct http_client *c, struct str url, struct answer *a)
{
    struct http_request r = {.url = url, .timeout = duration_s(PATIENCE_S)};
    begin(c, &r, a);
    await(a);
}

// ---- answers ----

static void a_request_arrives_as_it_was_given(void **state)
{
    (void)state;
    struct answer a;
    struct str_pair headers[] = {{STR("X-One"), STR("1")}, {STR("X-Empty"), STR("")}, {STR("x-two"),
                                                                                       STR("a b")}};
    struct http_request r = {.method = STR("PUT"), .url = url_of(target, "/echo"), .headers = {headers, 3},
                             .body = STR("{\"a\":1}")};
    begin(client, &r, &a);
    await(&a);
    assert_int_equal(a.error, HTTP_DONE);
    assert_int_equal(a.status, 200);
    assert_int_equal(strncmp(a.body.p, "PUT /echo HTTP/1.1\r\n", strlen("PUT /echo HTTP/1.1\r\n")), 0);
    assert_non_null(strstr(a.body.p, "\r\nX-One: 1\r\nX-Empty:\r\nx-two: a b\r\n"));
    assert_non_null(strstr(a.body.p, "\r\nUser-Agent: test\r\n"));
    assert_non_null(strstr(a.body.p, "\r\nContent-Length: 7\r\n"));
    assert_non_null(strstr(a.body.p, "\r\n\r\n{\"a\":1}"));
    assert_null(strstr(a.body.p, "Expect"));
    assert_null(strstr(a.body.p, "Content-Type"));
    answer_release(&a);
}

static void every_method_is_sent(void **state)
{
    (void)state;
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        for (int with_body = 0; with_body < 2; with_body++) {
            struct answer a;
            struct http_request r = {.method = str_of(methods[i]), .url = url_of(target, "/echo"),
                                     .body = with_body ? STR("body") : STR_NONE};
            begin(client, &r, &a);
            await(&a);
            assert_int_equal(a.status, 200);
            assert_int_equal(strncmp(a.body.p, methods[i], strlen(methods[i])), 0);
            assert_int_equal(strstr(a.body.p, "\r\n\r\nbody") != NULL, with_body);
            answer_release(&a);
        }
    struct answer a;
    struct http_request head = {.method = STR("HEAD"), .url = url_of(target, "/status/200"),
                                .timeout = duration_s(5)};
    begin(client, &head, &a);
    await(&a);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body_bytes, 0);
    answer_release(&a);
}

static void statuses_and_retry_after_are_told(void **state)
{
    (void)state;
    static const int statuses[] = {200, 204, 304, 404, 429, 500, 503};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        struct answer a;
        char path[32];
        (void)snprintf(path, sizeof path, "/status/%d", statuses[i]);
        get(client, url_of(target, path), &a);
        assert_int_equal(a.error, HTTP_DONE);
        assert_int_equal(a.status, statuses[i]);
        assert_int_equal(a.retry_after.us, 7 * US_PER_S);
        answer_release(&a);
    }
}

static void bodies_and_headers_are_bounded(void **state)
{
    (void)state;
    struct answer a;
    get(client, url_of(target, "/bytes/65536"), &a);
    assert_int_equal(a.body.n, 65536);
    assert_false(a.truncated);
    answer_release(&a);
    get(client, url_of(target, "/bytes/1000000"), &a);
    assert_int_equal(a.body.n, 65536);
    assert_int_equal(a.body_bytes, 1000000);
    assert_true(a.truncated);
    answer_release(&a);
    get(client, url_of(target, "/headers/120"), &a);
    assert_int_equal(a.error, HTTP_DONE);
    assert_int_equal(a.headers, 121);
    answer_release(&a);
    static const char *const large[] = {"/headers/200", "/header/40000"};
    for (size_t i = 0; i < 2; i++) {
        get(client, url_of(target, large[i]), &a);
        assert_int_equal(a.error, HTTP_TOO_LARGE);
        assert_non_null(strstr(a.sentence, "sent more than 32768 bytes or 128 lines of headers"));
        answer_release(&a);
    }
}

static void what_cannot_be_sent_is_a_bad_request(void **state)
{
    (void)state;
    struct str_pair smuggled[] = {{STR("X"), STR("a\r\nB: c")}};
    const struct http_request bad[] = {
        {.url = STR("ftp://127.0.0.1/")},
        {.url = STR("file:///etc/passwd")},
        {.url = STR("http://127.0.0.1/a b")},
        {.url = url_of(target, "/echo"), .method = STR("GET / HTTP/1.1\r\nX: y")},
        {.url = url_of(target, "/echo"), .headers = {smuggled, 1}},
    };
    size_t before = target_requests(target);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct answer a;
        begin(client, &bad[i], &a);
        await(&a);
        assert_int_equal(a.error, HTTP_BAD_REQUEST);
        assert_string_not_equal(a.sentence, "");
        answer_release(&a);
    }
    assert_int_equal(target_requests(target), before);
}

// ---- servers that misbehave ----

static void broken_answers_are_connection_errors(void **state)
{
    (void)state;
    static const char *const paths[] = {"/close", "/garbage", "/cut"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct answer a;
        get(client, url_of(target, paths[i]), &a);
        assert_int_equal(a.error, HTTP_CONNECTION_ERROR);
        assert_non_null(strstr(a.sentence, "request to \"127.0.0.1:"));
        answer_release(&a);
    }
}

static void a_closed_port_and_an_unknown_name_are_connection_errors(void **state)
{
    (void)state;
    struct answer a;
    get(client, STR("http://127.0.0.1:1/"), &a);
    assert_int_equal(a.error, HTTP_CONNECTION_ERROR);
    answer_release(&a);
    get(client, STR("http://no-such-host.invalid/"), &a);
    assert_int_equal(a.error, HTTP_CONNECTION_ERROR);
    assert_non_null(strstr(a.sentence, "no-such-host.invalid"));
    answer_release(&a);
}

static void plain_http_where_tls_is_wanted_is_a_tls_error(void **state)
{
    (void)state;
    struct answer a;
    struct str url = arena_fmt(&arena, "https://127.0.0.1:%d/garbage", target_port(target));
    struct http_request r = {.url = url, .timeout = duration_s(1)};
    begin(client, &r, &a);
    await(&a);
    assert_true(a.error == HTTP_TLS_ERROR || a.error == HTTP_TIMEOUT);
    answer_release(&a);
}

static void slow_servers_time_out(void **state)
{
    (void)state;
    static const char *const paths[] = {"/hold", "/drip"};
    for (size_t i = 0; i < 2; i++) {
        struct answer a;
        struct http_request r = {.url = url_of(target, paths[i]), .timeout = duration_ms(100)};
        begin(client, &r, &a);
        await(&a);
        assert_int_equal(a.error, HTTP_TIMEOUT);
        assert_true(a.total.us >= 99 * US_PER_MS && a.total.us < 10 * US_PER_S);
        assert_non_null(strstr(a.sentence, "no answer from \"127.0.0.1:"));
        answer_release(&a);
    }
    assert_true(target_await_held(target, 0));
}

// ---- redirects ----

static void redirects_are_followed_only_when_asked_and_only_so_far(void **state)
{
    (void)state;
    struct answer a;
    struct http_request r = {.url = url_of(target, "/to?/status/200")};
    begin(client, &r, &a);
    await(&a);
    assert_int_equal(a.status, 302);
    answer_release(&a);
    r.redirects = 1;
    begin(client, &r, &a);
    await(&a);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.redirects, 1);
    assert_string_equal(a.body.p, "status 200\n");
    answer_release(&a);
    r.url = url_of(target, "/loop");
    r.redirects = 1000;
    begin(client, &r, &a);
    await(&a);
    assert_int_equal(a.error, HTTP_REDIRECT_ERROR);
    answer_release(&a);
    static const char *const schemes[] = {"/to?file:///etc/passwd", "/to?gopher://127.0.0.1:1/x",
                                          "/to?ftp://127.0.0.1/"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        r.url = url_of(target, schemes[i]);
        begin(client, &r, &a);
        await(&a);
        assert_int_equal(a.error, HTTP_REDIRECT_ERROR);
        answer_release(&a);
    }
}

// ---- the guard ----

static void forbidden_addresses_are_never_connected_to(void **state)
{
    (void)state;
    int port = target_port(target);
    size_t before = target_accepted(target);
    const struct str urls[] = {
        url_of(target, "/status/200"),
        arena_fmt(&arena, "http://localhost:%d/", port),
        arena_fmt(&arena, "http://2130706433:%d/", port),
        arena_fmt(&arena, "http://0x7f.1:%d/", port),
        arena_fmt(&arena, "http://0177.0.0.1:%d/", port),
        arena_fmt(&arena, "http://127.1:%d/", port),
        arena_fmt(&arena, "http://0:%d/", port),
        arena_fmt(&arena, "http://0.0.0.0:%d/", port),
        arena_fmt(&arena, "http://[::1]:%d/", port),
        arena_fmt(&arena, "http://[::]:%d/", port),
        arena_fmt(&arena, "http://[::ffff:127.0.0.1]:%d/", port),
        arena_fmt(&arena, "http://[::ffff:7f00:1]:%d/", port),
        arena_fmt(&arena, "http://[64:ff9b::7f00:1]:%d/", port),
        arena_fmt(&arena, "http://allowed.example@127.0.0.1:%d/", port),
        STR("http://169.254.169.254/latest/meta-data/"),
        STR("http://[fd00:ec2::254]/latest/meta-data/"),
        STR("http://100.100.100.200/"),
    };
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct answer a;
        get(guarded, urls[i], &a);
        if (a.error != HTTP_EGRESS_DENIED)
            fail_msg("%.*s: %s", STR_ARG(urls[i]), a.sentence);
        assert_non_null(strstr(a.sentence, "is not allowed by the egress rules"));
        answer_release(&a);
    }
    assert_int_equal(target_accepted(target), before);
}

static void a_redirect_to_a_forbidden_address_is_not_followed(void **state)
{
    (void)state;
    struct arena rules;
    struct egress only_target;
    struct err err;
    struct str denied[] = {STR("127.0.0.2")};
    arena_init(&rules, BUDGET);
    assert_true(egress_parse((struct strs){denied, 1}, (struct strs){0}, &only_target, &rules, &err));
    struct http_options o = {.clock = clock_real(), .egress = &only_target};
    struct http_client *c = http_client_new(&o, loops, 1, &err);
    assert_non_null(c);
    const struct str urls[] = {
        url_of(target, "/to?http://169.254.169.254/"),
        arena_fmt(&arena, "http://127.0.0.1:%d/to?http://127.0.0.2:%d/", target_port(target),
                  target_port(other)),
        arena_fmt(&arena, "http://127.0.0.1:%d/to?/to?/to?/to?http://127.0.0.2:1/", target_port(target)),
    };
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct answer a;
        struct http_request r = {.url = urls[i], .redirects = HTTP_REDIRECTS_MAX};
        begin(c, &r, &a);
        await(&a);
        assert_int_equal(a.error, HTTP_EGRESS_DENIED);
        answer_release(&a);
    }
    assert_int_equal(target_accepted(other), 0);
    http_client_free(c);
    arena_release(&rules);
}

static void the_environments_proxy_is_not_used(void **state)
{
    (void)state;
    struct answer a;
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    assert_int_equal(setenv("ALL_PROXY", "http://127.0.0.1:1", 1), 0);
    get(client, url_of(target, "/status/200"), &a);
    assert_int_equal(a.status, 200);
    answer_release(&a);
    assert_int_equal(unsetenv("http_proxy") | unsetenv("ALL_PROXY"), 0);
}

// ---- many ----

static struct answer *begin_many(struct http_request *r, size_t n)
{
    struct answer *v = mem_array(n, sizeof *v);
    for (size_t i = 0; i < n; i++) {
        r[i].lane = i;
        begin(client, &r[i], &v[i]);
    }
    return v;
}

static void thousands_are_in_flight_at_once(void **state)
{
    (void)state;
    struct http_request *r = mem_array(MANY, sizeof *r);
    for (size_t i = 0; i < MANY; i++)
        r[i].url = url_of(target, "/hold");
    struct answer *v = begin_many(r, MANY);
    assert_true(target_await_held(target, MANY));
    struct http_stats s;
    http_client_stats(client, &s);
    assert_int_equal(s.in_flight, MANY);
    assert_int_equal(s.waiting, 0);
    assert_true(s.connections >= MANY);
    target_release(target);
    for (size_t i = 0; i < MANY; i++) {
        await(&v[i]);
        assert_int_equal(v[i].status, 204);
        answer_release(&v[i]);
    }
    http_client_stats(client, &s);
    assert_int_equal(s.in_flight, 0);
    mem_free(v);
    mem_free(r);
}

static void connections_are_used_again(void **state)
{
    (void)state;
    struct answer a;
    get(client, url_of(target, "/status/200"), &a);
    answer_release(&a);
    size_t before = target_accepted(target);
    for (int i = 0; i < 100; i++) {
        get(client, url_of(target, "/status/200"), &a);
        assert_int_equal(a.status, 200);
        answer_release(&a);
    }
    assert_int_equal(target_accepted(target), before);
}

static void requests_past_the_limit_wait_their_turn(void **state)
{
    (void)state;
    enum { LIMIT = 3, ALL = 10 };
    struct err err;
    struct http_options o = {.clock = clock_real(), .in_flight_max = LIMIT};
    struct http_client *c = http_client_new(&o, loops, 1, &err);
    struct answer v[ALL];
    struct http_request r = {.url = url_of(target, "/hold")};
    struct http_stats s;
    for (size_t i = 0; i < ALL; i++)
        begin(c, &r, &v[i]);
    assert_true(target_await_held(target, LIMIT));
    http_client_stats(c, &s);
    assert_int_equal(s.in_flight, LIMIT);
    assert_int_equal(s.waiting, ALL - LIMIT);
    http_cancel(c, v[ALL - 1].id); // one that waits
    await(&v[ALL - 1]);
    assert_int_equal(v[ALL - 1].error, HTTP_CANCELLED);
    for (size_t i = 0; i < ALL - 1; i += LIMIT) {
        assert_true(target_await_held(target, LIMIT));
        target_release(target);
        for (size_t k = i; k < i + LIMIT; k++)
            await(&v[k]);
    }
    for (size_t i = 0; i < ALL; i++)
        answer_release(&v[i]);
    http_client_free(c);
}

static void names_are_resolved_for_many_at_once(void **state)
{
    (void)state;
    enum { NAMED = 500 };
    struct http_request *r = mem_array(NAMED, sizeof *r);
    struct str url = arena_fmt(&arena, "http://localhost:%d/status/204", target_port(target));
    for (size_t i = 0; i < NAMED; i++)
        r[i].url = url;
    struct answer *v = begin_many(r, NAMED);
    for (size_t i = 0; i < NAMED; i++) {
        await(&v[i]);
        assert_int_equal(v[i].status, 204);
        answer_release(&v[i]);
    }
    mem_free(v);
    mem_free(r);
}

// ---- ends ----

static void a_cancelled_request_ends_at_once_and_only_it(void **state)
{
    (void)state;
    struct answer a, b;
    struct http_request r = {.url = url_of(target, "/hold")};
    begin(client, &r, &a);
    begin(client, &r, &b);
    assert_true(target_await_held(target, 2));
    http_cancel(client, a.id);
    await(&a);
    assert_int_equal(a.error, HTTP_CANCELLED);
    assert_true(target_await_held(target, 1));
    http_cancel(client, a.id); // again: nothing
    http_cancel(client, 1 << 30);
    target_release(target);
    await(&b);
    assert_int_equal(b.status, 204);
    answer_release(&a);
    answer_release(&b);
}

static void freeing_the_client_ends_what_is_under_way(void **state)
{
    (void)state;
    enum { OPEN = 100 };
    struct err err;
    struct http_options o = {.clock = clock_real(), .in_flight_max = OPEN / 2};
    struct http_client *c = http_client_new(&o, loops, LOOPS, &err);
    struct answer v[OPEN];
    struct http_request r = {.url = url_of(target, "/hold")};
    for (size_t i = 0; i < OPEN; i++)
        begin(c, &r, &v[i]);
    assert_true(target_await_held(target, OPEN / 2));
    http_client_free(c);
    for (size_t i = 0; i < OPEN; i++) {
        await(&v[i]);
        assert_int_equal(v[i].error, HTTP_CANCELLED);
        answer_release(&v[i]);
    }
    assert_true(target_await_held(target, 0));
}

static int open_all(void **state)
{
    (void)state;
    struct err err;
    struct str denied[] = {STR("loopback")};
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return -1;
    files.rlim_cur = files.rlim_max; // both ends of every connection are in this process
    (void)setrlimit(RLIMIT_NOFILE, &files);
    arena_init(&arena, BUDGET);
    target = target_new();
    other = target_new();
    for (size_t i = 0; i < LOOPS; i++)
        if (!(loops[i] = loop_new("test", clock_real(), &err)))
            return -1;
    if (!egress_parse((struct strs){denied, 1}, (struct strs){0}, &no_loopback, &arena, &err))
        return -1;
    struct http_options o = {.clock = clock_real(), .user_agent = STR("test")};
    client = http_client_new(&o, loops, LOOPS, &err);
    o.egress = &no_loopback;
    guarded = http_client_new(&o, loops, LOOPS, &err);
    return client && guarded ? 0 : -1;
}

static int close_all(void **state)
{
    (void)state;
    http_client_free(client);
    http_client_free(guarded);
    for (size_t i = 0; i < LOOPS; i++)
        loop_free(loops[i]);
    target_free(target);
    target_free(other);
    arena_release(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_arrives_as_it_was_given),
        cmocka_unit_test(every_method_is_sent),
        cmocka_unit_test(statuses_and_retry_after_are_told),
        cmocka_unit_test(bodies_and_headers_are_bounded),
        cmocka_unit_test(what_cannot_be_sent_is_a_bad_request),
        cmocka_unit_test(broken_answers_are_connection_errors),
        cmocka_unit_test(a_closed_port_and_an_unknown_name_are_connection_errors),
        cmocka_unit_test(plain_http_where_tls_is_wanted_is_a_tls_error),
        cmocka_unit_test(slow_servers_time_out),
        cmocka_unit_test(redirects_are_followed_only_when_asked_and_only_so_far),
        cmocka_unit_test(forbidden_addresses_are_never_connected_to),
        cmocka_unit_test(a_redirect_to_a_forbidden_address_is_not_followed),
        cmocka_unit_test(the_environments_proxy_is_not_used),
        cmocka_unit_test(thousands_are_in_flight_at_once),
        cmocka_unit_test(connections_are_used_again),
        cmocka_unit_test(requests_past_the_limit_wait_their_turn),
        cmocka_unit_test(names_are_resolved_for_many_at_once),
        cmocka_unit_test(a_cancelled_request_ends_at_once_and_only_it),
        cmocka_unit_test(freeing_the_client_ends_what_is_under_way),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
