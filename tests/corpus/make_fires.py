#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes fires.jsonl: fire times that Chronos must compute, found by brute force.

A second, independent reading of the rules (docs: schedule syntax): it steps through UTC minute by
minute (second by second when the expression has seconds), asks Python's zoneinfo for the wall time and
tests every field with a predicate. Nothing here searches or jumps by field. Only past years are used,
so that a newer tzdata gives the same lines.

Usage: make_fires.py > fires.jsonl        (Python >= 3.9 with the system's tzdata)
"""
import calendar
import json
import sys
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
DAYS = "SUN MON TUE WED THU FRI SAT".split()
MACROS = {"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
          "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *"}
LIMITS = {"s": (0, 59), "m": (0, 59), "h": (0, 23), "D": (1, 31), "M": (1, 12), "W": (0, 7), "Y": (1970, 2199)}


def weekday(d):
    return (d.weekday() + 1) % 7  # 0 = Sunday


def month_days(d):
    return calendar.monthrange(d.year, d.month)[1]


def nearest_workday(year, month, day):
    """The working day nearest to a date, within its month; None when the month has no such day."""
    last = calendar.monthrange(year, month)[1]
    if day > last:
        return None
    for delta in (0, -1, 1, -2, 2):
        other = day + delta
        if 1 <= other <= last and date(year, month, other).weekday() < 5:
            return other
    raise AssertionError("every week has working days")


class Expression:
    """Fields as lists of predicates; a field matches when any of them does."""

    def __init__(self, text, dialect=None, day_match=None):
        text = MACROS.get(text.lower(), text)
        fields = text.split()
        numbering = dialect or ("unix" if len(fields) == 5 else "quartz")
        self.first_sunday = 1 if numbering == "quartz" else 0
        self.all_days = (day_match or ("AND" if dialect == "spring" else "OR")) == "AND"
        self.seconds = len(fields) > 5
        if len(fields) == 5:
            fields = ["0"] + fields
        if len(fields) == 6:
            fields = fields + ["*"]
        self.text = dict(zip("smhDMWY", fields))
        self.test = {kind: self.field(kind, value) for kind, value in self.text.items()}
        implied = "" if self.seconds else "s"
        self.wild = any(c in self.text[k] for k in "smh" if k not in implied for c in "*-/")

    def number(self, kind, word):
        word = word.upper()
        if kind == "M" and word in MONTHS:
            return MONTHS.index(word) + 1
        if kind == "W" and word in DAYS:
            return DAYS.index(word) + self.first_sunday
        return int(word)

    def field(self, kind, text):
        return [self.item(kind, part.upper()) for part in text.split(",")]

    def values(self, kind, text):
        low, high = LIMITS[kind]
        if kind == "W" and self.first_sunday == 1:
            low = 1
        step = 1
        body = text
        if "/" in text:
            body, step = text.split("/")
            step = int(step)
        if body in ("*", "?"):
            return list(range(low, high + 1, step))
        if "-" in body:
            a, b = (self.number(kind, w) for w in body.split("-"))
            if a <= b:
                return list(range(a, b + 1, step))
            if kind == "W" and self.first_sunday == 0:
                high = 6
            wheel = [v for v in range(low, high + 1)]
            run = wheel[wheel.index(a % 7 if kind == "W" and self.first_sunday == 0 else a):] + wheel
            run = run[:run.index(b, 1) + 1] if b in run[1:] else run
            return run[::step]
        a = self.number(kind, body)
        return list(range(a, high + 1, step)) if "/" in text else [a]

    def item(self, kind, text):
        if kind == "D":
            if text == "L":
                return lambda d: d.day == month_days(d)
            if text == "LW":
                return lambda d: d.day == nearest_workday(d.year, d.month, month_days(d))
            if text.startswith("L-"):
                back = int(text[2:])
                return lambda d: d.day == month_days(d) - back
            if text.endswith("W"):
                day = int(text[:-1])
                return lambda d: d.day == nearest_workday(d.year, d.month, day)
        if kind == "W":
            to_sunday_0 = lambda v: (v - self.first_sunday) % 7
            if "#" in text:
                word, n = text.split("#")
                want = to_sunday_0(self.number(kind, word))
                return lambda d: weekday(d) == want and (d.day - 1) // 7 + 1 == int(n)
            if text.endswith("L") and text != "L":
                want = to_sunday_0(self.number(kind, text[:-1]))
                return lambda d: weekday(d) == want and d.day + 7 > month_days(d)
            if text == "L":
                return lambda d: weekday(d) == 6
            days = {to_sunday_0(v) for v in self.values(kind, text)}
            return lambda d: weekday(d) in days
        wanted = set(self.values(kind, text))
        return {"s": lambda d: d.second in wanted, "m": lambda d: d.minute in wanted, "h": lambda d: d.hour in wanted,
                "D": lambda d: d.day in wanted, "M": lambda d: d.month in wanted, "Y": lambda d: d.year in wanted}[kind]

    def hits(self, kind, d):
        return any(test(d) for test in self.test[kind])

    def day(self, d):
        if not (self.hits("M", d) and self.hits("Y", d)):
            return False
        dom, dow = self.hits("D", d), self.hits("W", d)
        free = [self.text[k] in ("*", "?") for k in "DW"]
        if self.all_days or any(free):
            return dom and dow
        return dom or dow

    def matches(self, d):
        return self.hits("s", d) and self.hits("m", d) and self.hits("h", d) and self.day(d.date())


def offset_of(zone, t):
    return int(datetime.fromtimestamp(t, zone).utcoffset().total_seconds())


def wall(seconds):
    return datetime(1970, 1, 1) + timedelta(seconds=seconds)


def quiet_day(expr, zone, t, offset):
    """No field can match and no clock changes in the 24 hours from t."""
    near = [wall(t + offset + k * 86400).date() for k in (-1, 0, 1, 2)]
    return not any(expr.day(d) for d in near) and all(offset_of(zone, t + h * 3600) == offset for h in range(25))


def fires(expr, zone, begin, end, gap, overlap):
    """Every fire in (begin, end]; both in seconds."""
    step = 1 if expr.seconds else 60
    twice = overlap == "BOTH" or (overlap == "AUTO" and expr.wild)
    found = set()
    before = offset_of(zone, begin - begin % step)
    seen_until = None  # wall times before this were shown already
    t = begin - begin % step
    while t < end:
        t += step
        if t % 86400 == 0 and t + 86400 <= end and quiet_day(expr, zone, t, before):
            t += 86400 - step
            continue
        now = offset_of(zone, t)
        if now > before:
            missing = [w for w in range(t + before, t + now, step) if expr.matches(wall(w))]
            if missing and gap == "RUN":
                found.add(t)
            if gap == "SHIFT":
                found.update(w - before for w in missing)
        if now < before:
            seen_until = t + before
        again = seen_until is not None and t + now < seen_until
        if expr.matches(wall(t + now)) and (twice or not again):
            found.add(t)
        before = now
    return sorted(f for f in found if begin < f <= end)


# expression, zone, first moment (UTC), days to look at, most fires to keep, options
CASES = []


def case(expr, zone, begin, days, keep=12, **options):
    CASES.append((expr, zone, begin, days, keep, options))


def clock_changes():
    forward = [("Europe/Berlin", "2021-03-27"), ("America/New_York", "2021-03-13"), ("Australia/Lord_Howe", "2021-10-01"),
               ("Asia/Amman", "2021-03-25"), ("America/Sao_Paulo", "2018-11-03"), ("Europe/Dublin", "2020-03-28"),
               ("Africa/Casablanca", "2019-06-08"), ("America/St_Johns", "2008-03-08"), ("Asia/Beirut", "2019-03-30"),
               ("Pacific/Apia", "2011-12-29"), ("Antarctica/Troll", "2021-03-27"), ("America/Havana", "2021-03-13"),
               ("Asia/Pyongyang", "2018-05-04"), ("Pacific/Chatham", "2021-09-25"), ("Asia/Tehran", "2021-03-21"),
               ("Asia/Kathmandu", "1985-12-31"), ("America/Caracas", "2016-04-30"), ("Africa/Juba", "2000-01-14")]
    back = [("Europe/Berlin", "2021-10-30"), ("America/New_York", "2021-11-06"), ("Australia/Lord_Howe", "2021-04-02"),
            ("Asia/Amman", "2021-10-28"), ("America/Sao_Paulo", "2019-02-16"), ("Europe/Dublin", "2020-10-24"),
            ("Africa/Casablanca", "2019-05-04"), ("America/St_Johns", "2008-11-01"), ("Asia/Beirut", "2019-10-26"),
            ("Antarctica/Troll", "2021-10-30"), ("America/Havana", "2021-11-06"), ("Pacific/Chatham", "2021-04-03"),
            ("Asia/Pyongyang", "2015-08-14"), ("America/Caracas", "2007-12-08"), ("Europe/Volgograd", "2020-12-26"),
            ("Asia/Tehran", "2021-09-20"), ("Europe/Istanbul", "2015-11-07"), ("Africa/Cairo", "2014-09-24")]
    for zone, day in forward:
        case("30 2 * * *", zone, day, 3)
        case("*/20 0-3 * * *", zone, day, 2, 24)
        for gap in ("SKIP", "SHIFT"):
            case("30 0,2,23 * * *", zone, day, 3, dstGap=gap)
        case("15 2 * * *", zone, day, 3, dstGap="SHIFT")
        case("0 */2 * * *", zone, day, 3, 30)
    for zone, day in back:
        for overlap in ("AUTO", "FIRST", "BOTH"):
            case("30 1 * * *", zone, day, 3, dstOverlap=overlap)
            case("*/30 0-3 * * *", zone, day, 2, 24, dstOverlap=overlap)
        case("0 0,15 0,2,23 * * ?", zone, day, 2, 16)
        case("59 23 * * *", zone, day, 3)
        case("0 0 * * *", zone, day, 3)


def seconds_in_changes():
    case("*/20 59 1,2,3 * * ?", "Europe/Berlin", "2021-03-28", 1, 20)
    case("*/20 59 1,2,3 * * ?", "Europe/Berlin", "2021-10-31", 1, 20)
    case("15,45 0 2 * * ?", "Europe/Berlin", "2021-10-31", 1, 20)
    case("15,45 0 2 * * ?", "Europe/Berlin", "2021-10-31", 1, 20, dstOverlap="BOTH")
    case("15,45 29 2 * * ?", "Europe/Berlin", "2021-03-28", 1, 20, dstGap="SHIFT")
    case("0/15 30 1 * * ?", "Australia/Lord_Howe", "2021-04-03", 1, 20)
    case("0/15 30 1 * * ?", "Australia/Lord_Howe", "2021-04-03", 1, 20, dstOverlap="FIRST")
    case("0/15 15 2 * * ?", "Australia/Lord_Howe", "2021-10-02", 1, 20)
    case("7 7 7 * * ? 2020-2021", "Asia/Kolkata", "2021-12-29", 5)


def calendars():
    case("0 12 29 2 *", "UTC", "1999-01-01", 3700)
    case("0 12 29 2 *", "Asia/Tokyo", "1996-01-01", 3000)
    case("59 23 31 12 *", "America/Los_Angeles", "2015-06-01", 1500)
    case("0 0 1 1 *", "Pacific/Kiritimati", "2015-06-01", 1500)
    case("@yearly", "Pacific/Auckland", "2015-06-01", 1500)
    case("@monthly", "America/Bogota", "2019-11-15", 300)
    case("@weekly", "Asia/Dubai", "2020-02-15", 60)
    case("@hourly", "Asia/Kolkata", "2020-02-28", 1, 12)
    case("@daily", "America/Sao_Paulo", "2018-10-30", 10)
    case("0 8 31 * *", "Europe/Paris", "2021-01-01", 400)
    case("0 8 30,31 2,4 *", "Europe/Paris", "2020-01-01", 900)
    case("0 9 L * *", "Europe/London", "2019-12-15", 400, 14)
    case("0 9 L-1 * *", "Europe/London", "2020-01-15", 400, 14)
    case("0 9 L-30 * *", "Europe/London", "2020-01-15", 400, 14)
    case("0 9 LW * *", "America/Chicago", "2020-01-15", 400, 14)
    case("0 9 1W * *", "America/Chicago", "2020-01-15", 600, 20)
    case("0 9 15W * *", "America/Chicago", "2020-01-15", 400, 14)
    case("0 9 31W * *", "America/Chicago", "2020-01-15", 600, 14)
    case("0 9 29W 2 *", "America/Chicago", "2015-01-15", 3000, 14)
    case("0 9 1W,15W,LW * *", "Asia/Singapore", "2020-01-15", 200, 16)
    case("0 9 L,15 * *", "Asia/Singapore", "2020-01-15", 200, 12)
    case("0 9 * * MON#1", "Europe/Madrid", "2020-01-15", 300)
    case("0 9 * * FRI#5", "Europe/Madrid", "2020-01-15", 700)
    case("0 9 * * 5L", "Europe/Madrid", "2020-01-15", 300)
    case("0 0 9 ? * 6L", "Europe/Madrid", "2020-01-15", 300)
    case("0 0 9 ? * 6#3", "Europe/Madrid", "2020-01-15", 300)
    case("0 0 9 ? * L", "Europe/Madrid", "2020-01-15", 40)
    case("0 0 9 ? * 2-6", "Europe/Madrid", "2020-01-15", 14)
    case("0 9 * * MON#1,FRIL", "Europe/Madrid", "2020-01-15", 120)
    case("0 9 ? * SUN#2,3#4", "Europe/Madrid", "2020-01-15", 120)


def day_rules():
    case("0 9 13 * FRI", "Europe/Rome", "2020-01-01", 60, 16)
    case("0 9 13 * FRI", "Europe/Rome", "2020-01-01", 1200, 8, dayMatch="AND")
    case("0 0 9 13 * FRI", "Europe/Rome", "2020-01-01", 1200, 8, dialect="spring")
    case("0 0 9 13 * 5", "Europe/Rome", "2020-01-01", 1200, 8, dialect="spring")
    case("0 0 9 13 * 6", "Europe/Rome", "2020-01-01", 60, 12)
    case("0 0 9 13 * 5", "Europe/Rome", "2020-01-01", 60, 12, dialect="unix")
    case("0 9 ? * 6", "Europe/Rome", "2020-01-01", 40, 8, dialect="quartz")
    case("0 9 1-7 * MON", "Europe/Rome", "2020-01-01", 300, 10, dayMatch="AND")
    case("0 9 */2 * 1-5", "Europe/Rome", "2020-01-28", 20, 20)
    case("0 9 */2 * 1-5", "Europe/Rome", "2020-01-28", 20, 20, dayMatch="AND")
    case("0 9 L * SUN", "Europe/Rome", "2020-01-01", 60, 16)
    case("0 9 LW * 0", "Europe/Rome", "2020-01-01", 60, 16)
    case("0 9 15W * 3#1", "Europe/Rome", "2020-01-01", 100, 16)


def ranges():
    case("0 22-2 * * *", "Asia/Tokyo", "2020-05-01", 3, 14)
    case("0 22-3/2 * * *", "Asia/Tokyo", "2020-05-01", 3, 14)
    case("50-10/5 12 * * *", "Asia/Tokyo", "2020-05-01", 2, 12)
    case("0 9 25-5/3 * *", "Asia/Tokyo", "2020-02-20", 60, 20)
    case("0 9 1 NOV-FEB *", "Asia/Tokyo", "2020-05-01", 800, 12)
    case("0 9 1 11-3/2 *", "Asia/Tokyo", "2020-05-01", 800, 12)
    case("0 9 * * FRI-TUE", "Asia/Tokyo", "2020-05-01", 14, 14)
    case("0 9 * * 5-2/2", "Asia/Tokyo", "2020-05-01", 21, 14)
    case("0 9 * * 5-7", "Asia/Tokyo", "2020-05-01", 14, 14)
    case("0 9 * * 7-2", "Asia/Tokyo", "2020-05-01", 14, 14)
    case("0 9 * * 0-7/2", "Asia/Tokyo", "2020-05-01", 14, 14)
    case("0 9 * * 1/2", "Asia/Tokyo", "2020-05-01", 14, 14)
    case("0 9 * * SAT-SUN", "Asia/Tokyo", "2020-05-01", 21, 14)
    case("0 0 9 ? * 6-2", "Asia/Tokyo", "2020-05-01", 14, 14)
    case("0 0 9 ? * SAT-MON/2", "Asia/Tokyo", "2020-05-01", 28, 14)
    case("0 0 9 ? * 1/3", "Asia/Tokyo", "2020-05-01", 14, 14)
    case("5/25 7/8 * * *", "Asia/Tokyo", "2020-05-01", 2, 14)
    case("*/7 23 * * *", "Asia/Tokyo", "2020-05-01", 2, 18)
    case("*/59 */23 * * *", "Asia/Tokyo", "2020-05-01", 2, 12)
    case("0 0 */31 */12 *", "Asia/Tokyo", "2018-05-01", 1500, 12)
    case("1,3,5-7,*/30 4 * * *", "Asia/Tokyo", "2020-05-01", 2, 16)
    case("0 0 0 1 1 ? 2020/2", "Asia/Tokyo", "2018-05-01", 1600, 12)
    case("0 0 0 1 JAN,jul ? 2019,2021", "Asia/Tokyo", "2018-05-01", 1600, 12)
    case("58-2/2 0 0 * * ?", "Asia/Tokyo", "2020-05-01", 2, 12)


def main():
    for group in (clock_changes, seconds_in_changes, calendars, day_rules, ranges):
        group()
    total, zones = 0, set()
    for number, (text, name, begin, days, keep, options) in enumerate(CASES, 1):
        start = int(datetime.fromisoformat(begin).replace(tzinfo=timezone.utc).timestamp())
        expr = Expression(text, options.get("dialect"), options.get("dayMatch"))
        zone = ZoneInfo(name)
        times = fires(expr, zone, start, start + days * 86400, options.get("dstGap", "RUN"),
                      options.get("dstOverlap", "AUTO"))[:keep]
        if not times:
            sys.exit(f"case {number} ({text} {name} {begin}) gives no fire: the window is wrong")
        line = {"id": number, "expr": text, "tz": name, "from": begin + "T00:00:00Z", "count": len(times), **options,
                "next": [datetime.fromtimestamp(t, zone).isoformat().replace("+00:00", "Z") for t in times]}
        print(json.dumps(line, separators=(",", ":")))
        total += len(times)
        zones.add(name)
    print(f"{len(CASES)} expressions, {total} fires, {len(zones)} zones", file=sys.stderr)


if __name__ == "__main__":
    main()
