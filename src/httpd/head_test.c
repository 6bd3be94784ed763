// SPDX-License-Identifier: Apache-2.0
// The rules of head.c one by one; httpd_test sends the same through a server.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "httpd/head.h"

enum { BODY_MAX = 100, HEADERS_MAX = 4 };

struct row {
    int status;
    bool http10;
    struct str_pair v[HEADERS_MAX]; // up to the first without a name
};

static int check(const struct row *r)
{
    struct str_pair v[HEADERS_MAX];
    memcpy(v, r->v, sizeof v);
    struct str_map m = {v, 0};
    while (m.n < HEADERS_MAX && v[m.n].key.p)
        m.n++;
    struct refusal no = headers_check(&m, !r->http10, BODY_MAX);
    assert_int_equal(no.status != 0, no.detail != NULL);
    return no.status;
}

#define H(k, v) {STR_INIT(k), STR_INIT(v)}

static void heads_are_judged_by_the_rules(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {0, false, {H("host", "h")}},
        {0, true, {H("x-a", "1")}},
        {0, false, {H("host", "h"), H("content-length", "100")}},
        {0, false, {H("host", "h"), H("content-length", "0")}},
        {0, false, {H("host", "h"), H("transfer-encoding", "Chunked")}},
        {0, false, {H("host", "h"), H("x", "tab\there, \xc3\xbc")}},
        {400, false, {H("x-a", "1")}},
        {400, true, {H("host", "a"), H("host", "a")}},
        {400, false, {H("host", "h"), H("a b", "1")}},
        {400, false, {H("host", "h"), H("", "1")}},
        {400, false, {H("host", "h"), H("a\0", "1")}},
        {400, false, {H("host", "h"), H("x\xc3", "1")}},
        {400, false, {H("host", "h"), H("x", "a\rb")}},
        {400, false, {H("host", "h"), H("x", "\x7f")}},
        {400, false, {H("host", "h"), H("content-length", "")}},
        {400, false, {H("host", "h"), H("content-length", "+1")}},
        {400, false, {H("host", "h"), H("content-length", "1, 1")}},
        {400, false, {H("host", "h"), H("content-length", "1"), H("content-length", "1")}},
        {400, false, {H("host", "h"), H("content-length", "1"), H("transfer-encoding", "chunked")}},
        {413, false, {H("host", "h"), H("content-length", "101")}},
        {413, false, {H("host", "h"), H("content-length", "99999999999999999999")}},
        {400, false, {H("host", "h"), H("content-type", "a/b"), H("content-type", "a/b")}},
        {400, false, {H("host", "h"), H("authorization", "Bearer a"), H("authorization", "Bearer b")}},
        {501, false, {H("host", "h"), H("transfer-encoding", "gzip")}},
        {501, false, {H("host", "h"), H("transfer-encoding", "chunked, chunked")}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int status = check(&rows[i]);
        if (status != rows[i].status)
            print_message("# row %zu\n", i);
        assert_int_equal(status, rows[i].status);
    }
}

static void nuls_beyond_the_separators_are_noticed(void **state)
{
    (void)state;
    assert_true(head_block_clean(STR("Host\0 h\0\0X\0 1\0\0\0\0"), 2));
    assert_false(head_block_clean(STR("Host\0 h\0\0X\0 1\0\0\0"), 2));         // a bare line feed
    assert_false(head_block_clean(STR("Host\0 h\0\0X\0 1\0002\0\0\0\0"), 2)); // a NUL in a value
    assert_false(head_block_clean(STR("Host\0 h\0\0X\0 1\0\0 2\0\0\0\0"), 2)); // a folded line
    assert_true(head_block_clean(STR("\0\0"), 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_judged_by_the_rules),
        cmocka_unit_test(nuls_beyond_the_separators_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
