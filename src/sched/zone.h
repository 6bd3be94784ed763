// SPDX-License-Identifier: Apache-2.0
// One time zone: what wall clocks show at an instant, and which instants show a wall time.
//
// A struct zone is immutable and counted; threads share it freely. A reload of tzdata makes new
// objects (zones.h) and never touches old ones. All seconds are since 1970-01-01T00:00:00, in UTC
// ("utc") or as a wall clock shows them ("local"), and lie within ±10^13 (300,000 years).
// Data: TZif, RFC 9636. The rule in the file's footer is carried on for ever through the calendar's
// cycle of 400 years, so that the year 9999 costs as much as next week.
#ifndef SCHED_ZONE_H
#define SCHED_ZONE_H

#include "base/err.h"

struct zone;

enum { ZONE_NAME_MAX = 64, ZONE_FILE_MAX = 256 * 1024 };

// The time between two transitions. Neighbouring spans may have the same offset (only the
// abbreviation or the summer time flag changed).
struct zone_span {
    int64_t begin_s;  // first second of the span; INT64_MIN when there is no span before
    int64_t end_s;    // first second of the next span; INT64_MAX when there is none
    int32_t offset_s; // local − UTC
    int32_t before_s; // offset of the span before; offset_s when there is none
    int32_t after_s;  // offset of the next span; offset_s when there is none
    bool dst;
    const char *abbr; // "CEST"; lives as long as the zone
};

enum wall_kind { WALL_UNIQUE, WALL_GAP, WALL_OVERLAP };
struct wall {
    enum wall_kind kind;
    int64_t first_s; // OVERLAP: the earlier instant; GAP: read with the offset before the gap (shifted by it)
    int64_t second_s;     // OVERLAP: the later instant; GAP: read with the offset after; UNIQUE: as first_s
    int64_t transition_s; // GAP and OVERLAP: the instant of the clock change
};

// Reads the bytes of a TZif file, version 2 or later. Any bytes are allowed: ERR_CORRUPT says what is wrong.
// *ret belongs to the caller (zone_unref).
bool zone_parse(struct str bytes, struct str name, struct zone **ret, struct err *err)
    __attribute__((warn_unused_result));
// Universal time, made without any file. The caller owns the reference.
struct zone *zone_utc(void);

struct zone *zone_ref(const struct zone *z); // returns z
void zone_unref(struct zone *z);             // NULL is allowed
const char *zone_name(const struct zone *z);
// True when a reload found other data for this name: whoever holds it should ask for the zone again.
bool zone_superseded(const struct zone *z);
void zone_supersede(struct zone *z); // by the zone cache only

// The span that contains the instant. *hint is the caller's memory of the last hit (start with 0); NULL =
// none.
struct zone_span zone_span_at(const struct zone *z, int64_t utc_s, uint32_t *hint);
// The instants that show the wall time.
struct wall zone_wall(const struct zone *z, int64_t local_s);

#endif
