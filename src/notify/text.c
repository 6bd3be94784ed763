// SPDX-License-Identifier: Apache-2.0
// Cleaning and cutting. What is cut off is not looked at, so that a log of megabytes costs what is shown of
// it.
#include "notify/text.h"

enum {
    BYTES_PER_UNIT = 3, // at most, of clean text
    ESC = 0x1b,
    DEL = 0x7f,
    ROUNDS_MAX = 12, // of cutting to an escaped length
};
static const char ellipsis[] = "…", code_mark[] = "```";

// ---- clean ----

static uint32_t code_point(const char *p, size_t n)
{
    static const uint8_t first[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = (uint8_t)p[0] & first[n];
    for (size_t i = 1; i < n; i++)
        c = c << 6 | ((uint8_t)p[i] & 0x3f);
    return c;
}

// Characters that are not shown but change how others are.
static bool is_hidden(uint32_t c)
{
    return (c >= 0x80 && c < 0xa0) || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ||
           c == 0xfeff;
}

// Bytes of a terminal's command at the start of s: ESC [ … letter.
static size_t terminal_command(struct str s)
{
    size_t n = 1;
    if (n == s.n || s.p[n] != '[')
        return n;
    for (n++; n < s.n && s.p[n] >= ' ' && s.p[n] < '@'; n++)
        ;
    return n < s.n ? n + 1 : n;
}

// Writes the next character of s; the bytes it took.
static size_t clean_one(struct sbuf *out, struct str s)
{
    size_t n = str_utf8_step(s);
    if (n == 0) {
        sbuf_puts(out, "\xef\xbf\xbd");
        return 1;
    }
    uint32_t c = code_point(s.p, n);
    if (c == ESC)
        return terminal_command(s);
    if (c == '\r') {
        if (s.n == 1 || s.p[1] != '\n')
            sbuf_putc(out, '\n');
    } else if (c == 0x2028 || c == 0x2029) {
        sbuf_putc(out, '\n');
    } else if ((c >= ' ' && c != DEL && !is_hidden(c)) || c == '\n' || c == '\t') {
        sbuf_put(out, (struct str){s.p, n});
    }
    return n;
}

static struct str clean(struct str s, struct arena *a)
{
    struct sbuf b;
    sbuf_init(&b, a, BYTES_PER_UNIT * s.n + 1);
    sbuf_puts(&b, "");
    for (size_t at = 0; at < s.n;)
        at += clean_one(&b, (struct str){s.p + at, s.n - at});
    return sbuf_ok(&b) ? sbuf_str(&b) : STR("");
}

// ---- length ----

size_t text_units(struct str s)
{
    size_t units = 0;
    for (size_t i = 0; i < s.n; i++)
        units += ((uint8_t)s.p[i] & 0xc0) != 0x80 ? 1u + ((uint8_t)s.p[i] >= 0xf0) : 0u;
    return units;
}

// Most bytes from the start that take at most `units`; never half a character.
static size_t bytes_of(struct str s, size_t units)
{
    size_t at = 0;
    while (at < s.n) {
        size_t n = str_utf8_step((struct str){s.p + at, s.n - at}), takes = n == 4 ? 2 : 1;
        if (takes > units)
            break;
        units -= takes;
        at += n > 0 ? n : 1;
    }
    return at;
}

static struct str cut_head(struct str s, size_t units, struct arena *a)
{
    if (text_units(s) <= units)
        return s;
    size_t n = bytes_of(s, units > 0 ? units - 1 : 0);
    return units > 0 ? arena_fmt(a, "%.*s%s", (int)n, s.p, ellipsis) : STR("");
}

static struct str cut_tail(struct str s, size_t units, struct arena *a)
{
    size_t all = text_units(s);
    if (all <= units)
        return s;
    if (units == 0)
        return STR("");
    size_t skip = bytes_of(s, all - (units - 1));
    while (skip < s.n && text_units((struct str){s.p + skip, s.n - skip}) > units - 1)
        skip += str_utf8_step((struct str){s.p + skip, s.n - skip});
    return arena_fmt(a, "%s%.*s", ellipsis, (int)(s.n - skip), s.p + skip);
}

static struct str cut(struct str s, enum text_end keep, size_t units, struct arena *a)
{
    return keep == TEXT_HEAD ? cut_head(s, units, a) : cut_tail(s, units, a);
}

// Nothing that a message could show of s is beyond that many bytes: colours and controls that are dropped do
// not count.
static size_t worth_reading(struct str s, size_t units)
{
    size_t most = 2 * BYTES_PER_UNIT * units + 1;
    return s.n < most ? s.n : most;
}

struct str text_head(struct str s, size_t units, struct arena *a)
{
    if (!s.p)
        return s;
    size_t n = worth_reading(s, units);
    struct str t = clean((struct str){s.p, n == s.n ? n : str_utf8_cut(s, n)}, a);
    return cut_head(t, units, a);
}

struct str text_line(struct str s, size_t units, struct arena *a)
{
    struct str t = str_trim(text_head(s, units, a));
    char *own = t.p ? arena_cstr(a, t) : NULL;
    for (size_t i = 0; own && i < t.n; i++)
        own[i] = own[i] == '\n' || own[i] == '\t' ? ' ' : own[i];
    return own ? (struct str){own, t.n} : s.p ? STR("") : STR_NONE;
}

struct str text_tail(struct str s, size_t lines, size_t units, struct arena *a)
{
    if (!s.p)
        return s;
    size_t n = worth_reading(s, units), from = s.n - n;
    while (from > 0 && from < s.n && ((uint8_t)s.p[from] & 0xc0) == 0x80) // not into a character
        from++;
    struct str t = clean((struct str){s.p + from, s.n - from}, a);
    while (t.n > 0 && t.p[t.n - 1] == '\n')
        t.n--;
    size_t at = t.n;
    while (at > 0 && (t.p[at - 1] != '\n' || --lines > 0))
        at--;
    return cut_tail((struct str){t.p + at, t.n - at}, units, a);
}

// ---- escaped ----

static struct str escaped(struct str s, enum escape how, struct arena *a)
{
    struct sbuf b;
    sbuf_init(&b, a, a->budget);
    sbuf_puts(&b, "");
    escape_put(&b, how, s);
    return sbuf_ok(&b) ? sbuf_str(&b) : STR("");
}

struct str text_fit(struct str s, enum text_end keep, enum escape how, size_t units, struct arena *a)
{
    size_t plain = text_units(s);
    plain = plain < units ? plain : units;
    for (int round = 0; s.p && round < ROUNDS_MAX; round++) {
        struct str t = escaped(cut(s, keep, plain, a), how, a);
        size_t takes = text_units(t);
        if (takes <= units)
            return t;
        plain = plain * units / takes;
        plain -= plain > 0;
    }
    return s.p ? STR("") : s;
}

// A zero-width space between backticks: three in a row would end the block.
static struct str without_marks(struct str s, struct arena *a)
{
    struct sbuf b;
    sbuf_init(&b, a, a->budget);
    sbuf_puts(&b, "");
    for (size_t i = 0; i < s.n; i++) {
        sbuf_putc(&b, s.p[i]);
        if (s.p[i] == '`')
            sbuf_puts(&b, "\xe2\x80\x8b");
    }
    return sbuf_ok(&b) ? sbuf_str(&b) : STR("");
}

struct str text_code(struct str s, enum text_end keep, enum escape how, size_t units, struct arena *a)
{
    enum { MARKS = 2 * (sizeof code_mark - 1) + 2 };
    struct str safe = without_marks(cut(s, keep, units, a), a);
    struct str t = text_fit(safe, keep, how, units > MARKS ? units - MARKS : 0, a);
    return arena_fmt(a, "%s\n%.*s\n%s", code_mark, STR_ARG(t), code_mark);
}

// ---- JSON ----

void text_comma(struct sbuf *out)
{
    if (out->n > 0 && !strchr("{[", out->p[out->n - 1]))
        sbuf_putc(out, ',');
}

void text_key(struct sbuf *out, const char *name)
{
    text_comma(out);
    sbuf_fmt(out, "\"%s\":", name);
}

void text_member(struct sbuf *out, const char *name, struct str value)
{
    if (value.n == 0)
        return;
    text_key(out, name);
    sbuf_json(out, value);
}

// ---- times ----

void text_time(struct sbuf *out, struct zones *zones, struct str zone, struct instant t)
{
    struct zone *z = NULL;
    struct err err;
    int64_t s = t.us / US_PER_S;
    struct zone_span span = {.abbr = "UTC"};
    if (zones && zone.n > 0 && zones_get(zones, zone, &z, &err))
        span = zone_span_at(z, s, NULL);
    struct civil c = civil_from_s(s + span.offset_s);
    sbuf_fmt(out, "%04d-%02d-%02d %02d:%02d:%02d %s", c.year, c.month, c.day, c.hour, c.minute, c.second,
             span.abbr);
    zone_unref(z);
}
