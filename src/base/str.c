// SPDX-License-Identifier: Apache-2.0
// String views: comparing, cutting, UTF-8 checks and the edit distance. Nothing here allocates.
#include "base/str.h"

#include <sodium.h>

enum { DISTANCE_MAX = 63 }; // characters of one side of str_distance

static char ascii_lower(char c)
{
    return (c >= 'A' && c <= 'Z') ? (char)(c + ('a' - 'A')) : c;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
            return false;
    return true;
}

int str_cmp(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    if (order != 0)
        return order;
    return (a.n > b.n) - (a.n < b.n);
}

bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && str_eq((struct str){s.p, prefix.n}, prefix);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.n >= suffix.n &&
           (suffix.n == 0 || str_eq((struct str){s.p + (s.n - suffix.n), suffix.n}, suffix));
}

struct str str_trim(struct str s)
{
    while (s.n > 0 && is_space(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

struct str str_split(struct str s, char sep, struct str *rest)
{
    size_t at = str_find(s, sep);
    *rest = at < s.n ? (struct str){s.p + at + 1, s.n - at - 1} : STR_NONE;
    return (struct str){s.p, at};
}

size_t str_find(struct str s, char c)
{
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
    return at ? (size_t)(at - s.p) : s.n;
}

bool str_contains(struct str s, struct str part)
{
    return part.n == 0 || (s.n >= part.n && memmem(s.p, s.n, part.p, part.n) != NULL);
}

bool str_to_i64(struct str s, int64_t *ret)
{
    bool negative = s.n > 0 && s.p[0] == '-';
    size_t i = (negative || (s.n > 0 && s.p[0] == '+')) ? 1 : 0;
    if (i == s.n)
        return false;
    int64_t v = 0; // kept negative: INT64_MIN has no positive twin
    for (; i < s.n; i++) {
        int digit = s.p[i] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(v, 10, &v) ||
            __builtin_sub_overflow(v, digit, &v))
            return false;
    }
    if (!negative && v == INT64_MIN)
        return false;
    *ret = negative ? v : -v;
    return true;
}

// Table 3-7 of the Unicode standard: only the second byte has limits that depend on the first.
size_t str_utf8_step(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    if (s.n == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 0;
    size_t len = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (s.n < len)
        return 0;
    unsigned char low = p[0] == 0xE0 ? 0xA0 : p[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char high = p[0] == 0xED ? 0x9F : p[0] == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if (p[i] < 0x80 || p[i] > 0xBF)
            return 0;
    return len;
}

bool str_utf8_valid(struct str s)
{
    while (s.n > 0) {
        size_t len = str_utf8_step(s);
        if (len == 0)
            return false;
        s.p += len;
        s.n -= len;
    }
    return true;
}

size_t str_utf8_count(struct str s)
{
    size_t count = 0;
    for (size_t i = 0; i < s.n; i++)
        count += ((unsigned char)s.p[i] & 0xC0) != 0x80; // every byte that is not a continuation
    return count;
}

size_t str_utf8_cut(struct str s, size_t max)
{
    if (s.n <= max)
        return s.n;
    size_t cut = max;
    while (cut > 0 && max - cut < 3 && ((unsigned char)s.p[cut] & 0xC0) == 0x80)
        cut--;
    return cut;
}

bool str_eq_secret(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || sodium_memcmp(a.p, b.p, a.n) == 0);
}

// Splits into characters; a byte that is not UTF-8 counts as one. False when there are too many.
static bool characters(struct str s, struct str out[DISTANCE_MAX], size_t *ret_n)
{
    size_t n = 0;
    while (s.n > 0) {
        if (n == DISTANCE_MAX)
            return false;
        size_t len = str_utf8_step(s);
        if (len == 0)
            len = 1;
        out[n++] = (struct str){s.p, len};
        s.p += len;
        s.n -= len;
    }
    *ret_n = n;
    return true;
}

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

// Wagner and Fischer 1974, keeping one row of the table.
size_t str_distance(struct str a, struct str b)
{
    struct str ca[DISTANCE_MAX], cb[DISTANCE_MAX];
    size_t na = 0, nb = 0, row[DISTANCE_MAX + 1];
    if (!characters(a, ca, &na) || !characters(b, cb, &nb))
        return a.n > b.n ? a.n : b.n;
    for (size_t j = 0; j <= nb; j++)
        row[j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t above = row[j];
            size_t change = diagonal + (str_eq(ca[i - 1], cb[j - 1]) ? 0 : 1);
            row[j] = min3(above + 1, row[j - 1] + 1, change);
            diagonal = above;
        }
    }
    return row[nb];
}
