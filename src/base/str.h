// SPDX-License-Identifier: Apache-2.0
// String views: pointer and length, no ownership, no terminating NUL promised.
// Text from outside is checked to be UTF-8 once, at the border (str_utf8_valid).
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *p; // NULL means "absent", which differs from "" (p != NULL, n == 0)
    size_t n;
};

// A list of strings, as in JSON arrays of strings.
struct strs {
    struct str *v;
    size_t n;
};

// A string-to-string map in the order given, as in HTTP headers or environments.
struct str_pair {
    struct str key;
    struct str value;
};
struct str_map {
    struct str_pair *v;
    size_t n;
};

#define STR(literal) ((struct str){("" literal), sizeof(literal) - 1})
#define STR_INIT(literal) {("" literal), sizeof(literal) - 1}
#define STR_NONE ((struct str){NULL, 0})
// For printf: "%.*s", STR_ARG(s)
#define STR_ARG(s) ((int)(s).n), ((s).p ? (s).p : "")

static inline struct str str_of(const char *c) { return (struct str){c, c ? strlen(c) : 0}; }
static inline struct str str_of_n(const char *p, size_t n) { return (struct str){p, n}; }
static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool str_is(struct str a, const char *c) { return str_eq(a, str_of(c)); }

bool str_eq_nocase(struct str a, struct str b); // ASCII letters only
int str_cmp(struct str a, struct str b);        // bytewise, shorter first
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
struct str str_trim(struct str s); // ASCII white space at both ends
// Splits at the first sep: returns what is before, *rest gets what is after ({NULL,0} when none).
struct str str_split(struct str s, char sep, struct str *rest);
// Position of c, or s.n.
size_t str_find(struct str s, char c);
bool str_contains(struct str s, struct str part);
// Whole text is a decimal integer in int64 range (sign allowed, no blanks).
bool str_to_i64(struct str s, int64_t *ret);
// Whole text is well-formed UTF-8 (no surrogates, no overlong forms, ≤ U+10FFFF).
bool str_utf8_valid(struct str s);
// Bytes of the well-formed UTF-8 sequence at the start of s; 0 when s is empty or starts badly.
size_t str_utf8_step(struct str s);
// Characters (code points) of a text that is valid UTF-8.
size_t str_utf8_count(struct str s);
// Largest length ≤ max that does not cut a UTF-8 sequence.
size_t str_utf8_cut(struct str s, size_t max);
// Compares in time that depends on the lengths only; for secrets.
bool str_eq_secret(struct str a, struct str b);
// Edit distance (Levenshtein) up to 63 characters each, for "did you mean"; longer texts count as far
// apart (the longer length in bytes).
size_t str_distance(struct str a, struct str b);

#endif
