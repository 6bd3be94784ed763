// SPDX-License-Identifier: Apache-2.0
// Splits the occurrences from due to now into misfired, late and future ones, and applies the policy
// to the first part. Pure.
#include "sched/misfire.h"

static struct instant start_of(const struct misfire_question *q, struct instant occurrence)
{
    return schedule_due(q->schedule, q->seed, occurrence);
}

// The occurrence after that one, or never while it waits for the end of a run.
static struct instant follow(const struct misfire_question *q, struct instant occurrence)
{
    return schedule_waits_for_end(q->schedule) ? INSTANT_NEVER : schedule_next(q->schedule, occurrence);
}

// The instant before which a start is misfired.
static struct instant misfire_border(const struct misfire_question *q)
{
    int64_t threshold = q->threshold.us > 0 ? q->threshold.us : 0;
    return (struct instant){q->now.us - threshold};
}

// The newest misfired occurrence; due itself is known to be one.
static struct instant newest_misfired(const struct misfire_question *q, struct instant border)
{
    if (schedule_waits_for_end(q->schedule))
        return q->due;
    struct instant t = schedule_prev(q->schedule, border);
    // Jitter may carry the last one over the border, but never the one before it past the last one.
    if (!instant_is_never(t) && t.us > q->due.us && start_of(q, t).us >= border.us)
        t = schedule_prev(q->schedule, t);
    return instant_is_never(t) || t.us < q->due.us ? q->due : t;
}

// Occurrences that are dropped: from first to last, both included.
static void drop(const struct misfire_question *q, enum misfire_fate fate, struct instant first,
                 struct instant last, struct misfire_decision *d)
{
    d->fate = fate;
    d->dropped_first = first;
    d->dropped_last = last;
    d->dropped_n = 1;
    if (first.us < last.us)
        d->dropped_n += schedule_count(q->schedule, first, last, MISFIRE_COUNT_MAX, &d->dropped_estimated);
}

// Applies the policy to due … newest. Puts what is to run into run (NULL: only counts) and returns how many.
static size_t catch_up(const struct misfire_question *q, struct instant newest, struct instant *run,
                       struct misfire_decision *d)
{
    if (q->policy == MISFIRE_FIRE_NOW) {
        if (run)
            run[0] = newest;
        if (q->due.us == newest.us)
            return 1;
        struct instant older = schedule_prev(q->schedule, newest);
        if (instant_is_never(older) || older.us < q->due.us)
            older = q->due;
        if (run)
            drop(q, FATE_COALESCED, q->due, older, d);
        return 1;
    }
    if (q->policy != MISFIRE_FIRE_ALL) {
        if (run)
            drop(q, FATE_MISSED, q->due, newest, d);
        return 0;
    }
    int64_t max = q->catch_up_max < 1 ? 1 : q->catch_up_max;
    if (max > SCHEDULE_CATCH_UP_MAX)
        max = SCHEDULE_CATCH_UP_MAX;
    size_t n = 0;
    struct instant t = q->due;
    for (; (int64_t)n < max && t.us <= newest.us; t = follow(q, t)) {
        if (run)
            run[n] = t;
        n++;
    }
    if (run && t.us <= newest.us)
        drop(q, FATE_MISSED, t, newest, d);
    return n;
}

// Late occurrences from t on. Returns how many; *ret_next is the first that is left.
static size_t late(const struct misfire_question *q, struct instant t, struct instant *run,
                   struct instant *ret_next)
{
    size_t n = 0;
    for (; n < MISFIRE_LATE_MAX && !instant_is_never(t) && start_of(q, t).us <= q->now.us; t = follow(q, t)) {
        if (run)
            run[n] = t;
        n++;
    }
    *ret_next = t;
    return n;
}

bool misfire_decide(const struct misfire_question *q, struct misfire_decision *ret, struct arena *a,
                    struct err *err)
{
    struct misfire_decision d = {.dropped_first = INSTANT_NEVER, .dropped_last = INSTANT_NEVER};
    struct instant border = misfire_border(q), first_late = q->due, newest = INSTANT_NEVER;
    bool misfired = start_of(q, q->due).us < border.us;
    if (misfired) {
        newest = newest_misfired(q, border);
        first_late = follow(q, newest);
        d.catch_up_n = catch_up(q, newest, NULL, &d);
    }
    d.run_n = d.catch_up_n + late(q, first_late, NULL, &d.next);
    d.run = arena_new_array(a, struct instant, d.run_n + 1);
    if (!d.run)
        return ERR(err, ERR_FULL, "no memory for %zu occurrences of one job", d.run_n);
    if (misfired)
        catch_up(q, newest, d.run, &d);
    late(q, first_late, d.run + d.catch_up_n, &d.next);
    // Nothing runs, so no end will tell when to go on: wait from now.
    if (misfired && d.run_n == 0 && schedule_waits_for_end(q->schedule))
        d.next = schedule_next_after_end(q->schedule, q->now);
    *ret = d;
    return true;
}
