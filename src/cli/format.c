// SPDX-License-Identifier: Apache-2.0
// Times and durations as people write and read them.
#include "cli/format.h"

enum { MS_PER_S = 1000, S_PER_MINUTE = 60, S_PER_HOUR = 3600, TENTHS_BELOW_S = 60 };

struct str duration_text(struct duration d, struct arena *a)
{
    int64_t ms = d.us < 0 ? 0 : d.us / US_PER_MS, s = ms / MS_PER_S;
    if (ms < MS_PER_S)
        return arena_fmt(a, "%lld ms", (long long)ms);
    if (s < TENTHS_BELOW_S)
        return arena_fmt(a, "%lld.%lld s", (long long)s, (long long)(ms % MS_PER_S / 100));
    if (s < S_PER_HOUR)
        return arena_fmt(a, "%lld m %02lld s", (long long)(s / S_PER_MINUTE), (long long)(s % S_PER_MINUTE));
    if (s < S_PER_DAY)
        return arena_fmt(a, "%lld h %02lld m", (long long)(s / S_PER_HOUR),
                         (long long)(s % S_PER_HOUR / S_PER_MINUTE));
    return arena_fmt(a, "%lld d %02lld h", (long long)(s / S_PER_DAY), (long long)(s % S_PER_DAY / S_PER_HOUR));
}

struct str duration_exact(struct duration d, struct arena *a)
{
    static const struct { const char *name; int64_t us; } units[] = {
        {"d", S_PER_DAY * US_PER_S}, {"h", S_PER_HOUR * US_PER_S}, {"m", S_PER_MINUTE * US_PER_S}, {"s", US_PER_S},
        {"ms", US_PER_MS}};
    struct str text = STR("");
    int64_t left = d.us;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (left >= units[i].us)
            text = arena_fmt(a, "%.*s%lld%s", STR_ARG(text), (long long)(left / units[i].us), units[i].name);
        left %= units[i].us;
    }
    return text.n ? text : STR("0s");
}

struct str instant_relative(struct instant t, struct instant now, struct arena *a)
{
    struct duration d = instant_since(t, now);
    if (d.us > -US_PER_S && d.us < US_PER_S)
        return STR("now");
    // Whole seconds: "in 4.7 s" would change with every look.
    struct duration whole = duration_s((d.us < 0 ? -d.us : d.us) / US_PER_S);
    struct str text = duration_text(whole, a);
    if (whole.us < TENTHS_BELOW_S * US_PER_S)
        text = arena_fmt(a, "%lld s", (long long)(whole.us / US_PER_S));
    return d.us < 0 ? arena_fmt(a, "%.*s ago", STR_ARG(text)) : arena_fmt(a, "in %.*s", STR_ARG(text));
}

static int64_t unit_us(struct str unit)
{
    static const struct { const char *name; int64_t us; } units[] = {
        {"", US_PER_S}, {"ms", US_PER_MS}, {"s", US_PER_S}, {"m", S_PER_MINUTE * US_PER_S},
        {"h", S_PER_HOUR * US_PER_S}, {"d", S_PER_DAY * US_PER_S}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (str_is(unit, units[i].name))
            return units[i].us;
    }
    return 0;
}

bool duration_parse(struct str text, struct duration *ret, struct err *err)
{
    int64_t total = 0;
    size_t i = 0, parts = 0;
    bool good = text.n > 0;
    while (good && i < text.n) {
        size_t digits = i, letters;
        while (i < text.n && text.p[i] >= '0' && text.p[i] <= '9')
            i++;
        letters = i;
        while (i < text.n && (text.p[i] < '0' || text.p[i] > '9'))
            i++;
        struct str unit = {text.p + letters, i - letters};
        int64_t n = 0, us = unit_us(unit), part;
        // A number without a unit stands alone: "1h30" could mean minutes or seconds.
        good = str_to_i64((struct str){text.p + digits, letters - digits}, &n) && us > 0 &&
            (unit.n > 0 || (parts == 0 && i == text.n)) && !__builtin_mul_overflow(n, us, &part) &&
            !__builtin_add_overflow(total, part, &total);
        parts++;
    }
    if (!good)
        return ERR(err, ERR_INVALID, "\"%.*s\" is not a duration: give for example 30s, 500ms, 15m, 1h30m, 2d",
                   STR_ARG(text));
    *ret = (struct duration){total};
    return true;
}

bool instant_parse_relative(struct str text, struct instant now, struct instant *ret, struct err *err)
{
    struct duration d;
    struct err why;
    if (text.n > 1 && text.p[0] == '+') {
        if (!duration_parse((struct str){text.p + 1, text.n - 1}, &d, err))
            return false;
        *ret = instant_add(now, d);
        return true;
    }
    if (!instant_parse(text, ret, &why))
        return ERR(err, ERR_INVALID, "\"%.*s\" is not an instant: give for example 2027-03-28T02:30:00+02:00 or "
                   "+10m for ten minutes from now", STR_ARG(text));
    return true;
}
