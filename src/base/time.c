// SPDX-License-Identifier: Apache-2.0
// Civil dates and RFC 3339 text. Pure: no clock, no time zone data (sched/zone has them).
// The calendar is Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms": years start in March,
// so that the leap day is the last one, and 400-year eras repeat exactly.
#include "base/time.h"

#include <stdlib.h>

enum {
    DAYS_PER_ERA = 146097, // 400 years
    DAYS_TO_1970 = 719468, // from 0000-03-01
    YEARS_PER_ERA = 400,
    S_PER_HOUR = 3600,
    S_PER_MINUTE = 60,
    YEAR_FIRST = 1970,
    YEAR_LAST = 9999,
};

static int64_t div_floor(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

// Seconds before the instant and the microseconds since then (0 … 999999), also before 1970.
static int64_t split_us(struct instant t, int64_t *ret_us)
{
    int64_t s = div_floor(t.us, US_PER_S);
    int64_t us = t.us % US_PER_S; // not t.us − s·10⁶, which overflows at the ends of the range
    *ret_us = us < 0 ? us + US_PER_S : us;
    return s;
}

struct instant instant_add(struct instant t, struct duration d)
{
    int64_t us;
    if (instant_is_never(t))
        return t;
    if (__builtin_add_overflow(t.us, d.us, &us))
        return (struct instant){d.us > 0 ? INT64_MAX : INT64_MIN};
    return (struct instant){us};
}

struct mono mono_add(struct mono t, struct duration d)
{
    int64_t us;
    if (__builtin_add_overflow(t.us, d.us, &us))
        return (struct mono){d.us > 0 ? INT64_MAX : INT64_MIN};
    return (struct mono){us};
}

int64_t civil_to_days(int32_t year, int32_t month, int32_t day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = div_floor(y, YEARS_PER_ERA);
    int64_t year_of_era = y - era * YEARS_PER_ERA;
    int64_t month_from_march = month > 2 ? month - 3 : month + 9;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970;
}

int64_t civil_to_s(struct civil c)
{
    return civil_to_days(c.year, c.month, c.day) * S_PER_DAY + (int64_t)c.hour * S_PER_HOUR +
           (int64_t)c.minute * S_PER_MINUTE + c.second;
}

struct civil civil_from_s(int64_t s)
{
    int64_t days = div_floor(s, S_PER_DAY);
    int32_t rest = (int32_t)(s - days * S_PER_DAY);
    int64_t z = days + DAYS_TO_1970;
    int64_t era = div_floor(z, DAYS_PER_ERA);
    int64_t day_of_era = z - era * DAYS_PER_ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    return (struct civil){
        .year = (int32_t)(year_of_era + era * YEARS_PER_ERA + (month <= 2)),
        .month = (int32_t)month,
        .day = (int32_t)(day_of_year - (153 * month_from_march + 2) / 5 + 1),
        .hour = rest / S_PER_HOUR,
        .minute = rest / S_PER_MINUTE % 60,
        .second = rest % 60,
    };
}

int32_t civil_weekday(int64_t days)
{
    enum { WEEKDAY_OF_1970 = 4, WEEK = 7 }; // 1970-01-01 was a Thursday
    int64_t shifted = days + WEEKDAY_OF_1970;
    return (int32_t)(shifted - div_floor(shifted, WEEK) * WEEK);
}

int32_t civil_month_days(int32_t year, int32_t month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % YEARS_PER_ERA == 0);
    return month == 2 && leap ? 29 : days[month - 1];
}

// What a parser has not yet read, and what it found wrong.
struct cursor {
    struct str left;
    const char *wrong; // NULL while all is well
};

static void wrong(struct cursor *c, const char *why)
{
    if (!c->wrong)
        c->wrong = why;
}

static int32_t take_number(struct cursor *c, size_t digits, int32_t least, int32_t most, const char *why)
{
    int32_t v = 0;
    for (size_t i = 0; i < digits; i++) {
        if (i >= c->left.n || c->left.p[i] < '0' || c->left.p[i] > '9') {
            wrong(c, "its form is wrong");
            return 0;
        }
        v = v * 10 + (c->left.p[i] - '0');
    }
    c->left = str_of_n(c->left.p + digits, c->left.n - digits);
    if (v < least || v > most)
        wrong(c, why);
    return v;
}

// One byte out of a set; returns it, or NUL.
static char take_one(struct cursor *c, const char *set, const char *why)
{
    if (c->left.n == 0 || c->left.p[0] == '\0' || !strchr(set, c->left.p[0])) {
        wrong(c, why);
        return '\0';
    }
    char got = c->left.p[0];
    c->left = str_of_n(c->left.p + 1, c->left.n - 1);
    return got;
}

static int32_t take_fraction_us(struct cursor *c)
{
    if (c->left.n == 0 || c->left.p[0] != '.')
        return 0;
    size_t i = 1;
    int32_t us = 0;
    for (int32_t unit = US_PER_S / 10; i < c->left.n && c->left.p[i] >= '0' && c->left.p[i] <= '9'; i++) {
        us += (c->left.p[i] - '0') * unit;
        unit /= 10; // digits past the sixth add nothing
    }
    if (i == 1)
        wrong(c, "its form is wrong");
    c->left = str_of_n(c->left.p + i, c->left.n - i);
    return us;
}

static int32_t take_offset_s(struct cursor *c)
{
    static const char missing[] = "the offset is missing: end it with Z or +01:00";
    char sign = take_one(c, "Zz+-", missing);
    if (sign != '+' && sign != '-')
        return 0;
    int32_t hours = take_number(c, 2, 0, 23, "the offset is out of range");
    (void)take_one(c, ":", "its form is wrong");
    int32_t minutes = take_number(c, 2, 0, 59, "the offset is out of range");
    int32_t s = hours * S_PER_HOUR + minutes * S_PER_MINUTE;
    return sign == '-' ? -s : s;
}

static struct civil take_civil(struct cursor *c)
{
    static const char form[] = "its form is wrong";
    struct civil t = {0};
    t.year = take_number(c, 4, YEAR_FIRST - 1, YEAR_LAST, "the year must be 1970 to 9999");
    (void)take_one(c, "-", form);
    t.month = take_number(c, 2, 1, 12, "the month must be 01 to 12");
    (void)take_one(c, "-", form);
    t.day = take_number(c, 2, 1, 31, "the day must be 01 to 31");
    (void)take_one(c, "Tt", form);
    t.hour = take_number(c, 2, 0, 23, "the hour must be 00 to 23");
    (void)take_one(c, ":", form);
    t.minute = take_number(c, 2, 0, 59, "the minute must be 00 to 59");
    (void)take_one(c, ":", form);
    t.second = take_number(c, 2, 0, 59, "the second must be 00 to 59");
    if (!c->wrong && t.day > civil_month_days(t.year, t.month))
        wrong(c, "that month has fewer days");
    return t;
}

bool instant_parse(struct str s, struct instant *ret, struct err *err)
{
    struct cursor c = {.left = s};
    struct civil t = take_civil(&c);
    int32_t fraction_us = take_fraction_us(&c);
    int32_t offset_s = take_offset_s(&c);
    if (c.left.n > 0)
        wrong(&c, "its form is wrong");
    int64_t us = c.wrong ? 0 : (civil_to_s(t) - offset_s) * US_PER_S + fraction_us;
    // A local year 1969 or 9999 may belong to an instant inside or outside of the range.
    if (us < 0 || us >= civil_to_days(YEAR_LAST + 1, 1, 1) * S_PER_DAY * US_PER_S)
        wrong(&c, "the year must be 1970 to 9999");
    if (c.wrong) {
        struct str shown = {s.p, str_utf8_cut(s, INSTANT_TEXT_MAX)};
        return ERR(err, ERR_INVALID,
                   "\"%.*s\" is not a time such as \"2026-11-23T14:05:09Z\" (RFC 3339): %s",
                   STR_ARG(shown), c.wrong);
    }
    ret->us = us;
    return true;
}

static char *put_digits(char *p, int64_t v, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        p[i] = (char)('0' + v % 10);
        v /= 10;
    }
    return p + digits;
}

// "2026-11-23T14:05:09"; years past 9999 get more digits, years before 0 a minus.
static char *put_civil(char *p, struct civil c)
{
    if (c.year < 0)
        *p++ = '-';
    int32_t year = abs(c.year);
    p = put_digits(p, year, year > YEAR_LAST ? 6 : 4);
    *p++ = '-';
    p = put_digits(p, c.month, 2);
    *p++ = '-';
    p = put_digits(p, c.day, 2);
    *p++ = 'T';
    p = put_digits(p, c.hour, 2);
    *p++ = ':';
    p = put_digits(p, c.minute, 2);
    *p++ = ':';
    return put_digits(p, c.second, 2);
}

const char *instant_format(struct instant t, char buf[static INSTANT_TEXT_MAX])
{
    int64_t us;
    char *p = put_civil(buf, civil_from_s(split_us(t, &us)));
    *p++ = '.';
    p = put_digits(p, us / US_PER_MS, 3);
    *p++ = 'Z';
    *p = '\0';
    return buf;
}

const char *instant_format_offset(struct instant t, int32_t offset_s, char buf[static INSTANT_TEXT_MAX])
{
    // RFC 3339 has no seconds in offsets (Liberia had some until 1972): the nearest minute keeps the
    // text a true name of the instant.
    int32_t minutes = (int32_t)div_floor((int64_t)offset_s + S_PER_MINUTE / 2, S_PER_MINUTE);
    int64_t us;
    int64_t s = split_us(t, &us);
    char *p = put_civil(buf, civil_from_s(s + (int64_t)minutes * S_PER_MINUTE));
    if (us != 0) {
        *p++ = '.';
        p = us % US_PER_MS == 0 ? put_digits(p, us / US_PER_MS, 3) : put_digits(p, us, 6);
    }
    if (minutes == 0) {
        *p++ = 'Z';
    } else {
        *p++ = minutes < 0 ? '-' : '+';
        p = put_digits(p, abs(minutes) / 60, 2);
        *p++ = ':';
        p = put_digits(p, abs(minutes) % 60, 2);
    }
    *p = '\0';
    return buf;
}
