// SPDX-License-Identifier: Apache-2.0
// Compiled schedules: cron, interval and once behind one question. Pure apart from the reading of a
// zone at compile time; the objects never change, so no locks.
#include "sched/next_fire.h"

#include <stdatomic.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/rng.h"
#include "sched/cron_next.h"
#include "sched/jitter.h"

enum {
    KEY_TEXT_MAX = SCHEDULE_EXPRESSION_MAX + ZONE_NAME_MAX + 2,
    PREV_WINDOW_S = 64, // first look back of schedule_prev; each further one is PREV_GROWTH times as long
    PREV_GROWTH = 4,
};

struct schedule {
    _Atomic uint32_t refs;
    uint8_t kind; // enum schedule_kind
    uint8_t anchor, gap, overlap;
    struct instant start_at; // first instant allowed; {0} when not given
    struct instant last_at;  // last instant allowed: endAt itself is not
    struct instant origin;   // INTERVAL: the grid's; ONCE: the instant
    struct duration interval;
    struct duration jitter;
    struct zone *zone; // CRON
    struct cron cron;
};

uint64_t schedule_seed(struct ulid job_id)
{
    static const uint8_t key[16] = "chronos job seed";
    return hash_bytes(key, job_id.b, sizeof job_id.b);
}

static bool is_cron(const struct schedule_spec *spec) { return spec->kind == SCHEDULE_CRON; }

struct ulid schedule_key(const struct schedule_spec *spec, struct instant anchor_at, uint64_t seed)
{
    struct {
        int64_t numbers[12];
        char text[KEY_TEXT_MAX];
    } in;
    bool interval = spec->kind == SCHEDULE_INTERVAL;
    struct str expr = is_cron(spec) ? spec->cron_expression : STR_NONE;
    struct str zone = is_cron(spec) ? spec->timezone : STR_NONE;
    bool fits = expr.n <= SCHEDULE_EXPRESSION_MAX && zone.n <= ZONE_NAME_MAX;
    if (!fits)
        expr = zone = STR_NONE; // refused by schedule_compile anyway
    int64_t numbers[12] = {
        spec->kind,
        spec->start_at.us,
        spec->end_at.us,
        spec->jitter_seconds,
        spec->kind == SCHEDULE_ONCE ? spec->run_at.us : 0,
        interval ? schedule_interval(spec).us : 0,
        interval ? anchor_at.us : 0,
        interval ? spec->anchor : 0,
        is_cron(spec) ? spec->dst_gap * 8 + spec->dst_overlap : 0,
        is_cron(spec) ? spec->day_match * 8 + spec->dialect : 0,
        is_cron(spec) && cron_uses_hash(expr) ? (int64_t)seed : 0,
        (int64_t)expr.n,
    };
    memcpy(in.numbers, numbers, sizeof numbers);
    if (expr.n > 0)
        memcpy(in.text, expr.p, expr.n);
    if (zone.n > 0)
        memcpy(in.text + expr.n, zone.p, zone.n);
    return map_key(&in, sizeof in.numbers + expr.n + zone.n);
}

static bool compile_cron(struct zones *zs, const struct schedule_spec *spec, uint64_t seed,
                         struct schedule *s, struct cron_fault *fault, struct err *err)
{
    struct cron_options options = {.dialect = (enum cron_dialect)spec->dialect,
                                   .day_match = (enum day_match)spec->day_match,
                                   .seed = seed};
    if (!spec->cron_expression.p) {
        ERR(err, ERR_INVALID, "schedule type CRON needs a \"cronExpression\"");
        return err_at(err, "/cronExpression");
    }
    if (!cron_parse(spec->cron_expression, &options, &s->cron, fault, err))
        return err_at(err, "/cronExpression");
    if (!zones_get(zs, spec->timezone, &s->zone, err))
        return err_at(err, "/timezone");
    s->gap = (uint8_t)spec->dst_gap;
    s->overlap = (uint8_t)spec->dst_overlap;
    return true;
}

static bool compile_kind(struct zones *zs, const struct schedule_spec *spec, struct instant anchor_at,
                         uint64_t seed, struct schedule *s, struct cron_fault *fault, struct err *err)
{
    switch ((enum schedule_kind)spec->kind) {
    case SCHEDULE_MANUAL:
        return true;
    case SCHEDULE_CRON:
        return compile_cron(zs, spec, seed, s, fault, err);
    case SCHEDULE_ONCE:
        s->origin = spec->run_at;
        return true;
    case SCHEDULE_INTERVAL:
        s->origin = instant_is_never(spec->start_at) ? anchor_at : spec->start_at;
        s->interval = schedule_interval(spec);
        s->anchor = (uint8_t)spec->anchor;
        if (s->interval.us > 0 && !instant_is_never(s->origin))
            return true;
        ERR(err, ERR_INVALID,
            "schedule type INTERVAL needs \"intervalSeconds\" or \"intervalMs\" above zero");
        return err_at(err, "/intervalSeconds");
    case SCHEDULE_RRULE:
        ERR(err, ERR_INVALID, "RRULE schedules are not supported yet; use a cron expression or an interval");
        return err_at(err, "/rrule");
    }
    ERR(err, ERR_INVALID, "schedule type %d does not exist", spec->kind);
    return err_at(err, "/scheduleType");
}

bool schedule_compile(struct zones *zs, const struct schedule_spec *spec, struct instant anchor_at,
                      uint64_t seed, struct schedule **ret, struct cron_fault *ret_fault, struct err *err)
{
    struct schedule s = {.kind = (uint8_t)spec->kind, .last_at = spec->end_at};
    if (ret_fault)
        *ret_fault = (struct cron_fault){0};
    s.start_at = instant_is_never(spec->start_at) ? (struct instant){0} : spec->start_at;
    if (!instant_is_never(s.last_at))
        s.last_at.us--;
    if (spec->jitter_seconds > 0)
        s.jitter = duration_s(spec->jitter_seconds);
    if (!compile_kind(zs, spec, anchor_at, seed, &s, ret_fault, err))
        return false;
    struct schedule *made = mem_new(struct schedule);
    *made = s;
    atomic_init(&made->refs, 1);
    *ret = made;
    return true;
}

struct schedule *schedule_ref(const struct schedule *s)
{
    struct schedule *held = (struct schedule *)s;
    atomic_fetch_add_explicit(&held->refs, 1, memory_order_relaxed);
    return held;
}

void schedule_unref(struct schedule *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    zone_unref(s->zone);
    mem_free(s);
}

bool schedule_stale(const struct schedule *s) { return s->zone && zone_superseded(s->zone); }

// Whole seconds, rounded down also before 1970.
static int64_t floor_s(struct instant t) { return t.us / US_PER_S - (t.us % US_PER_S < 0); }

static struct instant next_cron(const struct schedule *s, struct instant after, struct instant until)
{
    struct cron_search search = {.cron = &s->cron,
                                 .zone = s->zone,
                                 .gap = (enum dst_gap)s->gap,
                                 .overlap = (enum dst_overlap)s->overlap};
    int64_t t = cron_next(&search, floor_s(after), floor_s(until));
    return t == CRON_NEVER ? INSTANT_NEVER : instant_s(t);
}

static struct instant next_interval(const struct schedule *s, struct instant after)
{
    if (after.us < s->origin.us)
        return s->origin;
    int64_t k = (after.us - s->origin.us) / s->interval.us + 1, offset;
    if (__builtin_mul_overflow(k, s->interval.us, &offset))
        return INSTANT_NEVER;
    return instant_add(s->origin, (struct duration){offset});
}

struct instant schedule_next_until(const struct schedule *s, struct instant after, struct instant until)
{
    if (until.us > s->last_at.us)
        until = s->last_at;
    if (after.us < s->start_at.us - 1)
        after.us = s->start_at.us - 1; // startAt itself counts
    struct instant t = INSTANT_NEVER;
    if (after.us >= until.us)
        return t;
    switch ((enum schedule_kind)s->kind) {
    case SCHEDULE_CRON:
        t = next_cron(s, after, until);
        break;
    case SCHEDULE_INTERVAL:
        t = next_interval(s, after);
        break;
    case SCHEDULE_ONCE:
        t = s->origin.us > after.us ? s->origin : INSTANT_NEVER;
        break;
    case SCHEDULE_RRULE:
    case SCHEDULE_MANUAL:
        break;
    }
    return t.us <= until.us ? t : INSTANT_NEVER;
}

struct instant schedule_next(const struct schedule *s, struct instant after)
{
    return schedule_next_until(s, after, INSTANT_NEVER);
}

// The last cron fire ≤ last. schedule_next is monotone, so halving finds it in about forty questions; a
// second search that runs backwards would have to repeat every rule of the first one, and could differ from
// it.
static struct instant prev_cron(const struct schedule *s, struct instant last)
{
    int64_t window = PREV_WINDOW_S * US_PER_S, floor = s->start_at.us - 1;
    struct instant lo, found;
    do { // widen until the window holds a fire
        lo.us = last.us - window < floor ? floor : last.us - window;
        found = schedule_next_until(s, lo, last);
        window *= PREV_GROWTH;
    } while (instant_is_never(found) && lo.us > floor);
    if (instant_is_never(found))
        return found;
    struct instant hi = last; // found is a fire; none lies in (hi, last]
    while (hi.us - found.us >= US_PER_S) {
        struct instant mid = {found.us + (hi.us - found.us) / 2};
        struct instant next = schedule_next_until(s, mid, hi);
        if (instant_is_never(next))
            hi = mid;
        else
            found = next;
    }
    return found;
}

static struct instant prev_interval(const struct schedule *s, struct instant last)
{
    if (last.us < s->origin.us)
        return INSTANT_NEVER;
    int64_t k = (last.us - s->origin.us) / s->interval.us;
    return instant_add(s->origin, (struct duration){k * s->interval.us});
}

struct instant schedule_prev(const struct schedule *s, struct instant before)
{
    struct instant last = {before.us - 1}, t = INSTANT_NEVER;
    if (last.us > s->last_at.us)
        last = s->last_at;
    if (last.us < s->start_at.us)
        return t;
    switch ((enum schedule_kind)s->kind) {
    case SCHEDULE_CRON:
        if (floor_s(last) > CRON_LAST_S)
            last = instant_s(CRON_LAST_S);
        t = prev_cron(s, last);
        break;
    case SCHEDULE_INTERVAL:
        t = prev_interval(s, last);
        break;
    case SCHEDULE_ONCE:
        t = s->origin.us <= last.us ? s->origin : INSTANT_NEVER;
        break;
    case SCHEDULE_RRULE:
    case SCHEDULE_MANUAL:
        break;
    }
    return t.us >= s->start_at.us ? t : INSTANT_NEVER;
}

static int64_t count_interval(const struct schedule *s, struct instant after, struct instant until)
{
    struct instant first = schedule_next_until(s, after, until),
                   last = schedule_prev(s, (struct instant){until.us + 1});
    return instant_is_never(first) ? 0 : (last.us - first.us) / s->interval.us + 1;
}

int64_t schedule_count(const struct schedule *s, struct instant after, struct instant until,
                       int64_t count_max, bool *ret_estimated)
{
    *ret_estimated = false;
    if (instant_is_never(until))
        until.us--;
    if (s->kind == SCHEDULE_INTERVAL)
        return count_interval(s, after, until);
    int64_t n = 0;
    struct instant t = after;
    if (count_max < 1)
        count_max = 1;
    for (;;) {
        struct instant next = schedule_next_until(s, t, until);
        if (instant_is_never(next))
            return n;
        if (n >= count_max)
            break;
        n++;
        t = next;
    }
    *ret_estimated = true;
    // Those counted lie in (after, t]; the rest of the time is taken to be as full.
    double density = (double)n / (double)(t.us - after.us);
    return n + (int64_t)(density * (double)(until.us - t.us));
}

struct instant schedule_next_after_end(const struct schedule *s, struct instant ended)
{
    if (!schedule_waits_for_end(s))
        return schedule_next(s, ended);
    struct instant t = instant_add(ended, s->interval);
    if (t.us < s->start_at.us)
        t = s->start_at;
    return t.us <= s->last_at.us ? t : INSTANT_NEVER;
}

struct instant schedule_due(const struct schedule *s, uint64_t seed, struct instant occurrence)
{
    if (s->jitter.us <= 0 || instant_is_never(occurrence))
        return occurrence;
    struct instant horizon = instant_add(occurrence, s->jitter);
    return jitter_apply(occurrence, s->jitter, schedule_next_until(s, occurrence, horizon), seed);
}

bool schedule_waits_for_end(const struct schedule *s)
{
    return s->kind == SCHEDULE_INTERVAL && s->anchor == ANCHOR_END;
}

enum schedule_kind schedule_kind_of(const struct schedule *s) { return (enum schedule_kind)s->kind; }

const struct cron *schedule_cron(const struct schedule *s)
{
    return s->kind == SCHEDULE_CRON ? &s->cron : NULL;
}

const struct zone *schedule_zone(const struct schedule *s) { return s->zone; }

enum dst_gap schedule_gap(const struct schedule *s) { return (enum dst_gap)s->gap; }

enum dst_overlap schedule_overlap(const struct schedule *s) { return (enum dst_overlap)s->overlap; }
