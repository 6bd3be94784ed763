// SPDX-License-Identifier: Apache-2.0
// Health: a component for each thing that can fail, and what they mean together. The store and the scheduler
// decide whether the server is down; anything else that is not up makes it degraded, because work goes on.
#include "app/health.h"

#include "engine/cluster.h"

static struct probe_word *add(struct health *h, const char *name)
{
    must(h->n < HEALTH_COMPONENTS_MAX);
    h->v[h->n].name = name;
    h->v[h->n].word = (struct probe_word){.state = PROBE_UP};
    return &h->v[h->n++].word;
}

// A test without a probe's thread asks the store itself.
static void facts_of(struct app *app, struct probe_facts *ret)
{
    struct err err = {0};
    if (app->probe) {
        probe_facts(app->probe, ret);
        return;
    }
    *ret =
        (struct probe_facts){.asked = true, .at = clock_mono(app->clock), .disk_free = -1, .disk_size = -1};
    if (!app->store->ops->check(app->store, &err))
        probe_says(&ret->store, PROBE_DOWN, "%s", err.text);
    ret->backlog_known = app->store->ops->backlog(app->store, &ret->backlog, &err);
}

static bool ticks(const struct app *app, const struct engine_status *s, int64_t seconds)
{
    struct instant latest = instant_add(s->next_wake, duration_s(seconds));
    return clock_now(app->clock).us <= latest.us;
}

static void add_store(struct health *h, const struct probe_facts *f)
{
    struct probe_word *w = add(h, "store");
    *w = f->store;
    if (f->hanging.us > PROBE_HANGS_S * US_PER_S)
        probe_says(w, PROBE_DOWN, "has not answered for %lld s", (long long)(f->hanging.us / US_PER_S));
    else if (!f->asked)
        probe_says(w, PROBE_DOWN, "the server is starting");
}

static void add_scheduler(struct health *h, struct app *app)
{
    struct engine_status s;
    struct probe_word *w = add(h, "scheduler");
    h->live = true;
    if (!app->engine)
        return;
    engine_status(app->engine, &s);
    h->draining = s.draining;
    h->plans = s.plans;
    h->due = s.ready;
    h->running = s.running;
    h->queued = s.queued;
    h->live = ticks(app, &s, LIVE_TICK_AGE_S);
    probe_figure(w, "plans", s.plans);
    probe_figure(w, "due", s.ready);
    probe_figure(w, "running", s.running);
    if (!instant_is_never(s.last_tick))
        probe_figure(w, "lastTickAgeMs", instant_since(clock_now(app->clock), s.last_tick).us / US_PER_MS);
    if (!s.store_ok)
        probe_says(w, PROBE_DOWN, "its last transaction failed; it tries again");
    else if (!ticks(app, &s, READY_TICK_AGE_S))
        probe_says(w, PROBE_DOWN, "it has not looked at the clock for longer than it wanted to");
}

static void add_cluster(struct health *h, struct app *app)
{
    struct cluster_status s;
    if (!app->cluster.cluster)
        return;
    app->cluster.status(app->cluster.cluster, &s);
    struct probe_word *clock = add(h, "clock"), *w = add(h, "cluster");
    int64_t off = s.offset.us / US_PER_MS;
    probe_figure(clock, "offsetMs", off);
    if (s.clock_refused)
        probe_says(clock, PROBE_DOWN, "differs from the store's by %lld ms: nothing is started here",
                   (long long)off);
    else if (off > CLOCK_OFF_MS || off < -CLOCK_OFF_MS)
        probe_says(clock, PROBE_DEGRADED, "differs from the store's by %lld ms: look at NTP", (long long)off);
    probe_figure(w, "nodes", s.nodes);
    probe_figure(w, "slots", s.slots);
    if (!s.leased)
        probe_says(w, PROBE_DOWN, "the lease of this node has ended: others do its work");
    else if (!s.settled)
        probe_says(w, PROBE_DEGRADED, "the nodes are dividing the jobs");
}

static void judge(struct health *h)
{
    h->state = PROBE_UP;
    for (size_t i = 0; i < h->n; i++) {
        bool decides = strcmp(h->v[i].name, "store") == 0 || strcmp(h->v[i].name, "scheduler") == 0;
        if (decides && h->v[i].word.state == PROBE_DOWN)
            h->state = PROBE_DOWN;
        else if (h->v[i].word.state != PROBE_UP && h->state == PROBE_UP)
            h->state = PROBE_DEGRADED;
    }
    h->ready = h->started && !h->draining && h->state != PROBE_DOWN;
}

void app_health(struct app *app, struct health *ret)
{
    struct probe_facts f;
    facts_of(app, &f);
    *ret = (struct health){.started = f.asked,
                           .age_ms = f.asked ? mono_since(clock_mono(app->clock), f.at).us / US_PER_MS : 0};
    add_store(ret, &f);
    add_scheduler(ret, app);
    if (f.disk_size >= 0 || f.disk.state != PROBE_UP)
        *add(ret, "disk") = f.disk;
    add_cluster(ret, app);
    if (app->probe) {
        *add(ret, "outbox") = f.outbox;
        *add(ret, "notifications") = f.notifications;
    }
    for (size_t i = 0; i < f.n_parts; i++)
        *add(ret, f.part_names[i]) = f.parts[i];
    judge(ret);
}

bool app_live(struct app *app)
{
    struct engine_status s;
    if (!app->engine)
        return true;
    engine_status(app->engine, &s);
    return ticks(app, &s, LIVE_TICK_AGE_S);
}

bool app_health_details(const struct caller *c)
{
    enum reach reach;
    struct err ignored;
    return app_authorize(c, ACTION_METRICS_READ, &reach, &ignored);
}
