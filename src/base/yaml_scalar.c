// SPDX-License-Identifier: Apache-2.0
// Tag resolution of the YAML 1.2.2 core schema (§10.3.2): only these spellings are not strings, so
// "yes", "no", "on" and 12:30 are text, unlike in YAML 1.1.
#include "base/yaml_scalar.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { REAL_TEXT_MAX = 400, BITS_OCTAL = 3, BITS_HEX = 4 };

static bool is_any(struct str s, const char *const words[])
{
    for (; *words; words++)
        if (str_is(s, *words))
            return true;
    return false;
}

static size_t digits_at(struct str s, size_t i)
{
    size_t n = 0;
    while (i + n < s.n && s.p[i + n] >= '0' && s.p[i + n] <= '9')
        n++;
    return n;
}

// [-+]? [0-9]+
static bool is_int(struct str s)
{
    size_t sign = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+');
    return s.n > sign && digits_at(s, sign) == s.n - sign;
}

// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
static bool is_float(struct str s)
{
    size_t i = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+');
    size_t before = digits_at(s, i), after = 0;
    i += before;
    if (i < s.n && s.p[i] == '.') {
        after = digits_at(s, i + 1);
        i += 1 + after;
    }
    if (before + after == 0)
        return false;
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        i++;
        i += i < s.n && (s.p[i] == '-' || s.p[i] == '+');
        size_t exponent = digits_at(s, i);
        if (exponent == 0)
            return false;
        i += exponent;
    }
    return i == s.n;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : INT32_MAX;
}

// 0o17 or 0x1F: *ret_is says whether the text is one, the result whether it fits.
static bool based_int(struct str s, bool *ret_is, int64_t *ret)
{
    bool octal = str_starts(s, STR("0o"));
    *ret_is = s.n > 2 && (octal || str_starts(s, STR("0x")));
    int bits = octal ? BITS_OCTAL : BITS_HEX;
    bool fits = true;
    uint64_t v = 0;
    for (size_t i = 2; i < s.n && *ret_is; i++) {
        int digit = hex_value(s.p[i]);
        *ret_is = digit < 1 << bits;
        fits = fits && v >> (63 - bits) == 0;
        v = v << bits | (unsigned)digit;
    }
    *ret = (int64_t)v;
    return fits;
}

static json_t *integer(bool fits, int64_t v, const char **ret_wrong)
{
    if (!fits) {
        *ret_wrong = "an integer has more than 64 bits: put it in quotes";
        return NULL;
    }
    return json_integer(v);
}

static json_t *real(struct str s, const char **ret_wrong)
{
    char text[REAL_TEXT_MAX];
    if (s.n >= sizeof text) {
        *ret_wrong = "a number has too many digits";
        return NULL;
    }
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    double v = strtod(text, NULL);
    if (!isfinite(v)) {
        *ret_wrong = "a number is too large";
        return NULL;
    }
    return json_real(v);
}

json_t *yaml_resolve(struct str s, const char **ret_wrong)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    static const char *const not_finite[] = {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf",
                                             "-.Inf", "-.INF", ".nan", ".NaN", ".NAN", NULL};
    int64_t v = 0;
    bool based;
    if (is_any(s, nulls))
        return json_null();
    if (is_any(s, trues))
        return json_true();
    if (is_any(s, falses))
        return json_false();
    if (is_any(s, not_finite)) {
        *ret_wrong = "infinity and NaN are not supported";
        return NULL;
    }
    bool fits = based_int(s, &based, &v);
    if (based)
        return integer(fits, v, ret_wrong);
    if (is_int(s)) {
        fits = str_to_i64(s, &v);
        return integer(fits, v, ret_wrong);
    }
    if (is_float(s))
        return real(s, ret_wrong);
    return yaml_string(s, ret_wrong);
}

json_t *yaml_string(struct str s, const char **ret_wrong)
{
    if (str_find(s, '\0') < s.n) {
        *ret_wrong = "strings may not hold NUL";
        return NULL;
    }
    json_t *v = json_stringn(s.p, s.n);
    if (!v)
        *ret_wrong = "the text is not UTF-8";
    return v;
}
