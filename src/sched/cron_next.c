// SPDX-License-Identifier: Apache-2.0
// Search by field: months by mask, days by bit, times of day by bit; never second by second.
//
// A zone is a row of spans with fixed offsets. Within one span wall time and instants run alike, so the
// search is one of wall times; only its edges need the policies. Rejected: searching wall times across the
// whole year and mapping each hit to instants, which needs a case for every kind of edge and can hand out
// instants that fall back behind `after`.
#include "sched/cron_next.h"

#include "base/time.h"

enum { SATURDAY = 6, SUNDAY = 0, WEEK = 7, MONTHS = 12 };

static int32_t lowest(uint64_t bits) { return __builtin_ctzll(bits); }

// Bits from `from` upwards.
static uint64_t from_bit(uint64_t bits, int32_t from)
{
    return from >= 64 ? 0 : bits & (~UINT64_C(0) << from);
}

// The day that is bit n moved to the nearest working day of the month.
static int32_t nearest_workday(int32_t day, int32_t days, int32_t weekday)
{
    if (weekday == SATURDAY)
        return day > 1 ? day - 1 : day + 2;
    if (weekday == SUNDAY)
        return day < days ? day + 1 : day - 2;
    return day;
}

// Days of a month with a set weekday, bit 1–31. first = weekday of the 1st.
static uint32_t weekday_days(uint32_t weekdays, int32_t first, int32_t days)
{
    // Turn the week so that bit 0 is the weekday of the 1st, then repeat it five times.
    uint64_t week = ((weekdays >> first) | (weekdays << (WEEK - first))) & 0x7f;
    uint64_t month = week * UINT64_C(0x10204081); // 1 + 2^7 + 2^14 + 2^21 + 2^28
    return (uint32_t)((month << 1) & ((UINT64_C(2) << days) - 2));
}

static uint32_t dom_days(const struct cron *c, int32_t first, int32_t days)
{
    uint32_t set = c->dom;
    for (uint32_t last = c->last; last; last &= last - 1) {
        int32_t day = days - lowest(last);
        if (day >= 1)
            set |= UINT32_C(1) << day;
    }
    for (uint32_t near = c->near; near; near &= near - 1) {
        int32_t day = lowest(near);
        if (day <= days)
            set |= UINT32_C(1) << nearest_workday(day, days, (first + day - 1) % WEEK);
    }
    for (uint32_t near = c->last_near; near; near &= near - 1) {
        int32_t day = days - lowest(near);
        if (day >= 1)
            set |= UINT32_C(1) << nearest_workday(day, days, (first + day - 1) % WEEK);
    }
    return set & (uint32_t)((UINT64_C(2) << days) - 2);
}

static uint32_t dow_days(const struct cron *c, int32_t first, int32_t days)
{
    uint32_t set = c->dow ? weekday_days(c->dow, first, days) : 0;
    for (uint64_t nth = c->nth; nth; nth &= nth - 1) {
        int32_t bit = lowest(nth);
        int32_t day = 1 + (bit % WEEK - first + WEEK) % WEEK + bit / WEEK * WEEK;
        if (day <= days)
            set |= UINT32_C(1) << day;
    }
    if (c->last_dow)
        set |= weekday_days(c->last_dow, first, days) & (~UINT32_C(0) << (days - WEEK + 1));
    return set;
}

static bool year_matches(const struct cron *c, int32_t year)
{
    int32_t bit = year - CRON_YEAR_MIN;
    return year >= CRON_YEAR_MIN && year <= CRON_YEAR_MAX && (c->year[bit / 64] >> (bit % 64) & 1);
}

uint32_t cron_days(const struct cron *c, int32_t year, int32_t month)
{
    if (!(c->month >> month & 1) || !year_matches(c, year))
        return 0;
    int32_t days = civil_month_days(year, month);
    bool dom_any = c->flags & CRON_DOM_ANY, dow_any = c->flags & CRON_DOW_ANY;
    if (dom_any && dow_any)
        return (uint32_t)((UINT64_C(2) << days) - 2);
    int32_t first = civil_weekday(civil_to_days(year, month, 1));
    if (dow_any)
        return dom_days(c, first, days);
    if (dom_any)
        return dow_days(c, first, days);
    uint32_t dom = dom_days(c, first, days), dow = dow_days(c, first, days);
    return c->flags & CRON_BOTH ? dom & dow : dom | dow;
}

// First matching second of the day ≥ tod; −1 when there is none.
static int32_t time_next(const struct cron *c, int32_t tod)
{
    int32_t h = tod / 3600, m = tod / 60 % 60, s = tod % 60;
    int32_t first_s = lowest(c->second), first_m = lowest(c->minute);
    if (c->hour >> h & 1) {
        if (c->minute >> m & 1) {
            uint64_t seconds = from_bit(c->second, s);
            if (seconds)
                return h * 3600 + m * 60 + lowest(seconds);
        }
        uint64_t minutes = from_bit(c->minute, m + 1);
        if (minutes)
            return h * 3600 + lowest(minutes) * 60 + first_s;
    }
    uint64_t hours = from_bit(c->hour, h + 1);
    return hours ? lowest(hours) * 3600 + first_m * 60 + first_s : -1;
}

bool cron_matches(const struct cron *c, int64_t local_s)
{
    struct civil d = civil_from_s(local_s);
    return (c->second >> d.second & 1) && (c->minute >> d.minute & 1) && (c->hour >> d.hour & 1) &&
           (cron_days(c, d.year, d.month) >> d.day & 1);
}

int64_t cron_next_local(const struct cron *c, int64_t from_s, int64_t to_s, uint32_t *steps)
{
    if (from_s < 0)
        from_s = 0; // CRON_YEAR_MIN begins here
    if (from_s >= to_s)
        return CRON_NEVER;
    struct civil d = civil_from_s(from_s);
    int32_t tod = time_next(c, d.hour * 3600 + d.minute * 60 + d.second);
    int32_t day = tod >= 0 ? d.day : d.day + 1; // today, or any time of a later day
    int32_t midnight_on = time_next(c, 0);
    int64_t today = from_s - (d.hour * 3600 + d.minute * 60 + d.second);
    int64_t month_start = today - (d.day - 1) * S_PER_DAY;
    int32_t year = d.year, month = d.month;
    while (year <= CRON_YEAR_MAX && month_start < to_s) {
        ++*steps;
        uint64_t days = from_bit(cron_days(c, year, month), day);
        if (days) {
            int64_t date = month_start + (lowest(days) - 1) * S_PER_DAY;
            int64_t hit = date + (date == today ? tod : midnight_on);
            return hit < to_s ? hit : CRON_NEVER;
        }
        month_start += civil_month_days(year, month) * S_PER_DAY;
        day = 1;
        if (++month > MONTHS) {
            month = 1;
            year++;
        }
    }
    return CRON_NEVER;
}

bool cron_runs_twice(const struct cron_search *s)
{
    return s->overlap == DST_OVERLAP_BOTH ||
           (s->overlap == DST_OVERLAP_AUTO && (s->cron->flags & CRON_WILD_TIME));
}

static int64_t min_s(int64_t a, int64_t b) { return a < b ? a : b; }

// The fire that a gap at the start of the span gives at or after t; CRON_NEVER when there is none.
static int64_t gap_fire(struct cron_search *s, const struct zone_span *span, int64_t t)
{
    int64_t missing = span->begin_s + span->before_s, missing_end = span->begin_s + span->offset_s;
    if (s->gap == DST_GAP_RUN && t == span->begin_s)
        return cron_next_local(s->cron, missing, missing_end, &s->steps) == CRON_NEVER ? CRON_NEVER : t;
    if (s->gap == DST_GAP_SHIFT && t < span->begin_s + (span->offset_s - span->before_s)) {
        int64_t hit = cron_next_local(s->cron, t + span->before_s, missing_end, &s->steps);
        if (hit != CRON_NEVER)
            return hit - span->before_s;
    }
    return CRON_NEVER;
}

// The first fire of the span at or after t.
static int64_t span_next(struct cron_search *s, const struct zone_span *span, int64_t t, int64_t until)
{
    int64_t best = CRON_NEVER, lo = t;
    bool edge = span->begin_s != INT64_MIN;
    if (edge && span->offset_s > span->before_s)
        best = gap_fire(s, span, t);
    if (edge && span->offset_s < span->before_s && !cron_runs_twice(s)) {
        int64_t second_pass_end = span->begin_s + (span->before_s - span->offset_s);
        if (lo < second_pass_end)
            lo = second_pass_end;
    }
    if (best == t)
        return best;
    int64_t end = min_s(min_s(span->end_s, until + 1), best);
    int64_t hit = cron_next_local(s->cron, lo + span->offset_s, end + span->offset_s, &s->steps);
    return hit == CRON_NEVER ? best : hit - span->offset_s;
}

int64_t cron_next(struct cron_search *s, int64_t after_s, int64_t until_s)
{
    int64_t until = min_s(until_s, CRON_LAST_S);
    if (after_s >= until)
        return CRON_NEVER;
    int64_t t = after_s + 1;
    while (t <= until) {
        s->steps++;
        struct zone_span span = zone_span_at(s->zone, t, &s->hint);
        int64_t fire = span_next(s, &span, t, until);
        if (fire <= until)
            return fire;
        if (span.end_s == INT64_MAX)
            return CRON_NEVER;
        t = span.end_s;
    }
    return CRON_NEVER;
}
