// SPDX-License-Identifier: Apache-2.0
// Identifiers: ULID (github.com/ulid/spec): 48 bits of milliseconds, 80 bits of chance, 26 characters
// of Crockford base 32. Sorts by time, bytewise and as text.
#ifndef BASE_ULID_H
#define BASE_ULID_H

#include "base/rng.h"
#include "base/str.h"
#include "base/time.h"

struct ulid { uint8_t b[16]; };

enum { ULID_TEXT_LEN = 26, ULID_TEXT_MAX = 27 };
#define ULID_ZERO ((struct ulid){{0}})

// A new identifier from the instant and the generator. Thread-safe when the rng is the caller's own.
struct ulid ulid_new(struct instant t, struct rng *rng);
// An identifier that is a pure function of its inputs: the time part is t in ms, the other 80 bits a keyed
// hash (SipHash-2-4-128) of the bytes. The same inputs give the same identifier on every node.
struct ulid ulid_derive(struct instant t, const uint8_t key[static 16], const void *bytes, size_t n);
// Accepts both letter cases; false when it is not one.
bool ulid_parse(struct str s, struct ulid *ret);
const char *ulid_format(struct ulid id, char buf[static ULID_TEXT_MAX]); // returns buf, NUL-terminated
struct instant ulid_time(struct ulid id);
static inline int ulid_cmp(struct ulid a, struct ulid b) { return memcmp(a.b, b.b, 16); }
static inline bool ulid_eq(struct ulid a, struct ulid b) { return ulid_cmp(a, b) == 0; }
static inline bool ulid_is_zero(struct ulid a) { return ulid_eq(a, ULID_ZERO); }

#endif
