// SPDX-License-Identifier: Apache-2.0
// Reads POSIX TZ rules and turns them into instants. Pure; accepts any bytes.
#include "sched/zone_rule.h"

#include "base/time.h"

enum { ABBR_LEN_MIN = 3, OFFSET_HOURS_MAX = 24, TIME_HOURS_MAX = 167, DEFAULT_TIME_S = 2 * 3600 };

struct cursor {
    struct str s;
    size_t i;
};

static char peek(const struct cursor *c) { return c->i < c->s.n ? c->s.p[c->i] : '\0'; }

static bool take(struct cursor *c, char want)
{
    if (c->i >= c->s.n || c->s.p[c->i] != want)
        return false;
    c->i++;
    return true;
}

static bool take_number(struct cursor *c, int32_t min, int32_t max, int32_t *ret)
{
    size_t start = c->i;
    int32_t v = 0;
    while (peek(c) >= '0' && peek(c) <= '9' && c->i - start < 4)
        v = v * 10 + (c->s.p[c->i++] - '0');
    if (c->i == start || v < min || v > max)
        return false;
    *ret = v;
    return true;
}

static bool abbr_char(char ch, bool quoted)
{
    bool letter = (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z');
    return letter || (quoted && ((ch >= '0' && ch <= '9') || ch == '+' || ch == '-'));
}

// "CET" or "<+0330>".
static bool take_abbr(struct cursor *c, char ret[static ZONE_ABBR_MAX])
{
    bool quoted = take(c, '<');
    size_t start = c->i;
    while (c->i < c->s.n && abbr_char(c->s.p[c->i], quoted))
        c->i++;
    size_t n = c->i - start;
    if (n < ABBR_LEN_MIN || n >= ZONE_ABBR_MAX)
        return false;
    if (quoted && !take(c, '>'))
        return false;
    memcpy(ret, c->s.p + start, n);
    ret[n] = '\0';
    return true;
}

// [+-]hh[:mm[:ss]]
static bool take_time(struct cursor *c, int32_t hours_max, int32_t *ret)
{
    int32_t sign = take(c, '-') ? -1 : 1, h, m = 0, s = 0;
    if (sign > 0)
        take(c, '+');
    if (!take_number(c, 0, hours_max, &h))
        return false;
    if (take(c, ':')) {
        if (!take_number(c, 0, 59, &m))
            return false;
        if (take(c, ':') && !take_number(c, 0, 59, &s))
            return false;
    }
    *ret = sign * (h * 3600 + m * 60 + s);
    return true;
}

static bool take_date(struct cursor *c, struct rule_date *ret)
{
    struct rule_date d = {.kind = RULE_ORDINAL, .time_s = DEFAULT_TIME_S};
    bool ok;
    if (take(c, 'M')) {
        d.kind = RULE_WEEKDAY;
        ok = take_number(c, 1, 12, &d.month) && take(c, '.') && take_number(c, 1, 5, &d.week) &&
             take(c, '.') && take_number(c, 0, 6, &d.day);
    } else if (take(c, 'J')) {
        d.kind = RULE_JULIAN;
        ok = take_number(c, 1, 365, &d.day);
    } else {
        ok = take_number(c, 0, 365, &d.day);
    }
    if (!ok || (take(c, '/') && !take_time(c, TIME_HOURS_MAX, &d.time_s)))
        return false;
    *ret = d;
    return true;
}

bool zone_rule_parse(struct str text, struct zone_rule *ret)
{
    struct cursor c = {text, 0};
    struct zone_rule r = {0};
    int32_t west;
    if (!take_abbr(&c, r.std.abbr) || !take_time(&c, OFFSET_HOURS_MAX, &west))
        return false;
    r.std.offset_s = -west; // POSIX counts hours west of Greenwich
    if (c.i < text.n) {
        r.has_dst = true;
        r.dst.dst = true;
        r.dst.offset_s = r.std.offset_s + 3600;
        if (!take_abbr(&c, r.dst.abbr))
            return false;
        if (peek(&c) != ',') {
            if (!take_time(&c, OFFSET_HOURS_MAX, &west))
                return false;
            r.dst.offset_s = -west;
        }
        // POSIX leaves the dates open when they are missing; RFC 9636 demands them.
        if (!take(&c, ',') || !take_date(&c, &r.begin) || !take(&c, ',') || !take_date(&c, &r.end))
            return false;
    }
    if (c.i != text.n)
        return false;
    *ret = r;
    return true;
}

static int64_t rule_day(const struct rule_date *d, int32_t year)
{
    int64_t new_year = civil_to_days(year, 1, 1);
    if (d->kind == RULE_ORDINAL)
        return new_year + d->day;
    if (d->kind == RULE_JULIAN) {
        bool leap = civil_month_days(year, 2) == 29;
        return new_year + d->day - 1 + (leap && d->day >= 60);
    }
    int64_t first = civil_to_days(year, d->month, 1);
    int32_t day = (d->day - civil_weekday(first) + 7) % 7 + (d->week - 1) * 7;
    if (day >= civil_month_days(year, d->month))
        day -= 7;
    return first + day;
}

int64_t zone_rule_begin_s(const struct zone_rule *r, int32_t year)
{
    return rule_day(&r->begin, year) * S_PER_DAY + r->begin.time_s - r->std.offset_s;
}

int64_t zone_rule_end_s(const struct zone_rule *r, int32_t year)
{
    return rule_day(&r->end, year) * S_PER_DAY + r->end.time_s - r->dst.offset_s;
}
