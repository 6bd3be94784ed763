// SPDX-License-Identifier: Apache-2.0
// Texts of HTTP: URLs, headers, Retry-After. The client itself is tested against a server in tests/net.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "net/http.h"

static void urls_that_can_be_sent_are_accepted(void **state)
{
    (void)state;
    static const char *const good[] = {
        "http://a", "https://a/", "HTTP://A.example:8080/x?y=z#f", "http://[::1]:80/",
        "http://user:pw@host/", "http://1.2.3.4",
        "http://host/%0d%0a", "http://h\xc3\xa9/", "https://x:1", "http://x:65535/",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct err err;
        if (!http_url_check(str_of(good[i]), &err))
            fail_msg("%s: %s", good[i], err.text);
    }
}

static void urls_that_mislead_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "a", "/x", "ftp://a", "file:///etc/passwd", "gopher://a:70/_x", "http:/a", "http:a", "http://",
        "http:///x",
        "http://a b/", "http://a\r\nX: y/", "http://a\n", "http://a\\b", "http://[::1", "http://a:0/",
        "http://a:65536/",
        "http://a:b/", "http://u%0aser@h/", "http://h%0dx/", "javascript:alert(1)", "dict://a:1/",
        "http://@/", "://a",
        "http://a\x7f/", "jar:http://a!/b", "httpx://a",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err err;
        if (http_url_check(str_of(bad[i]), &err))
            fail_msg("%s is taken", bad[i]);
        assert_int_equal(err.code, ERR_INVALID);
    }
    struct err err;
    enum { LONG = 9000 };
    char *url = mem_array(LONG, 1);
    memset(url, 'a', LONG);
    memcpy(url, "http://", strlen("http://"));
    assert_false(http_url_check((struct str){url, LONG}, &err));
    mem_free(url);
    assert_false(http_url_check((struct str){"http://a\0b", 10}, &err));
}

static void parts_of_a_url_are_found(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 4096);
    static const struct { const char *url, *authority, *host, *public; } cases[] = {
        {"http://h/p", "h", "h", "http://h/p"},
        {"https://u:p@h:8/p?q=@x", "u:p@h:8", "h", "https://h:8/p?q=@x"},
        {"http://u@[::1]:80", "u@[::1]:80", "[::1]", "http://[::1]:80"},
        {"http://a@b@c/", "a@b@c", "c", "http://c/"},
        {"http://h?x", "h", "h", "http://h?x"},
        {"http://h#@x", "h", "h", "http://h#@x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct str url = str_of(cases[i].url);
        assert_true(str_is(http_url_authority(url), cases[i].authority));
        assert_true(str_is(http_url_host(url), cases[i].host));
        assert_true(str_is(http_url_public(url, &a), cases[i].public));
    }
    arena_release(&a);
}

static void headers_cannot_smuggle(void **state)
{
    (void)state;
    static const struct { const char *name, *value; bool ok; } cases[] = {
        {"X-A", "b", true},         {"X-A", "", true},          {"X-A", "a\tb \xc3\xa9", true},
        {"Authorization", "Bearer x", true},
        {"Host", "x", true},        {"", "x", false},           {"X A", "x", false},            {"X:A", "x",
                                                                                                 false},
        {"X\r\nA", "x", false},     {"X-A", "a\r\nB: c", false}, {"X-A", "a\nb", false},         {"X-A",
                                                                                                  "a\rb", false},
        {"X-A", "\x7f", false},     {"X\xc3\xa9", "x", false},  {"Content-Length", "5", false},
        {"transfer-encoding", "chunked", false},
        {"Connection", "x", false}, {"TE", "x", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err;
        bool ok = http_header_check(str_of(cases[i].name), str_of(cases[i].value), &err);
        if (ok != cases[i].ok)
            fail_msg("%s: %s", cases[i].name, cases[i].value);
    }
    struct err err;
    assert_false(http_header_check(STR("X-A"), (struct str){"a\0b", 3}, &err));
}

static void retry_after_reads_seconds_and_all_three_dates(void **state)
{
    (void)state;
    struct instant now = instant_s(784111777); // Sun, 06 Nov 1994 08:49:37 GMT
    static const struct { const char *text; int64_t seconds; } cases[] = {
        {"0", 0}, {"120", 120}, {" 7 ", 7}, {"-5", 0}, {"99999999999", HTTP_RETRY_AFTER_S_MAX},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 0}, {"Sun, 06 Nov 1994 08:50:37 GMT", 60},
        {"Sun, 06 Nov 1994 08:49:36 GMT", 0},
        {"Sunday, 06-Nov-94 08:49:47 GMT", 10}, {"Sun Nov  6 08:49:57 1994", 20},
        {"Mon, 06 Nov 2094 08:49:37 GMT", HTTP_RETRY_AFTER_S_MAX},
        {"Sun, 31 Feb 1995 08:50:37 GMT", 0}, {"Sun, 06 Xxx 1994 08:50:37 GMT", 0},
        {"Sun, 06 Nov 1994 25:50:37 GMT", 0},
        {"Sun, 06 Nov 1994 08:50:37 GMT+1", 0}, {"Sun, 06 Nov 1994 08:50:37", 0}, {"soon", 0}, {"", 0},
        {"1.5", 0}, {"12 s", 0},
        {"Sun, 06 Nov 1994 08:50:37 GMT and a very long tail that no date has ever had so far", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t us = http_retry_after(str_of(cases[i].text), now).us;
        if (us != cases[i].seconds * US_PER_S)
            fail_msg("%s: %lld us", cases[i].text, (long long)us);
    }
}

static void reasons_and_headers_are_found(void **state)
{
    (void)state;
    assert_string_equal(http_reason(503), "Service Unavailable");
    assert_string_equal(http_reason(299), "");
    struct str_pair v[] = {{STR("A"), STR("1")}, {STR("Retry-After"), STR("2")}, {STR("retry-after"),
                                                                                  STR("3")}};
    struct http_response r = {.headers = {v, 3}};
    assert_true(str_is(http_header(&r, "RETRY-AFTER"), "2"));
    assert_null(http_header(&r, "B").p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_that_can_be_sent_are_accepted),
        cmocka_unit_test(urls_that_mislead_are_refused),
        cmocka_unit_test(parts_of_a_url_are_found),
        cmocka_unit_test(headers_cannot_smuggle),
        cmocka_unit_test(retry_after_reads_seconds_and_all_three_dates),
        cmocka_unit_test(reasons_and_headers_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
