// SPDX-License-Identifier: Apache-2.0
// String builder with a limit. Lives in an arena, or on the heap for long-lived buffers.
// Past the limit or the arena's budget it stops growing and remembers: check sbuf_ok once at the end.
#ifndef BASE_SBUF_H
#define BASE_SBUF_H

#include "base/arena.h"
#include "base/str.h"

struct sbuf {
    struct arena *a; // NULL: heap
    char *p;         // always NUL-terminated once something was put
    size_t n, cap, max;
    bool overflow;
};

void sbuf_init(struct sbuf *b, struct arena *a, size_t max); // a may be NULL: heap, needs sbuf_release
void sbuf_release(struct sbuf *b);
void sbuf_clear(struct sbuf *b); // empty again, keeps its memory
static inline bool sbuf_ok(const struct sbuf *b) { return !b->overflow; }
static inline struct str sbuf_str(const struct sbuf *b) { return (struct str){b->p ? b->p : "", b->n}; }

void sbuf_put(struct sbuf *b, struct str s);
void sbuf_putc(struct sbuf *b, char c);
void sbuf_puts(struct sbuf *b, const char *c);
void sbuf_i64(struct sbuf *b, int64_t v);
// Shortest decimal that reads back as the same double, always with a point or an exponent; null when it
// is not finite.
void sbuf_f64(struct sbuf *b, double v);
void sbuf_fmt(struct sbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// A JSON string with quotes: control characters, quotes, backslash, U+2028/2029 escaped;
// bytes that are not UTF-8 become U+FFFD.
void sbuf_json(struct sbuf *b, struct str s);
// Percent-encodes everything except unreserved characters of RFC 3986.
void sbuf_url(struct sbuf *b, struct str s);
// Milliseconds as people read them, in its two largest units: "850 ms", "12.3 s", "2 h 5 min", "3 d 4 h".
void sbuf_duration(struct sbuf *b, int64_t ms);

#endif
