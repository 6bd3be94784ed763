// SPDX-License-Identifier: Apache-2.0
// Time zone data changed: next fires that lie in the future are moved to where the schedule has them now.
//
// The plans are walked in portions, each after the flush of its tick, so that work that is due goes first. A portion
// compiles stale schedules again from the store's plans; what is to move is written by the next flush as a fire without
// runs, on the usual condition. An occurrence that is due meanwhile is decided as it stands: past identities never
// change. Data that changed while no engine was running is found by recovery, which looks at every plan anyway.
#include "base/log.h"
#include "engine/core.h"

enum {
    REZONE_LOOK_MAX = 4096, // plans looked at in a portion: about 0.1 ms
    REZONE_LOAD_MAX = 100,  // plans read again in a portion: about 1 ms
};

// Not a word on plans that no zone concerns.
static bool zoned(const struct entry *p)
{
    return p->follows && !p->gone && p->rule->kind == SCHEDULE_CRON;
}

// What the schedule says now; the plan's own next fire when it is to stay.
static struct instant next_of(const struct entry *p, struct instant now)
{
    bool stays = !zoned(p) || instant_is_never(p->next_fire) || p->next_fire.us <= now.us;
    return stays ? p->next_fire : schedule_next(p->rule->schedule, now);
}

// Occurrences between now and the next fire have been decided, so the clock was set back: to go by it would decide
// them again. The next fire stays, and the ones after it follow the new data.
static bool clock_behind(const struct entry *p, struct instant now)
{
    if (instant_is_never(p->next_fire))
        return false;
    struct instant before = schedule_prev(p->rule->schedule, p->next_fire);
    return !instant_is_never(before) && before.us > now.us;
}

// The plan's last run tells how far the clock had come.
static bool clock_behind_runs(const struct plan *p, struct instant now)
{
    return !ulid_is_zero(p->last_run) && ulid_time(p->last_run).us > now.us;
}

void rezone_recovered(struct engine *e, const struct entry *p, const struct plan *plan, struct instant now)
{
    if (!zoned(p) || p->next_fire.us <= now.us || clock_behind_runs(plan, now))
        return;
    struct instant just_before = {p->next_fire.us - 1};
    if (schedule_next(p->rule->schedule, just_before).us == p->next_fire.us)
        return;
    ids_add(&e->rezone.moving, &p->job_id, 1);
    e->rezone.busy = true;
}

struct portion {
    struct ulid ids[REZONE_LOAD_MAX];
    bool stays[REZONE_LOAD_MAX];
    size_t n;
};

// The next stale plans; *place is where to go on.
static void portion_find(const struct entries *es, struct instant now, struct slab_place *place, struct portion *ret)
{
    const struct entry *p;
    ret->n = 0;
    for (size_t i = 0; i < REZONE_LOOK_MAX && ret->n < REZONE_LOAD_MAX; i++) {
        if (!(p = slab_walk(&es->slab, place)))
            return;
        if (!entry_held(p) || !p->rule || !schedule_stale(p->rule->schedule))
            continue;
        ret->stays[ret->n] = clock_behind(p, now);
        ret->ids[ret->n++] = p->job_id;
    }
}

static bool portion_load(struct engine *e, const struct portion *l, struct instant now, struct err *err)
{
    if (l->n == 0)
        return true;
    if (!poke_reload(e, l->ids, l->n, err))
        return false;
    for (size_t i = 0; i < l->n; i++) {
        const struct entry *p = entries_find(&e->entries, l->ids[i]);
        if (p && !l->stays[i] && next_of(p, now).us != p->next_fire.us)
            ids_add(&e->rezone.moving, &l->ids[i], 1);
    }
    return true;
}

static void report_end(struct rezone *z)
{
    LOG_INFO("next fires follow the changed time zone data", LOG_INT("moved", z->moved));
    z->busy = false;
    z->moved = 0;
}

bool rezone_step(struct engine *e)
{
    struct rezone *z = &e->rezone;
    struct err err = {0};
    if (e->todo.zones) {
        e->todo.zones = false;
        z->busy = true;
        z->place = slab_first(&e->entries.slab);
    }
    if (!z->busy || e->draining || e->batch_state != BATCH_IDLE || store_resting(e, clock_mono(e->clock)))
        return false;
    if (slab_place_end(z->place)) {
        if (z->moving.n + e->todo.jobs.n == 0)
            report_end(z);
        return z->busy;
    }
    struct portion l;
    struct slab_place place = z->place;
    struct instant now = engine_now(e).wall;
    portion_find(&e->entries, now, &place, &l);
    if (!portion_load(e, &l, now, &err)) {
        store_failed(e, "read plans after time zone data changed", &err);
        return false;
    }
    z->place = place;
    return true;
}

void rezone_fill(struct engine *e, struct moment now)
{
    struct ids *l = &e->rezone.moving;
    while (l->n > 0 && batch_open(&e->batch)) {
        struct entry *p = entries_find(&e->entries, l->v[l->n - 1]);
        bool waits = p && p->node.list == AGENDA_DUE; // else it was decided meanwhile, or is about to be
        struct instant next = waits ? next_of(p, now.wall) : INSTANT_NEVER;
        if (waits && next.us != p->next_fire.us) {
            struct fire *f = batch_fire(&e->batch, p, 0);
            if (!f)
                return; // the next flush has room
            f->new_next = next;
            p->moves = true;
            agenda_drop(&e->agenda, &p->node);
        }
        l->n--;
    }
}

void rezone_won(struct engine *e, struct entry *p)
{
    e->rezone.moved += p->moves;
    p->moves = false;
}

void rezone_again(struct engine *e, struct entry *p)
{
    if (p->moves)
        ids_add(&e->rezone.moving, &p->job_id, 1);
    p->moves = false;
}
