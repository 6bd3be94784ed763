// SPDX-License-Identifier: Apache-2.0
// ETags of answers. See etag.h.
#include "api/etag.h"

#include "base/rng.h"

bool route_tagged(const struct route *r)
{
    bool document = (r->flags & ROUTE_ROOT) && r->out && strcmp(r->out, "Document") == 0;
    bool shown = !(r->flags & ROUTE_ROOT) && (r->answer == ANSWER_ONE || r->answer == ANSWER_LIST);
    return strcmp(r->method, "GET") == 0 && (shown || document);
}

static struct str_pair *header_find(struct call *c, const char *name)
{
    for (size_t i = 0; i < c->resp->headers.n; i++)
        if (str_eq_nocase(c->resp->headers.v[i].key, str_of(name)))
            return &c->resp->headers.v[i];
    return NULL;
}

// Weak or not (RFC 9110 §13.1.2): proxies that compress make ours weak.
static bool names_it(struct str list, struct str etag)
{
    while (list.n > 0) {
        struct str one = str_trim(str_split(list, ',', &list));
        if (str_starts(one, STR("W/")))
            one = (struct str){one.p + 2, one.n - 2};
        if (str_is(one, "*") || str_eq(one, etag))
            return true;
    }
    return false;
}

void etag_settle(struct call *c)
{
    static const uint8_t key[16] = "chronos-etag-v1."; // fixed: every node gives the same
    if (!route_tagged(c->route) || c->resp->status != 200 || c->resp->source)
        return;
    uint64_t hash = hash_bytes(key, c->resp->body.p ? c->resp->body.p : "", c->resp->body.n);
    struct str_pair *old = header_find(c, "ETag");
    struct str etag = old ? arena_fmt(c->a, "%.*s-%016llx\"", (int)(old->value.n - 1), old->value.p,
                                      (unsigned long long)hash)
                          : arena_fmt(c->a, "\"%016llx\"", (unsigned long long)hash);
    if (old)
        old->value = etag;
    else
        call_header(c, "ETag", etag);
    struct str known = httpd_header(c->req, "if-none-match");
    if (!known.p || !names_it(known, etag))
        return;
    c->resp->status = 304;
    sbuf_clear(&c->resp->body);
}
