// SPDX-License-Identifier: Apache-2.0
// Matching one form of a secret, unit by unit: a unit is what stands for one or more bytes of the secret.
#include "jobs/mask_form.h"

#include <ctype.h>

// A unit at the beginning of the text: how much of the text and of the form it takes. text 0: it is another
// one; text −1: the text ends within it.
struct unit {
    ptrdiff_t text;
    size_t form;
};
static const struct unit other = {0, 0}, cut = {-1, 0};

enum { HEX_DIGIT_BITS = 4, ENTITY_MAX = 10, UTF8_MAX = 4, CODE_MAX = 0x10ffff, U_DIGITS = 4 };

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    int lower = tolower((unsigned char)c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// n hex digits: 1 with the number, 0 when others stand there, −1 when the text ends.
static int number(struct str text, size_t n, unsigned *ret)
{
    *ret = 0;
    for (size_t i = 0; i < n; i++) {
        int d = i < text.n ? digit(text.p[i]) : 0;
        if (i == text.n)
            return -1;
        if (d < 0)
            return 0;
        *ret = *ret << HEX_DIGIT_BITS | (unsigned)d;
    }
    return 1;
}

static struct str rest_of(struct str s, size_t n) { return (struct str){s.p + n, s.n - n}; }

static size_t utf8_put(unsigned code, char out[static UTF8_MAX])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const uint8_t heads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)(heads[n] | code);
    return n;
}

// A unit of so much text that stands for a character of the secret.
static struct unit character(unsigned code, size_t text_n, struct str form)
{
    char bytes[UTF8_MAX];
    if (code > CODE_MAX)
        return other;
    size_t n = utf8_put(code, bytes);
    return n <= form.n && memcmp(bytes, form.p, n) == 0 ? (struct unit){(ptrdiff_t)text_n, n} : other;
}

static struct unit percent(struct str text, struct str form)
{
    unsigned byte;
    int found = number(rest_of(text, 1), 2, &byte);
    if (found < 0)
        return cut;
    return found && (char)byte == form.p[0] ? (struct unit){3, 1} : other;
}

static struct unit entity(struct str text, struct str form)
{
    static const struct {
        const char *name;
        char c;
    } names[] = {
        {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''},
    };
    size_t end = str_find(text, ';');
    if (end == text.n)
        return text.n < ENTITY_MAX ? cut : other;
    struct str whole = {text.p, end + 1};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (str_is(whole, names[i].name))
            return names[i].c == form.p[0] ? (struct unit){(ptrdiff_t)whole.n, 1} : other;
    unsigned code = 0;
    bool hex = whole.n > 3 && tolower((unsigned char)whole.p[2]) == 'x';
    if (whole.n < 4 || whole.n > ENTITY_MAX || whole.p[1] != '#')
        return other;
    for (size_t i = hex ? 3 : 2; i < end; i++) {
        int d = digit(whole.p[i]);
        if (d < 0 || (!hex && d > 9))
            return other;
        code = code * (hex ? 16 : 10) + (unsigned)d;
    }
    return character(code, whole.n, form);
}

// Behind \u: four digits, perhaps the first half of a pair.
static struct unit unicode(struct str text, size_t at, size_t slashes, struct str form)
{
    unsigned code, low;
    int found = number(rest_of(text, at), U_DIGITS, &code);
    if (found <= 0)
        return found < 0 ? cut : other;
    at += U_DIGITS;
    if (code < 0xd800 || code > 0xdbff)
        return character(code, at, form);
    size_t second = at + slashes + 1;
    if (second > text.n)
        return cut;
    found = number(rest_of(text, second), U_DIGITS, &low);
    if (found <= 0)
        return found < 0 ? cut : other;
    return character(0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff), second + U_DIGITS, form);
}

static size_t slashes_of(struct str s)
{
    size_t n = 0;
    while (n < s.n && s.p[n] == '\\')
        n++;
    return n;
}

// One backslash or more: texts are escaped again when they are put into texts.
static struct unit escape(struct str text, struct str form)
{
    static const char letters[] = "bfnrtav0e", bytes[] = "\b\f\n\r\t\a\v\0\033";
    size_t n = slashes_of(text), own = slashes_of(form);
    if (own > 0)
        return n >= own ? (struct unit){(ptrdiff_t)n, own} : n == text.n ? cut : other;
    if (n == text.n)
        return cut;
    char c = text.p[n];
    if (c == 'u')
        return unicode(text, n + 1, n, form);
    unsigned byte;
    int found = c == 'x' ? number(rest_of(text, n + 1), 2, &byte) : 0;
    if (found < 0)
        return cut;
    if (found)
        return (char)byte == form.p[0] ? (struct unit){(ptrdiff_t)n + 3, 1} : other;
    const char *letter = memchr(letters, c, sizeof letters - 1);
    bool same =
        (letter && bytes[letter - letters] == form.p[0]) || (c == form.p[0] && !isalnum((unsigned char)c));
    return same ? (struct unit){(ptrdiff_t)n + 1, 1} : other;
}

static struct unit plain_unit(struct str text, struct str form)
{
    struct unit u = other;
    char c = text.p[0];
    if (c == '%')
        u = percent(text, form);
    else if (c == '\\')
        u = escape(text, form);
    else if (c == '&')
        u = entity(text, form);
    if (u.text <= 0 && (c == form.p[0] || (c == '+' && form.p[0] == ' ')))
        return (struct unit){1, 1};
    return u;
}

static struct unit hex_unit(struct str text, struct str form, bool first)
{
    unsigned byte;
    size_t gap = !first && memchr(" :-", text.p[0], 3) ? 1 : 0;
    int found = number(rest_of(text, gap), 2, &byte);
    if (found < 0)
        return cut;
    return found && (char)byte == form.p[0] ? (struct unit){(ptrdiff_t)gap + 2, 1} : other;
}

static char usual(char c) { return c == '-' ? '+' : c == '_' ? '/' : c; }

static struct unit base64_unit(struct str text, struct str form, bool first)
{
    char c = text.p[0];
    unsigned byte;
    if (usual(c) == form.p[0])
        return (struct unit){1, 1};
    if (!first && (c == '\n' || c == '\r'))
        return (struct unit){1, 0};
    if (c == '%') {
        int found = number(rest_of(text, 1), 2, &byte);
        return found < 0 ? cut : found && (char)byte == form.p[0] ? (struct unit){3, 1} : other;
    }
    if (c != '\\')
        return other;
    size_t n = slashes_of(text);
    if (n == text.n)
        return cut;
    if (text.p[n] == form.p[0] && form.p[0] == '/')
        return (struct unit){(ptrdiff_t)n + 1, 1};
    return !first && (text.p[n] == 'n' || text.p[n] == 'r') ? (struct unit){(ptrdiff_t)n + 1, 0} : other;
}

int form_match(const struct form *f, struct str text, size_t *ret_n, size_t *steps)
{
    size_t at = 0, done = 0;
    while (done < f->bytes.n) {
        struct str left = rest_of(text, at), want = rest_of(f->bytes, done);
        struct unit u = cut;
        ++*steps;
        if (left.n > 0)
            u = f->kind == FORM_PLAIN ? plain_unit(left, want)
                : f->kind == FORM_HEX ? hex_unit(left, want, done == 0)
                                      : base64_unit(left, want, done == 0);
        if (u.text == 0)
            return FORM_NONE;
        *ret_n = done;
        if (u.text < 0)
            return FORM_PART;
        *ret_n = at += (size_t)u.text;
        done += u.form;
    }
    return FORM_WHOLE;
}

bool form_begins(const struct form *f, char c)
{
    char first = f->bytes.p[0];
    if (f->kind == FORM_HEX)
        return digit(c) == ((unsigned char)first >> HEX_DIGIT_BITS);
    if (c == '%' || c == '\\')
        return true;
    if (f->kind == FORM_BASE64)
        return usual(c) == first;
    return c == first || c == '&' || (c == '+' && first == ' ');
}
