// SPDX-License-Identifier: Apache-2.0
// What a cluster promises, looked at while it runs: two nodes never decide for one slot, every node that is fit decides
// again soon after a trouble, nothing is claimed under a lease that has ended, and what runs under one is stopped.
#include "base/mem.h"
#include "engine/cluster_core.h"
#include "engine/core.h"
#include "engine/reasons.h"
#include "tests/sim/hosts.h"

enum {
    TAIL_S = 5,    // after the lease of a lost node: until others have taken over
    SETTLE_S = 10, // after the end of all troubles: until every node decides again
    LATE_MS = 2000,
    STOP_S = 3, // a node that moves and hears: until it asks its runs of another life to end
    LOOK_S = 1,
};

static const struct engine *engine_of(const struct host *h) { return h->proc->engine; }

bool check_forgotten(const struct sim *s, struct ulid id)
{
    return s->cluster && map_get(&s->cluster->forgotten, id) != NULL;
}

// ---- troubles ------------------------------------------------------------------------------------

static bool tenure_lost(const struct sim *s, const struct tenure *t)
{
    const struct host *h = &s->cluster->hosts[t->host];
    if (t->left || t->until.us <= sim_mono(s).us)
        return false;
    return !host_fit(h) || h->proc->id != t->proc || h->cluster->token != t->token;
}

// A node that others count on does nothing, or there is no other.
static bool in_trouble(const struct sim *s)
{
    int able = 0;
    for (int i = 0; i < s->cluster->n; i++)
        able += host_fit(&s->cluster->hosts[i]) && !host_off(&s->cluster->hosts[i]) &&
                !s->cluster->hosts[i].proc->draining && !s->cluster->hosts[i].wanted_away;
    if (able == 0)
        return true;
    for (size_t i = 0; i < s->cluster->n_tenures; i++)
        if (tenure_lost(s, &s->cluster->tenures[i]))
            return true;
    return false;
}

static void note_trouble(struct sim *s)
{
    struct cluster_world *c = s->cluster;
    bool now = in_trouble(s);
    if (now && !c->troubled)
        c->troubled_since = sim_mono(s);
    if (!now && c->troubled)
        excuse_add(s, c->troubled_since, mono_add(sim_mono(s), duration_s(TAIL_S)), (struct duration){0});
    if (now || c->troubled)
        c->disturbed = sim_mono(s);
    c->troubled = now;
}

void check_step_last(struct sim *s)
{
    struct cluster_world *c = s->cluster;
    if (c->troubled)
        excuse_add(s, c->troubled_since, sim_mono(s), (struct duration){0});
    spread_note(s);
}

// How much later than by the store's clock a start may look to the node.
static int64_t slack_between(const struct cluster_world *c, struct mono due, struct mono at)
{
    int64_t most = 0;
    for (size_t i = 0; i < c->n_excuses; i++) {
        const struct excuse *e = &c->excuses[i];
        if (e->from <= at.us && e->to >= due.us && e->slack.us > most)
            most = e->slack.us;
    }
    return most + duration_ms(LATE_MS).us;
}

// Whether troubles explain that what was due began only then. They may follow upon each other.
bool excused_late(const struct sim *s, struct mono due, struct mono at)
{
    const struct cluster_world *c = s->cluster;
    int64_t latest = due.us, slack = slack_between(c, due, at);
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < c->n_excuses; i++) {
            const struct excuse *e = &c->excuses[i];
            if (e->slack.us > 0 || e->from > latest + slack || e->to <= latest)
                continue;
            latest = e->to;
            again = true;
        }
    }
    return at.us <= latest + slack;
}

// ---- shares --------------------------------------------------------------------------------------

// What the engine would decide for now.
static struct slots deciding(const struct host *h)
{
    struct slots none = {{0}};
    if (!h->proc || !h->joined || h->proc->frozen || h->dying)
        return none;
    const struct engine *e = engine_of(h);
    bool may = e->share.clustered && !e->share.fenced && !e->draining && sim_mono(h->sim).us < e->share.lease_until.us;
    return may ? e->entries.slots : none;
}

static void check_shares(struct sim *s)
{
    struct slots of[HOSTS_MAX];
    for (int i = 0; i < s->cluster->n; i++) {
        of[i] = deciding(&s->cluster->hosts[i]);
        for (int k = 0; k < i; k++)
            for (size_t w = 0; w < SLOTS / 64; w++)
                if ((of[i].bits[w] & of[k].bits[w]) != 0 && sim_mono(s).us >= s->cluster->unsure_until.us) {
                    sim_violation(s, "%s and %s decide for the same slots", s->cluster->hosts[k].name,
                                  s->cluster->hosts[i].name);
                    return;
                }
    }
}

static bool takes_part(const struct host *h)
{
    return !host_off(h) && !h->wanted_away && !h->proc->draining;
}

static void check_settled_host(struct host *h)
{
    struct cluster_status status;
    if (!host_fit(h))
        return;
    if (!h->joined) {
        sim_violation(h->sim, "%s does not join although nothing keeps it from it", h->name);
        return;
    }
    cluster_status(h->cluster, &status);
    int slots = slots_count(&engine_of(h)->entries.slots);
    if (takes_part(h) && (!status.leased || !status.settled || slots == 0 || engine_of(h)->share.blocked))
        sim_violation(h->sim, "%s does not decide although nothing keeps it from it: leased %d settled %d slots %d",
                      h->name, status.leased, status.settled, slots);
}

// Ten seconds after the last trouble all slots are decided for, by all nodes that take part.
static void check_settled(struct sim *s)
{
    struct cluster_world *c = s->cluster;
    struct slots all = {{0}};
    bool any = false;
    if (sim_mono(s).us - c->disturbed.us < duration_s(SETTLE_S).us)
        return;
    for (int i = 0; i < c->n; i++) {
        struct host *h = &c->hosts[i];
        struct slots own = deciding(h);
        check_settled_host(h);
        for (size_t w = 0; w < SLOTS / 64; w++)
            all.bits[w] |= own.bits[w];
        any = any || (host_fit(h) && takes_part(h));
    }
    if (any && slots_count(&all) != SLOTS)
        sim_violation(s, "%d slots are decided for by nobody", SLOTS - slots_count(&all));
}

// ---- runs under a lease that ended ---------------------------------------------------------------

static bool ended(const struct sim *s, int64_t token, int64_t ago_us)
{
    const struct tenure *t = tenure_of(s, token);
    return !t || t->until.us + ago_us < sim_mono(s).us;
}

static void check_stopped(struct host *h)
{
    struct sim *s = h->sim;
    char id[ULID_TEXT_MAX];
    if (!host_fit(h) || sim_mono(s).us - h->fit_since.us < duration_s(STOP_S).us)
        return;
    for (const struct flight *f = h->proc->flights; f; f = f->next)
        if (f->begun && !f->over && !f->stuck && ended(s, s->starts[f->start].token, duration_s(STOP_S).us))
            sim_violation(s, "run %s goes on at %s although its lease has ended", ulid_format(f->attempt->run_id, id),
                          h->name);
}

static void note_fit(struct host *h)
{
    struct mono now = sim_mono(h->sim), never = {INT64_MAX};
    if (host_fit(h) != (h->fit_since.us != INT64_MAX))
        h->sim->cluster->disturbed = now;
    h->fit_since = !host_fit(h) ? never : h->fit_since.us == INT64_MAX ? now : h->fit_since;
    h->off_since = !host_off(h) ? never : h->off_since.us == INT64_MAX ? now : h->off_since;
}

void check_step(struct sim *s)
{
    struct cluster_world *c = s->cluster;
    for (int i = 0; i < c->n; i++)
        note_fit(&c->hosts[i]);
    note_trouble(s);
    check_shares(s);
    if (sim_mono(s).us < c->next_look.us)
        return;
    c->next_look = mono_add(sim_mono(s), duration_s(LOOK_S));
    check_settled(s);
    for (int i = 0; i < c->n; i++)
        check_stopped(&c->hosts[i]);
}

// A node whose clock is far off starts nothing.
void check_start(struct sim *s, const struct flight *f)
{
    const struct host *h = f->proc->host;
    char id[ULID_TEXT_MAX];
    int64_t least = sim_mono(s).us - duration_s(TAIL_S).us;
    if (h->off_since.us < least && h->fit_since.us < least)
        sim_violation(s, "run %s starts at %s, whose clock is too far from the store's",
                      ulid_format(f->attempt->run_id, id), h->name);
}

static bool has_in_flight(const struct host *h, struct ulid id)
{
    for (const struct flight *f = h->proc->flights; f; f = f->next)
        if (f->begun && ulid_eq(f->attempt->run_id, id))
            return true;
    return false;
}

// A run is taken for lost when its owner is; one of our own when it never began.
static bool taken_too_early(struct sim *s, const struct link *l, const struct run *r)
{
    const struct tenure *t = tenure_of(s, r->token);
    if (r->status != RUN_LOST || !str_eq(r->error_message, MESSAGE_LOST) || check_forgotten(s, r->id) || !t)
        return false;
    return t->proc == l->host->proc->id ? has_in_flight(l->host, r->id) : t->until.us > sim_mono(s).us;
}

// The flush was written. A claim needs a lease.
void check_flush(struct sim *s, const struct link *l, const struct flush *f)
{
    char id[ULID_TEXT_MAX];
    const struct run *claimed = NULL;
    if (sim_mono(s).us < s->cluster->unsure_until.us)
        return;
    for (size_t i = 0; i < f->n_fires; i++)
        for (size_t k = 0; f->fires[i].ret_won && k < f->fires[i].n_runs; k++)
            if (f->fires[i].runs[k].status == RUN_RUNNING)
                claimed = &f->fires[i].runs[k];
    for (size_t i = 0; i < f->n_claims; i++)
        if (f->claims[i].ret_won)
            claimed = f->claims[i].run;
    if (claimed && ended(s, claimed->token, 0))
        sim_violation(s, "%s claimed run %s although its lease had ended", l->host->name, ulid_format(claimed->id, id));
    for (size_t i = 0; i < f->n_finishes; i++)
        if (f->finishes[i].ret_recorded && taken_too_early(s, l, f->finishes[i].run))
            sim_violation(s, "rule 3: run %s was taken for lost by %s while its owner lived",
                          ulid_format(f->finishes[i].run->id, id), l->host->name);
}
