// SPDX-License-Identifier: Apache-2.0
// What handlers ask of a request and put into a response. Free of the HTTP library.
#include "base/log.h"
#include "httpd/httpd.h"
#include "httpd/target.h"

enum { HEADERS_FIRST = 8 };

struct str httpd_header(const struct httpd_request *r, const char *name)
{
    for (size_t i = 0; i < r->headers->n; i++)
        if (str_is(r->headers->v[i].key, name))
            return r->headers->v[i].value;
    return STR_NONE;
}

struct str httpd_query(const struct httpd_request *r, const char *name)
{
    for (struct str rest = r->query; rest.p;) {
        struct str after, value, key = str_split(str_split(rest, '&', &after), '=', &value);
        if (str_is(percent_decode(key, true, r->a), name))
            return value.p ? percent_decode(value, true, r->a) : STR("");
        rest = after;
    }
    return STR_NONE;
}

static bool header_value_safe(struct str value)
{
    for (size_t i = 0; i < value.n; i++)
        if (((unsigned char)value.p[i] < ' ' && value.p[i] != '\t') || value.p[i] == '\x7f')
            return false;
    return true;
}

// Arrays grow by doubling at powers of two; the count alone tells how much room there is.
static bool map_grow(struct str_map *m, struct arena *a)
{
    if (m->n > 0 && (m->n < HEADERS_FIRST || (m->n & (m->n - 1)) != 0))
        return true;
    struct str_pair *v = arena_new_array(a, struct str_pair, m->n ? m->n * 2 : HEADERS_FIRST);
    if (!v)
        return false;
    if (m->n > 0)
        memcpy(v, m->v, m->n * sizeof *v);
    m->v = v;
    return true;
}

void httpd_response_header(struct httpd_response *r, struct arena *a, const char *name, struct str value)
{
    // A response split by a line end in a value would be worse than a missing header, and an abort would
    // let whoever found the way to put one there stop the server.
    if (!header_value_safe(value)) {
        LOG_ERROR("response header dropped: control character in its value", LOG_CSTR("header", name));
        return;
    }
    struct str key = arena_str(a, str_of(name)), copy = arena_str(a, value);
    if (!key.p || !copy.p || !map_grow(&r->headers, a))
        return; // the arena is exhausted, which the handler is told when it writes its body
    r->headers.v[r->headers.n++] = (struct str_pair){key, copy};
}
