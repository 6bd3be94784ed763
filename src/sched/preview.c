// SPDX-License-Identifier: Apache-2.0
// Notes look at the clock changes between two fires and ask the expression which wall times they hit.
// Wording: experience.md, page "schedule preview".
#include "sched/preview.h"

#include "base/sbuf.h"
#include "sched/cron_next.h"

enum {
    CHANGES_MAX = 8, // clock changes looked at between two fires
    WARNINGS_MAX = 8,
    CLOCK_MAX = 32, // "YYYY-MM-DD HH:MM:SS"
    SHORTEST_MONTH = 28,
};
#define YEAR_S (INT64_C(366) * 86400)

// "02:30", with seconds only when there are any.
static const char *clock_text(int64_t local_s, char buf[static CLOCK_MAX])
{
    struct civil c = civil_from_s(local_s);
    if (c.second)
        snprintf(buf, CLOCK_MAX, "%02d:%02d:%02d", c.hour % 24, c.minute % 60, c.second % 60);
    else
        snprintf(buf, CLOCK_MAX, "%02d:%02d", c.hour % 24, c.minute % 60);
    return buf;
}

static const char *date_text(int64_t local_s, char buf[static CLOCK_MAX])
{
    struct civil c = civil_from_s(local_s);
    snprintf(buf, CLOCK_MAX, "%04d-%02d-%02d", c.year, c.month, c.day);
    return buf;
}

// "02:00 to 03:00"; with dates when the clock jumps over midnight.
static struct str jump_text(int64_t from_s, int64_t to_s, struct arena *a)
{
    char from[CLOCK_MAX], to[CLOCK_MAX], from_day[CLOCK_MAX], to_day[CLOCK_MAX];
    clock_text(from_s, from);
    clock_text(to_s, to);
    if (from_s / S_PER_DAY == to_s / S_PER_DAY)
        return arena_fmt(a, "%s to %s", from, to);
    return arena_fmt(a, "%s %s to %s %s", date_text(from_s, from_day), from, date_text(to_s, to_day), to);
}

// What happened with the wall times that the change at the start of the span left out. fire_s = the fire the
// note stands beside. Empty when the expression hits none of them.
static struct str gap_note(const struct schedule *s, const struct zone_span *span, int64_t fire_s,
                           struct arena *a)
{
    const struct cron *cron = schedule_cron(s);
    int64_t missing = span->begin_s + span->before_s, end = span->begin_s + span->offset_s;
    uint32_t steps = 0;
    int64_t hit = cron_next_local(cron, missing, end, &steps);
    if (hit == CRON_NEVER)
        return STR_NONE;
    // Everyone who asked for every hour or minute gets what they expect: nothing to explain.
    bool regular = fire_s == span->begin_s && cron_matches(cron, end) && (cron->flags & CRON_WILD_TIME);
    if (regular)
        return STR_NONE;
    char t[CLOCK_MAX], day[CLOCK_MAX], run[CLOCK_MAX];
    struct str head =
        arena_fmt(a, "%s does not exist in %s on %s (clocks jump from %.*s)", clock_text(hit, t),
                  zone_name(schedule_zone(s)), date_text(hit, day), STR_ARG(jump_text(missing, end, a)));
    int64_t at = schedule_gap(s) == DST_GAP_RUN ? span->begin_s : hit - span->before_s;
    if (schedule_gap(s) == DST_GAP_SKIP)
        return arena_fmt(a, "%.*s; policy SKIP: does not run then", STR_ARG(head));
    return arena_fmt(a, "%.*s; policy %s: runs at %s %s", STR_ARG(head), dst_gap_names[schedule_gap(s)],
                     clock_text(at + span->offset_s, run), span->abbr);
}

// The fire lies in an hour that the clock shows twice.
static struct str overlap_note(const struct schedule *s, const struct zone_span *span, int64_t fire_s,
                               struct arena *a)
{
    int64_t back_after = span->offset_s - span->after_s, back_before = span->before_s - span->offset_s;
    bool first = back_after > 0 && span->end_s != INT64_MAX && fire_s >= span->end_s - back_after;
    bool second = back_before > 0 && span->begin_s != INT64_MIN && fire_s < span->begin_s + back_before;
    if (!first && !second)
        return STR_NONE;
    struct cron_search rule = {.cron = schedule_cron(s), .overlap = schedule_overlap(s)};
    char t[CLOCK_MAX], day[CLOCK_MAX];
    int64_t local = fire_s + span->offset_s;
    const char *policy = dst_overlap_names[schedule_overlap(s)];
    struct str head = arena_fmt(a, "%s happens twice in %s on %s", clock_text(local, t),
                                zone_name(schedule_zone(s)), date_text(local, day));
    if (cron_runs_twice(&rule))
        return arena_fmt(a, "%.*s; policy %s: runs both times, this is the %s, %s", STR_ARG(head), policy,
                         second ? "second" : "first", span->abbr);
    return arena_fmt(a, "%.*s; policy %s: runs once, the first time, %s", STR_ARG(head), policy, span->abbr);
}

static struct str fire_note(const struct schedule *s, int64_t before_s, int64_t fire_s, struct arena *a)
{
    uint32_t hint = 0;
    struct zone_span span = zone_span_at(schedule_zone(s), fire_s, &hint);
    struct str note = overlap_note(s, &span, fire_s, a);
    for (int i = 0; !note.p && i < CHANGES_MAX && span.begin_s != INT64_MIN && span.begin_s > before_s; i++) {
        if (span.offset_s > span.before_s)
            note = gap_note(s, &span, fire_s, a);
        span = zone_span_at(schedule_zone(s), span.begin_s - 1, &hint);
    }
    return note.p ? note : STR("");
}

bool schedule_preview(const struct schedule *s, struct instant from, size_t n, struct fires *ret,
                      struct arena *a, struct err *err)
{
    if (n > PREVIEW_MAX)
        n = PREVIEW_MAX;
    struct fires list = {arena_new_array(a, struct fire, n + 1), 0};
    const struct zone *zone = schedule_zone(s);
    struct instant before = from;
    while (list.v && list.n < n) {
        struct instant at = schedule_next(s, before);
        if (instant_is_never(at))
            break;
        struct fire *f = &list.v[list.n++];
        *f = (struct fire){.at = at, .abbr = STR("UTC"), .note = STR("")};
        if (zone) {
            int64_t fire_s = at.us / US_PER_S;
            struct zone_span span = zone_span_at(zone, fire_s, NULL);
            f->offset_s = span.offset_s;
            f->abbr = arena_str(a, str_of(span.abbr));
            f->note = fire_note(s, before.us / US_PER_S, fire_s, a);
        }
        before = at;
    }
    if (!list.v || a->exhausted)
        return ERR(err, ERR_FULL, "no memory for a preview of %zu fires", n);
    *ret = list;
    return true;
}

static void warn(struct strs *w, struct str sentence)
{
    if (sentence.p && w->n < WARNINGS_MAX)
        w->v[w->n++] = sentence;
}

static struct str uneven_text(const char *field, uint64_t bits, int size, struct arena *a)
{
    int first = __builtin_ctzll(bits);
    uint64_t rest = bits & (bits - 1);
    int step = rest ? __builtin_ctzll(rest) - first : size;
    int last = 63 - __builtin_clzll(bits);
    if (!rest || first != 0 || size % step == 0)
        return STR_NONE;
    return arena_fmt(a, "a step of %d does not divide the %s field evenly: from %d to 0 it is only %d", step,
                     field, last, size - last);
}

// The only days asked for are ones that some months do not have.
static struct str short_months_text(const struct cron *c, struct arena *a)
{
    bool decides = !(c->flags & CRON_DOM_ANY) && ((c->flags & CRON_DOW_ANY) || (c->flags & CRON_BOTH));
    if (!decides || c->last || c->near || c->last_near || !c->dom)
        return STR_NONE;
    int day = __builtin_ctz(c->dom);
    if (day <= SHORTEST_MONTH)
        return STR_NONE;
    static const char *const names[] = {"January",   "February", "March",    "April",
                                        "May",       "June",     "July",     "August",
                                        "September", "October",  "November", "December"};
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct sbuf list;
    sbuf_init(&list, a, 256);
    for (int m = 0; m < 12; m++)
        if ((c->month >> (m + 1) & 1) && days[m] < day)
            sbuf_fmt(&list, "%s%s", list.n ? ", " : "", names[m]);
    if (list.n == 0)
        return STR_NONE;
    return arena_fmt(
        a, "day %d does not exist in every month: nothing runs in %.*s%s (\"L\" means the last day)", day,
        STR_ARG(sbuf_str(&list)), day == 29 ? " outside leap years" : "");
}

static void cron_warnings(const struct cron *c, struct strs *w, struct arena *a)
{
    if (!(c->flags & (CRON_DOM_ANY | CRON_DOW_ANY | CRON_BOTH)))
        warn(w, STR("day of month and weekday are both set: it runs when either matches; dayMatch AND asks "
                    "for both"));
    warn(w, short_months_text(c, a));
    if (!(c->flags & CRON_UNEVEN))
        return;
    warn(w, uneven_text("second", c->second, 60, a));
    warn(w, uneven_text("minute", c->minute, 60, a));
    warn(w, uneven_text("hour", c->hour, 24, a));
}

struct strs schedule_warnings(const struct schedule *s, struct instant from, struct arena *a)
{
    struct strs w = {arena_new_array(a, struct str, WARNINGS_MAX), 0};
    if (!w.v || schedule_kind_of(s) == SCHEDULE_MANUAL)
        return w;
    struct instant next = schedule_next(s, from);
    char text[INSTANT_TEXT_MAX];
    if (instant_is_never(next))
        warn(&w, arena_fmt(a, "it never fires after %s", instant_format(from, text)));
    else if (instant_since(next, from).us > YEAR_S * US_PER_S)
        warn(&w, arena_fmt(a, "its next fire is more than a year away: %s", instant_format(next, text)));
    if (schedule_cron(s))
        cron_warnings(schedule_cron(s), &w, a);
    return w;
}
