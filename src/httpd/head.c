// SPDX-License-Identifier: Apache-2.0
// Which heads are refused. Everything two servers in a row could read differently is (request smuggling): a
// repaired request would be another one than the proxy in front saw and allowed.
#include "httpd/head.h"

enum {
    STATUS_BAD_REQUEST = 400,
    STATUS_TOO_LARGE = 413,
    STATUS_NOT_IMPLEMENTED = 501,
    NULS_PER_HEADER = 3, // after the name, and CR LF
    NULS_AT_END = 2,     // CR LF of the empty line
};

bool head_block_clean(struct str block, size_t headers)
{
    size_t nuls = 0;
    for (size_t i = 0; i < block.n; i++)
        nuls += block.p[i] == '\0';
    return nuls == headers * NULS_PER_HEADER + NULS_AT_END;
}

// tchar of RFC 9110 §5.6.2; upper case was folded already.
static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!plain && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return s.n > 0;
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == '\x7f')
            return true;
    return false;
}

struct counts {
    int host, length, coding, type, proof; // type: of the body; proof: of who asks
    struct str length_value, coding_value;
};

static struct counts count(const struct str_map *headers)
{
    struct counts c = {.host = 0};
    for (size_t i = 0; i < headers->n; i++) {
        const struct str_pair *h = &headers->v[i];
        if (str_is(h->key, "host")) {
            c.host++;
        } else if (str_is(h->key, "content-length")) {
            c.length++;
            c.length_value = h->value;
        } else if (str_is(h->key, "transfer-encoding")) {
            c.coding++;
            c.coding_value = h->value;
        } else if (str_is(h->key, "content-type")) {
            c.type++;
        } else if (str_is(h->key, "authorization")) {
            c.proof++;
        }
    }
    return c;
}

static bool all_digits(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return s.n > 0;
}

static struct refusal body_check(const struct counts *c, int64_t body_max)
{
    int64_t length;
    if (c->coding + c->length > 1)
        return (struct refusal){STATUS_BAD_REQUEST, "the length of the body is given more than once"};
    if (c->coding && !str_eq_nocase(c->coding_value, STR("chunked")))
        return (struct refusal){STATUS_NOT_IMPLEMENTED, "the transfer coding is not known; use chunked"};
    if (c->length && !all_digits(c->length_value))
        return (struct refusal){STATUS_BAD_REQUEST, "the content length is not a number"};
    if (c->length && (!str_to_i64(c->length_value, &length) || length > body_max))
        return (struct refusal){STATUS_TOO_LARGE, "the body is larger than this server takes"};
    return (struct refusal){0, NULL};
}

struct refusal headers_check(const struct str_map *headers, bool http11, int64_t body_max)
{
    for (size_t i = 0; i < headers->n; i++) {
        if (!is_token(headers->v[i].key))
            return (struct refusal){STATUS_BAD_REQUEST, "a header name is malformed"};
        if (has_control(headers->v[i].value))
            return (struct refusal){STATUS_BAD_REQUEST, "a header value holds a control character"};
    }
    struct counts c = count(headers);
    if (c.host > 1 || (http11 && c.host == 0))
        return (struct refusal){STATUS_BAD_REQUEST, "the request needs exactly one Host header"};
    if (c.type > 1 || c.proof > 1)
        return (struct refusal){STATUS_BAD_REQUEST, "Content-Type or Authorization is given more than once"};
    return body_check(&c, body_max);
}
