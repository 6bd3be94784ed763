// SPDX-License-Identifier: Apache-2.0
// Look-ups in one zone. Pure and lock-free: the object never changes after zone_parse.
#include "sched/zone.h"

#include "base/mem.h"
#include "sched/zone_data.h"

// No offset is larger than this (RFC 9636 3.2 allows −25 h … +26 h, both ends excluded).
#define OFFSET_MAX_S (INT64_C(26) * 3600)

struct zone *zone_ref(const struct zone *z)
{
    struct zone *held = (struct zone *)z;
    atomic_fetch_add_explicit(&held->refs, 1, memory_order_relaxed);
    return held;
}

void zone_unref(struct zone *z)
{
    if (z && atomic_fetch_sub_explicit(&z->refs, 1, memory_order_acq_rel) == 1)
        mem_free(z);
}

const char *zone_name(const struct zone *z) { return z->name; }

bool zone_superseded(const struct zone *z)
{
    return atomic_load_explicit(&z->superseded, memory_order_acquire);
}

void zone_supersede(struct zone *z) { atomic_store_explicit(&z->superseded, true, memory_order_release); }

// Number of transitions at or before t = index of the span that contains t.
static uint32_t span_index(const struct zone *z, int64_t t)
{
    uint32_t lo = 0, hi = z->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (z->at[mid] <= t)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool span_holds(const struct zone *z, uint32_t i, int64_t t)
{
    return i <= z->n && (i == 0 || z->at[i - 1] <= t) && (i == z->n || t < z->at[i]);
}

struct zone_span zone_span_at(const struct zone *z, int64_t utc_s, uint32_t *hint)
{
    int64_t shift = 0;
    if (utc_s >= z->cycle_s)
        shift = ((utc_s - z->cycle_s) / ZONE_CYCLE_S + 1) * ZONE_CYCLE_S;
    int64_t t = utc_s - shift;
    uint32_t i;
    if (hint && span_holds(z, *hint, t))
        i = *hint;
    else
        i = span_index(z, t);
    if (hint)
        *hint = i;
    const struct zone_type *type = &z->types[z->kind[i]];
    return (struct zone_span){
        .begin_s = i == 0 ? INT64_MIN : z->at[i - 1] + shift,
        .end_s = i == z->n ? INT64_MAX : z->at[i] + shift,
        .offset_s = type->offset_s,
        .before_s = z->types[z->kind[i == 0 ? 0 : i - 1]].offset_s,
        .after_s = z->types[z->kind[i == z->n ? i : i + 1]].offset_s,
        .dst = type->dst,
        .abbr = type->abbr,
    };
}

struct wall zone_wall(const struct zone *z, int64_t local_s)
{
    struct wall found = {.kind = WALL_GAP};
    bool seen = false;
    uint32_t hint = 0;
    // Every instant that could show the wall time lies within one largest offset of it.
    int64_t t = local_s - OFFSET_MAX_S, last = local_s + OFFSET_MAX_S;
    for (;;) {
        struct zone_span s = zone_span_at(z, t, &hint);
        int64_t u = local_s - s.offset_s;
        bool inside = u >= s.begin_s && u < s.end_s;
        if (inside && !seen) {
            seen = true;
            found = (struct wall){WALL_UNIQUE, u, u, 0};
        } else if (inside && found.kind == WALL_UNIQUE) {
            found = (struct wall){WALL_OVERLAP, found.first_s, u, s.begin_s};
        } else if (!seen && s.begin_s != INT64_MIN && local_s >= s.begin_s + s.before_s &&
                   local_s < s.begin_s + s.offset_s) {
            found = (struct wall){WALL_GAP, local_s - s.before_s, u, s.begin_s};
        }
        if (s.end_s > last)
            return found;
        t = s.end_s;
    }
}
