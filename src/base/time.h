// SPDX-License-Identifier: Apache-2.0
// Instants, monotonic moments and durations are three types that do not mix.
// All count microseconds. No function here reads a clock (base/clock.h does).
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct instant { int64_t us; };  // since 1970-01-01T00:00:00Z, leap seconds not counted
struct mono { int64_t us; };     // since some fixed moment of this process
struct duration { int64_t us; };

#define US_PER_MS INT64_C(1000)
#define US_PER_S INT64_C(1000000)
#define S_PER_DAY INT64_C(86400)
#define INSTANT_NEVER ((struct instant){INT64_MAX}) // no such instant; sorts after all others

static inline struct duration duration_ms(int64_t ms) { return (struct duration){ms * US_PER_MS}; }
static inline struct duration duration_s(int64_t s) { return (struct duration){s * US_PER_S}; }
static inline struct instant instant_s(int64_t s) { return (struct instant){s * US_PER_S}; }
static inline bool instant_is_never(struct instant t) { return t.us == INT64_MAX; }
// Saturating: never + d = never.
struct instant instant_add(struct instant t, struct duration d);
static inline struct duration instant_since(struct instant a, struct instant b)
{
    return (struct duration){a.us - b.us};
}
struct mono mono_add(struct mono t, struct duration d);
static inline struct duration mono_since(struct mono a, struct mono b)
{
    return (struct duration){a.us - b.us};
}

// Proleptic Gregorian calendar (days since 1970-01-01; Howard Hinnant's civil algorithms).
struct civil { int32_t year, month, day, hour, minute, second; }; // month 1–12, day 1–31
int64_t civil_to_days(int32_t year, int32_t month, int32_t day);
int64_t civil_to_s(struct civil c);      // as if UTC
struct civil civil_from_s(int64_t s);    // as if UTC
int32_t civil_weekday(int64_t days);     // 0 = Sunday
int32_t civil_month_days(int32_t year, int32_t month);

// RFC 3339 with offset or Z, any fraction (kept to µs); years 1970–9999.
bool instant_parse(struct str s, struct instant *ret, struct err *err)
    __attribute__((warn_unused_result));
enum { INSTANT_TEXT_MAX = 40 };
// UTC with milliseconds: 2026-11-23T14:05:09.123Z. Returns buf.
const char *instant_format(struct instant t, char buf[static INSTANT_TEXT_MAX]);
// With the given offset and no fraction unless needed: 2026-11-23T15:05:09+01:00.
const char *instant_format_offset(struct instant t, int32_t offset_s,
                                  char buf[static INSTANT_TEXT_MAX]);

#endif
