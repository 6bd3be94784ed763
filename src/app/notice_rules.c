// SPDX-License-Identifier: Apache-2.0
// Rules against noise, see app/notice_rules.h.
#include "app/notice_rules.h"

#include "base/rng.h"

enum { HOUR_S = 3600 };

// ---- of a job ----------------------------------------------------------------------------------

void job_memory_init(struct job_memory *m)
{
    *m = (struct job_memory){.told_at = INSTANT_NEVER,
                             .missed_at = INSTANT_NEVER,
                             .slow_at = INSTANT_NEVER,
                             .overdue_at = INSTANT_NEVER};
}

bool job_memory_is_new(const struct job_memory *m)
{
    return !m->down && !m->open && !m->flapping && m->streak == 0 && m->history == 0 && m->n_flips == 0 &&
           instant_is_never(m->told_at) && instant_is_never(m->missed_at) && instant_is_never(m->slow_at) &&
           instant_is_never(m->overdue_at);
}

int64_t failure_signature(struct str error_class, struct str message)
{
    enum { SEEN_MAX = 200 };
    static const uint8_t key[16] = "chronos-failures"; // fixed: it is stored
    char text[SEEN_MAX];
    size_t n = 0;
    for (size_t i = 0; i < error_class.n && n < SEEN_MAX; i++)
        text[n++] = error_class.p[i];
    for (size_t i = 0; i < message.n && n < SEEN_MAX; i++)
        if (message.p[i] < '0' || message.p[i] > '9')
            text[n++] = message.p[i];
    return (int64_t)hash_bytes(key, text, n);
}

static void flip(struct job_memory *m, struct instant at)
{
    if (m->n_flips == FLIPS_KEPT)
        m->n_flips--;
    memmove(&m->flips[1], &m->flips[0], m->n_flips * sizeof m->flips[0]);
    m->flips[0] = at.us;
    m->n_flips++;
}

static int64_t flips_within_hour(const struct job_memory *m, struct instant now)
{
    int64_t n = 0;
    for (size_t i = 0; i < m->n_flips; i++)
        n += now.us - m->flips[i] < duration_s(HOUR_S).us;
    return n;
}

static struct duration repeat_of(const struct subscription *s) { return duration_s(s->repeat_hours * HOUR_S); }

static bool long_ago(const struct subscription *s, struct instant told, struct instant now)
{
    return instant_is_never(told) || instant_since(now, told).us >= repeat_of(s).us;
}

static bool enough_failures(const struct subscription *s, const struct job_memory *m)
{
    if (s->of_last == FIELD_ABSENT)
        return m->streak >= s->after;
    uint64_t mask = s->of_last >= SUBSCRIPTION_OF_LAST_MAX ? UINT64_MAX : (UINT64_C(1) << s->of_last) - 1;
    return __builtin_popcountll((uint64_t)m->history & mask) >= s->after;
}

// An outcome is remembered; true when the job flaps, and *ret_told says whether that is to be told now.
static bool outcome(const struct subscription *s, struct job_memory *m, bool bad, struct instant at, bool *ret_told)
{
    m->streak = bad ? m->streak + 1 : 0;
    m->history = (int64_t)((uint64_t)m->history << 1 | bad);
    bool enough = enough_failures(s, m);
    bool down = bad ? m->down || enough : m->down && s->of_last != FIELD_ABSENT && enough;
    if (m->down != down)
        flip(m, at);
    m->down = down;
    *ret_told = false;
    if (s->flaps_per_hour == 0 || (!m->flapping && flips_within_hour(m, at) < s->flaps_per_hour))
        return false;
    *ret_told = !m->flapping || long_ago(s, m->told_at, at);
    m->flapping = true;
    if (*ret_told)
        m->told_at = at;
    return true;
}

static int failure_event(uint32_t wants, int event)
{
    if (event == NOTICE_DEAD && (wants & notice_bit(NOTICE_DEAD)))
        return NOTICE_DEAD;
    return wants & notice_bit(NOTICE_FAILED) ? NOTICE_FAILED : -1;
}

static struct notice_item item_of(const struct notice *n, int event, const struct job_memory *m)
{
    struct notice_item item = {.event = event, .at = n->at, .job_id = n->job_id, .run_id = n->run_id,
                               .incident = m->incident, .streak = m->streak, .error_class = n->error_class,
                               .message = n->message};
    item.message.n = str_utf8_cut(item.message, ITEM_MESSAGE_MAX);
    return item;
}

static bool failed(const struct subscription *s, struct job_memory *m, const struct notice *n,
                   struct notice_item *ret)
{
    bool tell;
    bool flaps = outcome(s, m, true, n->at, &tell);
    int event = failure_event(subscription_events(s), n->event);
    m->bad_run = n->run_id;
    m->bad_class = n->error_class;
    m->bad_message = n->message;
    m->bad_message.n = str_utf8_cut(m->bad_message, ITEM_MESSAGE_MAX);
    if (flaps) {
        m->open = m->open || tell;
        *ret = item_of(n, NOTICE_DIGEST, m);
        return tell;
    }
    if (event < 0 || !enough_failures(s, m))
        return false;
    int64_t signature = failure_signature(n->error_class, n->message);
    if (m->open && m->signature == signature && !long_ago(s, m->told_at, n->at))
        return false;
    if (!m->open)
        m->incident = n->run_id;
    m->open = true;
    m->signature = signature;
    m->told_at = n->at;
    *ret = item_of(n, event, m);
    return true;
}

static bool succeeded(const struct subscription *s, struct job_memory *m, const struct notice *n,
                      struct notice_item *ret)
{
    bool tell;
    uint32_t wants = subscription_events(s);
    bool flaps = outcome(s, m, false, n->at, &tell);
    if (flaps && tell) {
        m->open = true;
        *ret = item_of(n, NOTICE_DIGEST, m);
        return true;
    }
    if (!flaps && m->open && !m->down) {
        *ret = item_of(n, NOTICE_RECOVERED, m);
        m->open = false;
        m->incident = ULID_ZERO;
        m->told_at = INSTANT_NEVER;
        if (wants & notice_bit(NOTICE_RECOVERED))
            return true;
    }
    if (n->event != NOTICE_SUCCEEDED || !(wants & notice_bit(NOTICE_SUCCEEDED)))
        return false;
    *ret = item_of(n, NOTICE_SUCCEEDED, m);
    return true;
}

// Told at most once in repeatHours.
static bool seldom(const struct subscription *s, struct job_memory *m, const struct notice *n, struct instant *told,
                   struct notice_item *ret)
{
    if (!long_ago(s, *told, n->at))
        return false;
    *told = n->at;
    *ret = item_of(n, n->event, m);
    ret->incident = ULID_ZERO;
    return true;
}

bool noise_take(const struct subscription *s, struct job_memory *m, const struct notice *n, struct notice_item *ret)
{
    if (n->event == NOTICE_FAILED || n->event == NOTICE_DEAD)
        return failed(s, m, n, ret);
    if (n->event == NOTICE_RECOVERED || n->event == NOTICE_SUCCEEDED)
        return succeeded(s, m, n, ret);
    if (!(subscription_events(s) & notice_bit(n->event)))
        return false;
    if (n->event == NOTICE_MISSED)
        return seldom(s, m, n, &m->missed_at, ret);
    if (n->event == NOTICE_SLOW)
        return seldom(s, m, n, &m->slow_at, ret);
    if (n->event == NOTICE_OVERDUE)
        return seldom(s, m, n, &m->overdue_at, ret);
    *ret = item_of(n, n->event, m);
    ret->incident = ULID_ZERO;
    return true;
}

struct instant noise_due(const struct subscription *s, const struct job_memory *m)
{
    size_t last = (size_t)s->flaps_per_hour;
    if (!m->flapping)
        return INSTANT_NEVER;
    if (last == 0 || m->n_flips < last)
        return (struct instant){m->n_flips > 0 ? m->flips[0] : 0}; // the settings changed: at once
    return instant_add((struct instant){m->flips[last - 1]}, duration_s(HOUR_S));
}

bool noise_calm(const struct subscription *s, struct job_memory *m, struct instant now, struct ulid job_id,
                struct notice_item *ret)
{
    if (!m->flapping || (s->flaps_per_hour > 0 && flips_within_hour(m, now) >= s->flaps_per_hour))
        return false;
    m->flapping = false;
    struct notice n = {.event = m->down ? NOTICE_DEAD : NOTICE_RECOVERED, .at = now, .job_id = job_id};
    uint32_t wants = subscription_events(s);
    if (!m->down) {
        *ret = item_of(&n, NOTICE_RECOVERED, m);
        m->open = false;
        m->incident = ULID_ZERO;
        m->told_at = INSTANT_NEVER;
        return (wants & notice_bit(NOTICE_RECOVERED)) != 0;
    }
    n.run_id = m->bad_run;
    n.error_class = m->bad_class;
    n.message = m->bad_message;
    m->signature = failure_signature(n.error_class, n.message);
    m->told_at = now;
    m->open = true;
    if (ulid_is_zero(m->incident))
        m->incident = m->bad_run;
    int event = failure_event(wants, n.event);
    *ret = item_of(&n, event, m);
    return event >= 0;
}

// ---- of a subscription -------------------------------------------------------------------------

void told_memory_init(struct told_memory *g)
{
    g->until = INSTANT_NEVER;
    g->n = 0;
    g->more = 0;
}

void told_add(struct told_memory *g, const struct notice_item *item)
{
    if (g->n < TOLD_ITEMS_MAX)
        g->items[g->n++] = *item;
    else
        g->more++;
}

bool told_release(const struct subscription *s, const struct zone *zone, struct told_memory *g, struct instant now,
                   struct told_memory *ret)
{
    struct instant quiet = quiet_end(&s->quiet_hours, zone, now);
    bool open = !instant_is_never(g->until) && now.us < g->until.us;
    if (quiet.us > now.us && g->n > 0) {
        g->until = quiet;
        return false;
    }
    if (g->n == 0) {
        if (!open)
            g->until = INSTANT_NEVER;
        return false;
    }
    if (open && g->until.us <= instant_add(now, duration_s(s->group_seconds)).us)
        return false;
    *ret = *g;
    if (s->group_seconds > 0 || g->more > 0) {
        told_memory_init(g);
        g->until = s->group_seconds > 0 ? instant_add(now, duration_s(s->group_seconds)) : INSTANT_NEVER;
        return true;
    }
    ret->n = 1;
    memmove(&g->items[0], &g->items[1], --g->n * sizeof g->items[0]);
    g->until = g->n > 0 ? now : INSTANT_NEVER;
    return true;
}

// ---- quiet hours -------------------------------------------------------------------------------

struct instant quiet_end(const struct quiet_hours *q, const struct zone *zone, struct instant now)
{
    int64_t from = q->from.p ? wall_time_s(q->from) : -1, to = q->to.p ? wall_time_s(q->to) : -1;
    if (from < 0 || to < 0 || from == to)
        return now;
    int64_t utc = now.us / US_PER_S - (now.us % US_PER_S < 0);
    int64_t local = utc + zone_span_at(zone, utc, NULL).offset_s;
    int64_t day = local / S_PER_DAY - (local % S_PER_DAY < 0), time = local - day * S_PER_DAY;
    bool over_midnight = from > to;
    bool quiet = over_midnight ? time >= from || time < to : time >= from && time < to;
    if (!quiet)
        return now;
    struct wall w = zone_wall(zone, (day + (over_midnight && time >= from)) * S_PER_DAY + to);
    int64_t end = w.kind == WALL_GAP ? w.transition_s : w.first_s;
    return instant_s(end > utc ? end : w.second_s); // an hour that comes twice may end twice
}

// ---- tries -------------------------------------------------------------------------------------

struct instant delivery_next_try(int64_t tries, struct instant now, struct duration asked, double jitter)
{
    enum { ASKED_MAX_S = 24 * HOUR_S, MINUTE_S = 60 };
    static const int32_t waits[] = {5,          5 * MINUTE_S, 30 * MINUTE_S, 2 * HOUR_S,  5 * HOUR_S,
                                    10 * HOUR_S, 14 * HOUR_S,  20 * HOUR_S,   24 * HOUR_S};
    static const double spread = 0.1; // so that many messages do not come back in one moment
    if (tries < 1 || (size_t)tries > sizeof waits / sizeof waits[0])
        return INSTANT_NEVER;
    int64_t us = duration_s(waits[tries - 1]).us;
    us += (int64_t)((double)us * spread * jitter);
    if (asked.us > us)
        us = asked.us < duration_s(ASKED_MAX_S).us ? asked.us : duration_s(ASKED_MAX_S).us;
    return instant_add(now, (struct duration){us});
}
