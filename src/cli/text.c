// SPDX-License-Identifier: Apache-2.0
// Untrusted text on a terminal: how wide it is, and a form of it that cannot steer the terminal.
#include "cli/output.h"

enum {
    CODE_REPLACEMENT = 0xfffd,
    PRINTABLE_GROWTH = 8, // "\u{202e}" for three bytes; one byte becomes three at most
};

struct range {
    uint32_t first, last;
};

// Marks drawn over the character before them, joiners and variation selectors (Unicode 15, common scripts).
static const struct range zero_wide[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x0610, 0x061a}, {0x064b, 0x065f}, {0x06d6, 0x06dc},
    {0x093c, 0x093c}, {0x0941, 0x0948}, {0x0e31, 0x0e31}, {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e}, {0x1ab0, 0x1aff},
    {0x1dc0, 0x1dff}, {0x200b, 0x200d}, {0x20d0, 0x20f0}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xe0100, 0xe01ef}};
// East Asian Wide and Fullwidth (Unicode annex 11), and emoji.
static const struct range double_wide[] = {
    {0x1100, 0x115f}, {0x231a, 0x231b}, {0x23e9, 0x23ec}, {0x2e80, 0x303e}, {0x3041, 0x33ff}, {0x3400, 0x4dbf},
    {0x4e00, 0x9fff}, {0xa000, 0xa4cf}, {0xac00, 0xd7a3}, {0xf900, 0xfaff}, {0xfe30, 0xfe6f}, {0xff00, 0xff60},
    {0xffe0, 0xffe6}, {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};
// Marks that turn the reading direction or hide text.
static const struct range steering[] = {
    {0x0080, 0x009f}, {0x061c, 0x061c}, {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069}, {0xfeff, 0xfeff}};

static bool in_ranges(const struct range *v, size_t n, uint32_t code)
{
    for (size_t i = 0; i < n; i++) {
        if (code >= v[i].first && code <= v[i].last)
            return true;
    }
    return false;
}
#define IN(ranges, code) in_ranges((ranges), sizeof(ranges) / sizeof(ranges)[0], (code))

// Code point at the start; *step gets its bytes. A byte that is not UTF-8 counts as U+FFFD.
static uint32_t code_at(struct str s, size_t *step)
{
    static const uint8_t lead_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    size_t n = str_utf8_step(s);
    *step = n ? n : 1;
    if (n == 0)
        return CODE_REPLACEMENT;
    uint32_t code = (uint8_t)s.p[0] & lead_mask[n];
    for (size_t i = 1; i < n; i++)
        code = code << 6 | ((uint8_t)s.p[i] & 0x3f);
    return code;
}

size_t text_width(struct str s)
{
    size_t width = 0, step;
    for (size_t i = 0; i < s.n; i += step) {
        uint32_t code = code_at((struct str){s.p + i, s.n - i}, &step);
        width += IN(zero_wide, code) ? 0 : IN(double_wide, code) ? 2 : 1;
    }
    return width;
}

static bool plain(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((uint8_t)s.p[i] >= 0x7f || ((uint8_t)s.p[i] < ' ' && s.p[i] != '\t'))
            return false;
    }
    return true;
}

struct str text_printable(struct str s, struct arena *a)
{
    if (plain(s))
        return s;
    struct sbuf out;
    sbuf_init(&out, a, s.n * PRINTABLE_GROWTH + 1);
    size_t step;
    for (size_t i = 0; i < s.n; i += step) {
        struct str rest = {s.p + i, s.n - i};
        uint32_t code = code_at(rest, &step);
        if (code < ' ' && code != '\t') // U+2400 … U+241F: e2 90 80 …
            sbuf_fmt(&out, "\xe2\x90%c", (char)(0x80 + code));
        else if (code == 0x7f)
            sbuf_puts(&out, "\xe2\x90\xa1");
        else if (code == CODE_REPLACEMENT)
            sbuf_puts(&out, "\xef\xbf\xbd");
        else if (IN(steering, code))
            sbuf_fmt(&out, "\\u{%x}", code);
        else
            sbuf_put(&out, (struct str){rest.p, step});
    }
    return sbuf_str(&out);
}
