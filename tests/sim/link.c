// SPDX-License-Identifier: Apache-2.0
// What lies between a node and the store: every call travels there and back, and may be lost on either way. Only the
// operations that an engine and its cluster use are here.
#include "base/mem.h"
#include "tests/sim/hosts.h"

enum { TRAVEL_MS = 20, SLOW_MS = 2000, PATIENCE_MS = 3000 };
enum { LATE_PUBLISH_MS = 1500, LATE_CHANGE_MS = 1200, JUST_OVER_MS = 1500 };
static const double chance_travel = 0.15, chance_slow = 0.5;

bool link_bad(const struct link *l) { return l->cut || l->deaf || l->slow || l->host->sim->outage; }

// ---- travelling ----------------------------------------------------------------------------------

static void pause_for(struct link *l, int64_t most_ms)
{
    struct sim *s = l->host->sim;
    if (!fiber_inside() || l->host->dying)
        return; // a thread of the executor: its calls take no time
    struct host_thread *t = s->cluster->thread;
    t->wake = mono_add(sim_mono(s), (struct duration){(int64_t)rng_below(&s->fault_rng, (uint64_t)most_ms * 1000)});
    fiber_pause();
}

static void travel(struct link *l)
{
    double dice = rng_unit(&l->host->sim->fault_rng);
    if (l->slow && dice < chance_slow)
        pause_for(l, SLOW_MS);
    else if (dice < chance_travel)
        pause_for(l, TRAVEL_MS);
}

struct trip {
    struct link *link;
    struct store *to;
    bool writes, lost; // lost: the answer
};

static bool unreachable(struct err *err)
{
    return ERR(err, ERR_UNAVAILABLE, "the store does not answer (injected)");
}

static bool unknown(struct err *err)
{
    return ERR(err, ERR_UNKNOWN_COMMIT, "the connection was lost during the commit (injected)");
}

static bool trip_begin(struct trip *t, struct store *s, bool writes, struct err *err)
{
    struct link *l = (struct link *)s;
    *t = (struct trip){.link = l, .to = l->host->sim->store, .writes = writes};
    travel(l);
    if (l->host->dying)
        return unreachable(err);
    if (l->cut || l->host->sim->outage || (l->deaf && !writes)) {
        pause_for(l, PATIENCE_MS);
        return unreachable(err);
    }
    enum store_fault fault = host_fault_draw(l->host, writes);
    l->host->dying |= fault == FAULT_CRASH_BEFORE;
    if (fault == FAULT_FAIL || fault == FAULT_CRASH_BEFORE || (!writes && fault != FAULT_NONE))
        return unreachable(err);
    if (fault == FAULT_UNKNOWN_LOST)
        return unknown(err);
    t->lost = l->deaf || fault == FAULT_UNKNOWN_COMMITTED;
    l->host->dying |= fault == FAULT_CRASH_AFTER;
    return true;
}

static bool trip_end(struct trip *t, bool ok, struct err *err)
{
    if (!t->writes)
        return ok;
    if (t->lost)
        pause_for(t->link, PATIENCE_MS);
    else
        travel(t->link);
    bool broken = t->link->cut || t->link->deaf || t->link->host->sim->outage;
    return t->lost || t->link->host->dying || broken ? unknown(err) : ok;
}

// ---- who is a living node ------------------------------------------------------------------------

struct tenure *tenure_of(const struct sim *s, int64_t token)
{
    struct cluster_world *c = s->cluster;
    for (size_t i = c->n_tenures; i > 0; i--)
        if (c->tenures[i - 1].token == token)
            return &c->tenures[i - 1];
    return NULL;
}

static void tenure_begin(struct link *l, int64_t token, struct duration lease)
{
    struct cluster_world *c = l->host->sim->cluster;
    if (c->n_tenures == c->cap_tenures) {
        c->cap_tenures = c->cap_tenures ? 2 * c->cap_tenures : 64;
        c->tenures = mem_resize(c->tenures, c->cap_tenures, sizeof *c->tenures);
    }
    c->tenures[c->n_tenures++] = (struct tenure){.token = token,
                                                 .host = l->host->index,
                                                 .proc = l->host->proc->id,
                                                 .until = mono_add(sim_mono(l->host->sim), lease)};
    sim_trace(l->host->sim, "register", &token, sizeof token);
}

static void tenure_set(struct link *l, int64_t token, struct duration more, bool left)
{
    struct tenure *t = tenure_of(l->host->sim, token);
    if (!t || t->left)
        return;
    struct mono until = mono_add(sim_mono(l->host->sim), more);
    if (!left || until.us < t->until.us) // who leaves after its lease has ended was gone before
        t->until = until;
    t->left = left;
    if (left)
        sim_trace(l->host->sim, "leave", &token, sizeof token);
}

void tenures_refresh(struct sim *s)
{
    struct arena a CLEANUP(arena_release);
    struct node *v;
    size_t n;
    struct instant now;
    struct err err = {0};
    arena_init(&a, SIZE_MAX);
    must(s->store->ops->nodes_list(s->store, &v, &n, &now, &a, &err));
    for (size_t i = 0; i < s->cluster->n_tenures; i++) {
        struct tenure *t = &s->cluster->tenures[i];
        size_t k = 0;
        while (k < n && v[k].token != t->token)
            k++;
        if (k < n) {
            t->left = false;
            t->until = mono_add(sim_mono(s), instant_since(v[k].lease_until, now));
        } else if (t->until.us > sim_mono(s).us) {
            t->until = sim_mono(s); // its registration was forgotten
        }
    }
}

// ---- operations ----------------------------------------------------------------------------------

static bool link_check(struct store *s, struct err *err)
{
    struct trip t;
    return trip_begin(&t, s, true, err) && trip_end(&t, t.to->ops->check(t.to, err), err);
}

static void flags_clear(struct flush *f)
{
    for (size_t i = 0; i < f->n_fires; i++)
        f->fires[i].ret_won = f->fires[i].ret_exists = false;
    for (size_t i = 0; i < f->n_claims; i++)
        f->claims[i].ret_won = false;
    for (size_t i = 0; i < f->n_finishes; i++)
        f->finishes[i].ret_recorded = false;
}

// Between the node's look at its lease and the store's, until that has ended and others have hardly noticed.
static void stop_before_claim(struct link *l, const struct flush *f)
{
    struct sim *s = l->host->sim;
    const struct tenure *t = tenure_of(s, f->node_token);
    if (!t || !l->stops || l->host->dying || f->n_fires + f->n_claims == 0)
        return;
    l->stops = false;
    struct duration left = mono_since(t->until, sim_mono(s)), over = duration_ms(sim_between(s, 1, JUST_OVER_MS));
    host_freeze(l->host, (struct duration){left.us + over.us});
    s->cluster->thread->wake = sim_mono(s);
    fiber_pause();
}

static bool link_flush(struct store *s, struct flush *f, struct err *err)
{
    struct trip t;
    stop_before_claim((struct link *)s, f);
    if (!trip_begin(&t, s, true, err))
        return false;
    if (host_flush_late(t.link->host, f)) {
        pause_for(t.link, PATIENCE_MS);
        flags_clear(f);
        return unknown(err);
    }
    bool ok = t.to->ops->flush(t.to, f, err);
    if (ok)
        check_flush(t.link->host->sim, t.link, f);
    if (trip_end(&t, ok, err))
        return true;
    flags_clear(f);
    return false;
}

static bool link_plans_page(struct store *s, struct ulid after, size_t max, bool all, struct plan **ret, size_t *ret_n,
                            size_t *ret_bad, struct arena *a, struct err *err)
{
    struct trip t;
    return trip_begin(&t, s, false, err) &&
           trip_end(&t, t.to->ops->plans_page(t.to, after, max, all, ret, ret_n, ret_bad, a, err), err);
}

static bool link_plans_get(struct store *s, const struct ulid *ids, size_t n, struct plan **ret, size_t *ret_n,
                           struct arena *a, struct err *err)
{
    struct trip t;
    return trip_begin(&t, s, false, err) &&
           trip_end(&t, t.to->ops->plans_get(t.to, ids, n, ret, ret_n, a, err), err);
}

static bool link_runs_unfinished(struct store *s, struct ulid after, size_t max, struct run **ret, size_t *ret_n,
                                 struct arena *a, struct err *err)
{
    struct trip t;
    return trip_begin(&t, s, false, err) &&
           trip_end(&t, t.to->ops->runs_unfinished(t.to, after, max, ret, ret_n, a, err), err);
}

static bool link_job_definition(struct store *s, struct ulid id, struct str *ret_text, int64_t *ret_version,
                                struct arena *a, struct err *err)
{
    struct trip t;
    return trip_begin(&t, s, false, err) &&
           trip_end(&t, t.to->ops->job_definition(t.to, id, ret_text, ret_version, a, err), err);
}

static bool link_run_get(struct store *s, struct ulid id, struct run *ret, struct arena *a, struct err *err)
{
    struct trip t;
    return trip_begin(&t, s, false, err) && trip_end(&t, t.to->ops->run_get(t.to, id, ret, a, err), err);
}

static bool link_run_cancel(struct store *s, struct ulid id, struct instant now, enum run_cancel_result *ret,
                            struct err *err)
{
    struct trip t;
    enum run_cancel_result result;
    if (!trip_begin(&t, s, true, err) || !trip_end(&t, t.to->ops->run_cancel(t.to, id, now, &result, err), err))
        return false;
    *ret = result;
    return true;
}

static bool link_node_register(struct store *s, const struct node *n, struct duration lease, struct err *err)
{
    struct trip t;
    if (!trip_begin(&t, s, true, err))
        return false;
    bool ok = t.to->ops->node_register(t.to, n, lease, err);
    if (ok)
        tenure_begin(t.link, n->token, lease);
    return trip_end(&t, ok, err);
}

static bool link_node_renew(struct store *s, int64_t token, struct duration lease, int64_t running,
                            int64_t clock_offset_us, struct err *err)
{
    struct trip t;
    if (!trip_begin(&t, s, true, err))
        return false;
    bool ok = t.to->ops->node_renew(t.to, token, lease, running, clock_offset_us, err);
    if (ok)
        tenure_set(t.link, token, lease, false);
    return trip_end(&t, ok, err);
}

// As if the node looked before it published.
static bool publish_later(struct link *l, int64_t token, int state, struct str view)
{
    struct sim *s = l->host->sim;
    struct happening *e = event_add(s, duration_ms(sim_between(s, 1, LATE_PUBLISH_MS)), EVENT_HOST);
    e->host = l->host->index;
    e->what = HOST_PUBLISH;
    l->late_token = token;
    l->late_state = state;
    (void)snprintf(l->late_view, sizeof l->late_view, "%.*s", STR_ARG(view));
    return true;
}

void link_publish_late(struct link *l)
{
    struct store *to = l->host->sim->store;
    struct err err = {0};
    (void)to->ops->node_publish(to, l->late_token, l->late_state, str_of(l->late_view), &err); // its lease may be over
}

static bool link_node_publish(struct store *s, int64_t token, int state, struct str view, struct err *err)
{
    struct trip t;
    if (!trip_begin(&t, s, true, err))
        return false;
    bool ok = t.link->host->sim->o.late_publish ? publish_later(t.link, token, state, view)
                                                : t.to->ops->node_publish(t.to, token, state, view, err);
    return trip_end(&t, ok, err);
}

static bool link_node_leave(struct store *s, int64_t token, struct err *err)
{
    struct trip t;
    if (!trip_begin(&t, s, true, err))
        return false;
    bool ok = t.to->ops->node_leave(t.to, token, err);
    if (ok)
        tenure_set(t.link, token, (struct duration){0}, true);
    return trip_end(&t, ok, err);
}

// It reads what it says it has published.
static void see_own_publication(const struct link *l, struct node *v, size_t n, struct arena *a)
{
    for (size_t i = 0; l->host->sim->o.late_publish && i < n; i++)
        if (v[i].token == l->late_token && v[i].state != NODE_DEAD) {
            v[i].state = l->late_state;
            v[i].view = arena_str(a, str_of(l->late_view));
        }
}

static bool link_nodes_list(struct store *s, struct node **ret, size_t *ret_n, struct instant *ret_now, struct arena *a,
                            struct err *err)
{
    struct trip t;
    if (!trip_begin(&t, s, false, err) || !t.to->ops->nodes_list(t.to, ret, ret_n, ret_now, a, err))
        return false;
    see_own_publication(t.link, *ret, *ret_n, a);
    return trip_end(&t, true, err);
}

// Some numbers become visible later than higher ones, as of transactions that end in another order than they began.
static bool visible(const struct sim *s, const struct change *c)
{
    static const uint8_t key[16] = "chronos sim late";
    uint64_t h = hash_bytes(key, &c->seq, sizeof c->seq);
    int64_t late = h % 8 == 0 ? (int64_t)(h >> 8) % duration_ms(LATE_CHANGE_MS).us : 0;
    return sim_wall(s).us - c->at.us >= late;
}

static bool link_changes_read(struct store *s, int64_t after, size_t max, struct change **ret, size_t *ret_n,
                              struct arena *a, struct err *err)
{
    struct trip t;
    size_t n = 0;
    if (!trip_begin(&t, s, false, err) || !t.to->ops->changes_read(t.to, after, max, ret, ret_n, a, err))
        return false;
    for (size_t i = 0; i < *ret_n; i++)
        if (visible(t.link->host->sim, &(*ret)[i]))
            (*ret)[n++] = (*ret)[i];
    *ret_n = n;
    return trip_end(&t, true, err);
}

static bool link_changes_last(struct store *s, int64_t *ret, struct err *err)
{
    struct trip t;
    return trip_begin(&t, s, false, err) && trip_end(&t, t.to->ops->changes_last(t.to, ret, err), err);
}

static bool link_changes_trim(struct store *s, struct duration age, struct err *err)
{
    struct trip t;
    return trip_begin(&t, s, true, err) && trip_end(&t, t.to->ops->changes_trim(t.to, age, err), err);
}

static const struct store_ops link_ops = {
    .name = "link",
    .check = link_check,
    .flush = link_flush,
    .plans_page = link_plans_page,
    .plans_get = link_plans_get,
    .runs_unfinished = link_runs_unfinished,
    .job_definition = link_job_definition,
    .run_get = link_run_get,
    .run_cancel = link_run_cancel,
    .node_register = link_node_register,
    .node_renew = link_node_renew,
    .node_publish = link_node_publish,
    .node_leave = link_node_leave,
    .nodes_list = link_nodes_list,
    .changes_read = link_changes_read,
    .changes_last = link_changes_last,
    .changes_trim = link_changes_trim,
};

void link_init(struct link *l, struct host *h)
{
    *l = (struct link){.base = {.ops = &link_ops}, .host = h};
}
