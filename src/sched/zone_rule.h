// SPDX-License-Identifier: Apache-2.0
// The rule in the footer of a TZif file: POSIX.1 TZ text with the extension of RFC 9636 3.3.2
// (times from −167 to 167 hours). "CET-1CEST,M3.5.0,M10.5.0/3".
#ifndef SCHED_ZONE_RULE_H
#define SCHED_ZONE_RULE_H

#include "sched/zone_data.h"

enum rule_date_kind {
    RULE_JULIAN,  // J1 … J365, 29 February never counted
    RULE_ORDINAL, // 0 … 365, 29 February counted
    RULE_WEEKDAY, // Mm.w.d: week w (5 = last) of month m, day d (0 = Sunday)
};
struct rule_date {
    enum rule_date_kind kind;
    int32_t month, week, day;
    int32_t time_s; // wall time of the change, from midnight
};

struct zone_rule {
    struct zone_type std;
    struct zone_type dst; // only when has_dst
    bool has_dst;
    struct rule_date begin, end; // of summer time
};

// False when the text is not such a rule. On failure *ret is untouched.
bool zone_rule_parse(struct str text, struct zone_rule *ret);
// Instants at which summer time begins and ends in a year (has_dst).
int64_t zone_rule_begin_s(const struct zone_rule *r, int32_t year);
int64_t zone_rule_end_s(const struct zone_rule *r, int32_t year);

#endif
