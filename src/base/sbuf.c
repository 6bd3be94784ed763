// SPDX-License-Identifier: Apache-2.0
// String builder: grows by doubling inside its arena or on the heap and never past its limit.
// A put that does not fit is dropped whole and marks the buffer; later puts are dropped too, so that
// a cut text is never mistaken for a complete one.
#include "base/sbuf.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { SBUF_FIRST = 128, NUMBER_MAX = 40 };

void sbuf_init(struct sbuf *b, struct arena *a, size_t max)
{
    *b = (struct sbuf){.a = a, .max = max};
}

void sbuf_release(struct sbuf *b)
{
    if (!b->a)
        free(b->p);
    *b = (struct sbuf){.a = b->a, .max = b->max};
}

void sbuf_clear(struct sbuf *b)
{
    b->n = 0;
    b->overflow = false;
    if (b->p)
        b->p[0] = '\0';
}

// Makes the capacity more than n + extra (room for the NUL), or marks the overflow.
static bool grow(struct sbuf *b, size_t extra)
{
    if (b->overflow || b->n > b->max || extra > b->max - b->n) {
        b->overflow = true;
        return false;
    }
    size_t cap = b->cap ? b->cap * 2 : SBUF_FIRST;
    if (cap < b->n + extra + 1)
        cap = b->n + extra + 1;
    if (cap - 1 > b->max)
        cap = b->max + 1;
    char *p = b->a ? arena_alloc(b->a, cap) : realloc(b->p, cap);
    if (!p) {
        b->overflow = true;
        return false;
    }
    if (b->a && b->n > 0)
        memcpy(p, b->p, b->n);
    b->p = p;
    b->cap = cap;
    return true;
}

// Where extra bytes may be written, or NULL. The caller moves b->n and ends with a NUL.
static inline char *room(struct sbuf *b, size_t extra)
{
    if (!b->overflow && extra < b->cap - b->n)
        return b->p + b->n;
    return grow(b, extra) ? b->p + b->n : NULL;
}

static void put(struct sbuf *b, const char *p, size_t n)
{
    char *to = room(b, n);
    if (!to)
        return;
    if (n > 0)
        memcpy(to, p, n);
    b->n += n;
    b->p[b->n] = '\0';
}

void sbuf_put(struct sbuf *b, struct str s)
{
    put(b, s.p, s.n);
}

void sbuf_putc(struct sbuf *b, char c)
{
    char *to = room(b, 1);
    if (!to)
        return;
    to[0] = c;
    to[1] = '\0';
    b->n++;
}

void sbuf_puts(struct sbuf *b, const char *c)
{
    put(b, c, strlen(c));
}

void sbuf_i64(struct sbuf *b, int64_t v)
{
    char text[NUMBER_MAX], *p = text + sizeof text;
    uint64_t left = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do {
        *--p = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (v < 0)
        *--p = '-';
    put(b, p, (size_t)(text + sizeof text - p));
}

void sbuf_f64(struct sbuf *b, double v)
{
    enum { DIGITS_SAFE = 15, DIGITS_EXACT = 17 }; // DBL_DIG; DBL_DECIMAL_DIG
    if (!isfinite(v)) {
        sbuf_puts(b, "null");
        return;
    }
    char text[NUMBER_MAX];
    for (int digits = DIGITS_SAFE; digits <= DIGITS_EXACT; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    sbuf_puts(b, text);
    if (!strpbrk(text, ".e"))
        sbuf_puts(b, ".0");
}

void sbuf_fmt(struct sbuf *b, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *to = n < 0 ? NULL : room(b, (size_t)n);
    if (to) {
        (void)vsnprintf(to, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    } else {
        b->overflow = true;
    }
    va_end(again);
}

// Bytes that may stand in a JSON string as they are.
static inline bool plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

static void json_escape_ascii(struct sbuf *b, unsigned char c)
{
    static const char letters[] = "btn.fr"; // U+0008 to U+000D; U+000B has no letter
    if (c == '"' || c == '\\') {
        put(b, (const char[]){'\\', (char)c}, 2);
    } else if (c >= '\b' && c <= '\r' && c != '\v') {
        put(b, (const char[]){'\\', letters[c - '\b']}, 2);
    } else {
        sbuf_fmt(b, "\\u%04x", c);
    }
}

// Code points that are valid in JSON but break what often reads it: C1 controls (terminals), the line
// separators (JavaScript before 2019), the byte order mark and non-characters (YAML readers).
static bool is_awkward(uint32_t cp)
{
    return cp < 0xA0 || cp == 0x2028 || cp == 0x2029 || cp == 0xFEFF || cp == 0xFFFE || cp == 0xFFFF;
}

// One character that is not plain ASCII; returns the bytes taken.
static size_t json_character(struct sbuf *b, struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    if (p[0] < 0x80) {
        json_escape_ascii(b, p[0]);
        return 1;
    }
    size_t len = str_utf8_step(s);
    if (len == 0) {
        sbuf_puts(b, "\xEF\xBF\xBD"); // U+FFFD
        return 1;
    }
    uint32_t cp = 0x10000; // all 4-byte sequences are fine
    if (len == 2)
        cp = (uint32_t)(p[0] & 0x1F) << 6 | (p[1] & 0x3F);
    else if (len == 3)
        cp = (uint32_t)(p[0] & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F);
    if (is_awkward(cp))
        sbuf_fmt(b, "\\u%04x", (unsigned)cp);
    else
        put(b, s.p, len);
    return len;
}

void sbuf_json(struct sbuf *b, struct str s)
{
    sbuf_putc(b, '"');
    size_t i = 0;
    while (i < s.n && !b->overflow) {
        size_t start = i;
        while (i < s.n && plain((unsigned char)s.p[i]))
            i++;
        if (i > start)
            put(b, s.p + start, i - start);
        if (i < s.n)
            i += json_character(b, (struct str){s.p + i, s.n - i});
    }
    sbuf_putc(b, '"');
}

void sbuf_url(struct sbuf *b, struct str s)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.n && !b->overflow; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                          c == '-' || c == '.' || c == '_' || c == '~';
        if (unreserved)
            sbuf_putc(b, (char)c);
        else
            put(b, (const char[]){'%', hex[c >> 4], hex[c & 0xF]}, 3);
    }
}

void sbuf_duration(struct sbuf *b, int64_t ms)
{
    static const struct { int64_t ms; const char *name; } units[] = {
        {86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}};
    const size_t last = sizeof units / sizeof units[0] - 1;
    size_t i = 0;
    if (ms < 0) {
        sbuf_putc(b, '-');
        ms = ms == INT64_MIN ? INT64_MAX : -ms;
    }
    while (i <= last && ms < units[i].ms)
        i++;
    if (i > last)
        sbuf_fmt(b, "%lld ms", (long long)ms);
    else if (i == last)
        sbuf_fmt(b, "%lld.%lld s", (long long)(ms / 1000), (long long)(ms % 1000 / 100));
    else
        sbuf_fmt(b, "%lld %s %lld %s", (long long)(ms / units[i].ms), units[i].name,
                 (long long)(ms % units[i].ms / units[i + 1].ms), units[i + 1].name);
}
