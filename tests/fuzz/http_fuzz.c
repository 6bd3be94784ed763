// SPDX-License-Identifier: Apache-2.0
// Fuzzes what httpd reads itself: the first line of the input is a request target, each further one a header.
// An accepted target is a clean path; whatever a client writes, a proxy that is not trusted is never
// believed.
#include <arpa/inet.h>

#include "httpd/forward.h"
#include "httpd/head.h"
#include "httpd/httpd.h"
#include "httpd/target.h"

enum { BUDGET = 1 << 20, HEADERS_MAX = 64, BODY_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void target(struct str raw, bool options, struct arena *a)
{
    struct str path = STR_NONE, query = STR_NONE;
    if (target_parse(raw, options, &path, &query, a))
        return;
    must(path.n > 0 && (path.p[0] == '/' || (options && str_is(path, "*"))));
    must(str_utf8_valid(path) && !str_contains(path, STR("//")) && !str_contains(path, STR("/../")));
    must(!str_ends(path, STR("/..")) && memchr(path.p, '\0', path.n) == NULL);
    struct httpd_request r = {.query = query, .a = a};
    (void)httpd_query(&r, "page");
}

static void headers(struct str text, struct arena *a)
{
    struct str nets[] = {STR_INIT("10.0.0.0/8"), STR_INIT("fd00::/8")};
    struct str_pair v[HEADERS_MAX];
    struct str_map m = {v, 0};
    while (text.p && m.n < HEADERS_MAX) {
        struct str value, name = str_split(str_split(text, '\n', &text), ':', &value);
        v[m.n++] = (struct str_pair){name, value.p ? str_trim(value) : STR("")};
    }
    struct refusal no = headers_check(&m, true, BODY_MAX);
    must((no.status == 0) == (no.detail == NULL));
    for (int standard = 0; standard < 2; standard++) {
        struct forward f;
        struct forward_seen seen;
        struct in6_addr address;
        struct err err;
        must(forward_parse((struct strs){nets, sizeof nets / sizeof nets[0]}, standard, &f, a, &err));
        forward_look(&f, STR("10.0.0.1"), &m, &seen);
        must(inet_pton(AF_INET, seen.client, &address) == 1 ||
             inet_pton(AF_INET6, seen.client, &address) == 1);
        forward_look(&f, STR("192.0.2.1"), &m, &seen);
        must(str_is(str_of(seen.client), "192.0.2.1") && !seen.https);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    arena_init(&a, BUDGET);
    struct str rest, line = str_split(str_of_n((const char *)data, size), '\n', &rest);
    if (line.n <= HTTPD_TARGET_MAX) {
        target(line, false, &a);
        target(line, true, &a);
    }
    headers(rest, &a);
    (void)head_block_clean(str_of_n((const char *)data, size), 1);
    arena_release(&a);
    return 0;
}
