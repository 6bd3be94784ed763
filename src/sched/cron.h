// SPDX-License-Identifier: Apache-2.0
// Cron expressions: text in, bit masks out. docs/reference and semantics.md §2 hold the grammar.
//
// 5 fields (minute hour day month weekday), 6 (seconds first) or 7 (year last), or a macro such as
// "@daily". struct cron is a plain value of 88 bytes: copy it, share it, compare nothing in it.
// Parsing is linear in the length and allocates nothing.
#ifndef SCHED_CRON_H
#define SCHED_CRON_H

#include "base/err.h"
#include "model/schedule.h"

enum { CRON_YEAR_MIN = 1970, CRON_YEAR_MAX = 2199, CRON_YEAR_WORDS = 4 };

enum {
    CRON_DOM_ANY = 1 << 0, // day of month is exactly "*" or "?"
    CRON_DOW_ANY = 1 << 1, // weekday is exactly "*" or "?"
    CRON_BOTH = 1 << 2,    // both day fields must match (AND); else either
    CRON_WILD_TIME =
        1 << 3, // "*", a range or a step in second, minute or hour: runs in both hours of an overlap
    CRON_HASHED = 1 << 4, // H was used: the masks depend on the seed
    CRON_UNEVEN = 1 << 5, // a "*/step" of second, minute or hour does not divide its field
};

struct cron {
    uint64_t second, minute;        // bit v
    uint64_t nth;                   // weekday#n: bit (n − 1) · 7 + weekday
    uint64_t year[CRON_YEAR_WORDS]; // bit year − 1970
    uint32_t hour;                  // bit v
    uint32_t dom;                   // bit 1–31
    uint32_t near;                  // nW: bit 1–31
    uint32_t last;                  // L-n: bit n, L is bit 0
    uint32_t last_near;             // L-nW: bit n, LW is bit 0
    uint16_t month;                 // bit 1–12
    uint8_t dow;                    // bit 0–6, 0 = Sunday
    uint8_t last_dow;               // weekdayL: bit 0–6
    uint8_t flags;
};

struct cron_options {
    enum cron_dialect dialect;
    enum day_match day_match;
    uint64_t seed; // for H: a stable hash of the job
};

// Where an expression is wrong.
struct cron_fault {
    const char *field; // "minute", "day of month", …; "expression" when it is about the whole
    size_t position;   // byte offset in the expression, from 0
};

// Any bytes are allowed. On failure err (ERR_INVALID) says field, position and what was expected; *ret_fault
// is filled too when not NULL.
bool cron_parse(struct str expr, const struct cron_options *o, struct cron *ret, struct cron_fault *ret_fault,
                struct err *err) __attribute__((warn_unused_result));

// The text uses H, so that the seed matters. Needs no valid expression.
bool cron_uses_hash(struct str expr);
// Days of a month that match, bit 1–31; 0 when month or year do not match.
uint32_t cron_days(const struct cron *c, int32_t year, int32_t month);
// The wall time (seconds since 1970-01-01T00:00:00 as the clock shows) matches.
bool cron_matches(const struct cron *c, int64_t local_s);

#endif
