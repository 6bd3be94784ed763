// SPDX-License-Identifier: Apache-2.0
// Strict on purpose: whatever a proxy in front might read in another way (dot segments, double and encoded
// slashes, backslashes, control characters) is refused instead of repaired.
#include "httpd/target.h"

enum { HEX_BAD = -1, ESCAPE_LEN = 3, DEL = 0x7f };

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return HEX_BAD;
}

struct str percent_decode(struct str s, bool plus, struct arena *a)
{
    char *out = arena_alloc(a, s.n + 1);
    if (!out)
        return STR_NONE;
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%') {
            int high = i + 2 < s.n ? hex_value(s.p[i + 1]) : HEX_BAD;
            int low = i + 2 < s.n ? hex_value(s.p[i + 2]) : HEX_BAD;
            if (high < 0 || low < 0)
                return STR_NONE;
            c = (char)(high << 4 | low);
            i += ESCAPE_LEN - 1;
        } else if (plus && c == '+') {
            c = ' ';
        }
        out[n++] = c;
    }
    return str_of_n(out, n);
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == DEL)
            return true;
    return false;
}

static const char *path_check(struct str path)
{
    if (has_control(path))
        return "the path holds a control character";
    if (str_find(path, '\\') < path.n)
        return "the path holds a backslash";
    if (!str_utf8_valid(path))
        return "the path is not UTF-8";
    for (struct str rest = str_of_n(path.p + 1, path.n - 1); rest.p;) {
        struct str after, segment = str_split(rest, '/', &after);
        if (str_is(segment, ".") || str_is(segment, "..") || (segment.n == 0 && after.p))
            return "the path holds \"//\", \"/./\" or \"/../\"";
        rest = after;
    }
    return NULL;
}

static bool has_encoded_slash(struct str raw)
{
    for (size_t i = 0; i + 2 < raw.n; i++)
        if (raw.p[i] == '%' && raw.p[i + 1] == '2' && (raw.p[i + 2] | ' ') == 'f')
            return true;
    return false;
}

static const char *query_check(struct str query, struct arena *a)
{
    struct str decoded = percent_decode(query, true, a);
    if (!decoded.p)
        return "the query holds a bad percent escape";
    return str_utf8_valid(decoded) ? NULL : "the query is not UTF-8";
}

// "http://host:1/x" → "/x"; an authority without a path means "/".
static struct str origin_form(struct str raw)
{
    if (!str_starts(raw, STR("http://")) && !str_starts(raw, STR("https://")))
        return raw;
    size_t at = str_find(raw, ':') + sizeof("://") - 1;
    struct str rest = str_of_n(raw.p + at, raw.n - at);
    size_t slash = str_find(rest, '/');
    return slash < rest.n ? str_of_n(rest.p + slash, rest.n - slash) : STR("/");
}

const char *target_parse(struct str raw, bool options, struct str *ret_path, struct str *ret_query,
                         struct arena *a)
{
    if (options && str_is(raw, "*")) {
        *ret_path = raw;
        *ret_query = STR_NONE;
        return NULL;
    }
    if (has_control(raw) || str_find(raw, ' ') < raw.n || str_find(raw, '#') < raw.n)
        return "the request target holds a blank, a control character or \"#\"";
    struct str query, encoded = str_split(origin_form(raw), '?', &query);
    if (encoded.n == 0 || encoded.p[0] != '/')
        return "the request target is not a path that begins with \"/\"";
    if (has_encoded_slash(encoded))
        return "the path holds an encoded slash";
    struct str path = percent_decode(encoded, false, a);
    if (!path.p)
        return "the path holds a bad percent escape";
    const char *bad = path_check(path);
    if (!bad && query.p)
        bad = query_check(query, a);
    if (bad)
        return bad;
    *ret_path = path;
    *ret_query = query;
    return NULL;
}
