// SPDX-License-Identifier: Apache-2.0
// The life of a node, as a state machine that others call: register, renew, look, divide, publish, leave.
#include "engine/cluster_core.h"

#include "base/log.h"
#include "base/mem.h"

enum {
    ARENA_BUDGET = 16 * 1024 * 1024,
    BEAT_RETRY_MS = 500,      // after a failure
    ACK_LOOK_MS = 2,          // while the engine is letting go
    CONTESTED_LOOK_MS = 100,  // while another node holds slots of ours
    SWEEP_S = 60,             // looking for what no word was heard of
    PLAN_SWEEP_S = 600,
    CHANGES_KEPT_S = 600,
};

static int64_t draw_token(struct cluster *c)
{
    uint64_t token;
    if (c->config.seed)
        token = rng_u64(&c->rng);
    else
        rng_secret(&token, sizeof token);
    return (int64_t)(token >> 1 | 1); // positive, never 0
}

static struct str own_text(struct arena *a, struct str s)
{
    return s.p ? arena_str(a, s) : STR("");
}

struct cluster *cluster_new(const struct cluster_config *c, struct store *store, struct engine *engine,
                            const struct clock *clock)
{
    struct cluster *k = mem_new(struct cluster);
    arena_init(&k->texts, ARENA_BUDGET);
    k->config = *c;
    k->config.name = own_text(&k->texts, c->name);
    k->config.address = own_text(&k->texts, c->address);
    k->config.version = own_text(&k->texts, c->version);
    k->config.process = own_text(&k->texts, c->process);
    k->config.lease = c->lease.us > 0 ? c->lease : duration_s(CLUSTER_LEASE_S);
    k->config.heartbeat = c->heartbeat.us > 0 ? c->heartbeat : duration_s(CLUSTER_HEARTBEAT_S);
    k->config.poll = c->poll.us > 0 ? c->poll : duration_ms(CLUSTER_POLL_MS);
    k->store = store;
    k->engine = engine;
    k->clock = clock;
    rng_init(&k->rng, c->seed);
    mutex_init(&k->lock, LOCK_CLUSTER);
    waker_init(&k->beat_waker, LOCK_CLUSTER_WAKER);
    waker_init(&k->watch_waker, LOCK_CLUSTER_WAKER);
    return k;
}

void cluster_free(struct cluster *c)
{
    if (!c)
        return;
    waker_release(&c->watch_waker);
    waker_release(&c->beat_waker);
    mutex_release(&c->lock);
    mem_free(c->recent.v);
    ids_release(&c->changed_jobs);
    arena_release(&c->texts);
    mem_free(c);
}

// ---- the lease ---------------------------------------------------------------------------------

// The word on a token that was replaced meanwhile is of no interest.
static bool lease_extend(struct cluster *c, int64_t token, struct mono until, struct mono next_beat)
{
    WITH_LOCK(&c->lock);
    if (c->token != token || c->lost)
        return false;
    c->lease_until = until;
    c->next_beat = next_beat;
    return true;
}

// By our own clock the lease may last still, when it was not time that ended it: the engine stops its runs all the
// same.
static void lease_end(struct cluster *c, int64_t token)
{
    const struct mono over = {0};
    {
        WITH_LOCK(&c->lock);
        if (c->token != token || c->lost)
            return;
        c->lost = true;
        c->lease_until = over;
    }
    engine_lease(c->engine, over);
    LOG_WARN("the lease of this node has ended; it comes back as a new member", LOG_STR("node", c->config.name));
    waker_wake(&c->watch_waker);
}

static struct mono beat_later(struct cluster *c, struct mono at)
{
    WITH_LOCK(&c->lock);
    return c->next_beat = at;
}

static bool lease_lost(struct cluster *c)
{
    WITH_LOCK(&c->lock);
    return c->lost;
}

static void give_share(struct cluster *c, const struct slots *s)
{
    struct engine_share share = {.slots = *s, .generation = ++c->generation};
    {
        WITH_LOCK(&c->lock);
        share.token = c->token;
        share.lease_until = c->lease_until;
    }
    c->given = *s;
    engine_take_share(c->engine, &share);
}

static bool registers(struct cluster *c, struct err *err)
{
    struct node n = {.token = draw_token(c),
                     .name = c->config.name,
                     .address = c->config.address,
                     .version = c->config.version,
                     .process = c->config.process,
                     .view = STR("")};
    struct mono sent = clock_mono(c->clock);
    if (!c->store->ops->node_register(c->store, &n, c->config.lease, err))
        return false;
    c->let_go = false;
    WITH_LOCK(&c->lock);
    c->published_state = NODE_ACTIVE;
    c->token = n.token;
    c->lease_until = mono_add(sent, c->config.lease);
    c->next_beat = mono_add(sent, c->config.heartbeat);
    c->lost = false;
    LOG_INFO("node joined the cluster", LOG_STR("node", c->config.name));
    return true;
}

struct mono cluster_beat(struct cluster *c)
{
    struct mono now = clock_mono(c->clock);
    struct engine_status s;
    struct err err = {0};
    int64_t token, offset;
    {
        WITH_LOCK(&c->lock);
        if (now.us < c->next_beat.us)
            return c->next_beat;
        token = c->token;
        offset = c->offset.us;
        if (c->lost || token == 0)
            return c->next_beat = mono_add(now, c->config.poll); // cluster_watch registers again
    }
    engine_status(c->engine, &s);
    if (c->store->ops->node_renew(c->store, token, c->config.lease, s.running, offset, &err)) {
        struct mono until = mono_add(now, c->config.lease); // from the moment it was sent
        struct mono next = mono_add(now, c->config.heartbeat);
        if (lease_extend(c, token, until, next))
            engine_lease(c->engine, until);
        c->beat_failures = 0;
        return next;
    }
    if (err.code == ERR_STALE) {
        lease_end(c, token);
        return beat_later(c, mono_add(now, c->config.poll));
    }
    if (c->beat_failures++ == 0)
        LOG_WARN("lease cannot be renewed, trying again", LOG_ERROR_FIELD(&err));
    return beat_later(c, mono_add(clock_mono(c->clock), duration_ms(BEAT_RETRY_MS)));
}

// ---- looking -----------------------------------------------------------------------------------

// Our clock against the store's, as of the middle of the question.
static void measure_clock(struct cluster *c, struct instant before, struct instant after, struct instant theirs)
{
    struct duration offset = {before.us / 2 + after.us / 2 - theirs.us};
    int64_t size = offset.us < 0 ? -offset.us : offset.us;
    bool refuse = size > CLUSTER_CLOCK_REFUSE_S * US_PER_S;
    bool warn = size > CLUSTER_CLOCK_WARN_S * US_PER_S;
    if (refuse && !c->clock_refused)
        LOG_ERROR("the clock of this node is too far from the store's, it starts nothing: set it right",
                  LOG_DUR("ahead", offset));
    else if (warn && !c->clock_warned)
        LOG_WARN("the clock of this node differs from the store's: set it right", LOG_DUR("ahead", offset));
    c->clock_warned = warn;
    WITH_LOCK(&c->lock);
    c->clock_refused = refuse;
    c->offset = offset;
}

static bool look(struct cluster *c, struct nodes_seen *ret, struct arena *a, struct err *err)
{
    struct instant theirs, before = clock_now(c->clock);
    if (!c->store->ops->nodes_list(c->store, &ret->v, &ret->n, &theirs, a, err))
        return false;
    measure_clock(c, before, clock_now(c->clock), theirs);
    return true;
}

static bool takes_part(struct cluster *c, const struct nodes_seen *seen)
{
    for (size_t i = 0; i < seen->n; i++)
        if (seen->v[i].token == c->token && seen->v[i].drain_wanted)
            return false;
    WITH_LOCK(&c->lock);
    return !c->drain && !c->clock_refused;
}

static struct view members(const struct cluster *c, const struct nodes_seen *seen, bool us)
{
    struct view v = {.n = 0};
    for (size_t i = 0; i < seen->n; i++)
        if (seen->v[i].state == NODE_ACTIVE && seen->v[i].token != c->token)
            view_add(&v, seen->v[i].token);
    if (us)
        view_add(&v, c->token);
    return v;
}

static struct slots share_of(struct cluster *c, const struct view *v, int64_t token)
{
    struct known_share *k = &c->known[(uint64_t)token / 2 % VIEW_NODES_MAX]; // the lowest bit is always set
    if (k->token != token || !view_eq(&k->view, v))
        *k = (struct known_share){*v, token, view_share(v, token)};
    return k->slots;
}

// Slots of ours that no other living node believes to be its own.
static struct slots uncontested(struct cluster *c, const struct nodes_seen *seen, struct slots own)
{
    for (size_t i = 0; i < seen->n; i++) {
        const struct node *n = &seen->v[i];
        if (n->token == c->token || n->state == NODE_DEAD)
            continue;
        struct view theirs = view_read(n->view);
        struct slots share = share_of(c, &theirs, n->token);
        for (size_t k = 0; k < SLOTS / 64; k++)
            own.bits[k] &= ~share.bits[k];
    }
    return own;
}

static void note_living(struct cluster *c, const struct nodes_seen *seen)
{
    struct view living = {.n = 0};
    bool gone = false;
    for (size_t i = 0; i < seen->n; i++)
        if (seen->v[i].state != NODE_DEAD)
            view_add(&living, seen->v[i].token);
    for (size_t i = 0; i < c->living.n && !gone; i++) {
        size_t k = 0;
        while (k < living.n && living.tokens[k] != c->living.tokens[i])
            k++;
        gone = k == living.n;
    }
    if (gone)
        engine_sweep(c->engine, false); // what it ran in slots that were ours already
    c->living = living;
    WITH_LOCK(&c->lock);
    c->nodes = (int64_t)living.n;
}

// Our row; NULL when it is gone or its lease has ended.
static const struct node *ourselves(const struct cluster *c, const struct nodes_seen *seen)
{
    for (size_t i = 0; i < seen->n; i++)
        if (seen->v[i].token == c->token)
            return seen->v[i].state != NODE_DEAD ? &seen->v[i] : NULL;
    return NULL;
}

// ---- dividing ----------------------------------------------------------------------------------

// Gives up what another view takes from us; *ret_let_go: the engine has done so.
static void shrink(struct cluster *c, const struct slots *own, bool *ret_let_go)
{
    struct slots keep = c->given;
    for (size_t k = 0; k < SLOTS / 64; k++)
        keep.bits[k] &= own->bits[k];
    if (!slots_eq(&keep, &c->given))
        give_share(c, &keep);
    *ret_let_go = engine_share_taken(c->engine) >= c->generation;
}

static bool publish(struct cluster *c, const struct view *v, int state, struct arena *a, struct err *err)
{
    if (!c->store->ops->node_publish(c->store, c->token, state, slot_view_write(v, a), err))
        return false;
    LOG_INFO("the jobs are divided anew", LOG_INT("nodes", (int64_t)v->n), LOG_CSTR("state", node_state_name(state)));
    WITH_LOCK(&c->lock);
    c->published_state = state;
    return true;
}

// One step towards the share that this list of nodes gives us. Returns when to look again; 0: at once. What we have
// published is what our row says, not what we remember: a failover may have forgotten it, or an answer been lost.
static bool divide(struct cluster *c, const struct nodes_seen *seen, struct duration *ret_again, struct arena *a,
                   struct err *err)
{
    const struct node *row = ourselves(c, seen);
    struct view published = view_read(row->view);
    bool us = takes_part(c, seen), let_go;
    int state = us ? NODE_ACTIVE : NODE_DRAINING;
    struct view v = members(c, seen, us);
    struct slots own = share_of(c, &v, c->token), free;
    if (!view_eq(&v, &published) || state != row->state) {
        shrink(c, &own, &let_go);
        *ret_again = let_go ? duration_ms(0) : duration_ms(ACK_LOOK_MS); // what others published is read after that
        return !let_go || publish(c, &v, state, a, err);
    }
    free = uncontested(c, seen, own);
    if (!slots_eq(&free, &c->given))
        give_share(c, &free);
    *ret_again = slots_eq(&free, &own) ? c->config.poll : duration_ms(CONTESTED_LOOK_MS);
    WITH_LOCK(&c->lock);
    c->published_state = state;
    c->slots = slots_count(&free);
    c->settled = slots_eq(&free, &own);
    return true;
}

// ---- coming back -------------------------------------------------------------------------------

// A former node of our name need not be waited for when its process is gone, or was ours: then the answer to a
// registration was lost.
static bool bury_former(struct cluster *c, struct arena *a, struct err *err)
{
    struct nodes_seen seen;
    if (!look(c, &seen, a, err))
        return false;
    for (size_t i = 0; i < seen.n; i++) {
        const struct node *n = &seen.v[i];
        if (n->state == NODE_DEAD || !str_eq(n->name, c->config.name))
            continue;
        bool own = n->process.n > 0 && str_eq(n->process, c->config.process);
        bool gone = own || (c->config.process_gone && c->config.process_gone(c->config.ctx, n->process));
        if (gone && !c->store->ops->node_leave(c->store, n->token, err))
            return false;
    }
    return true;
}

// The token is dead: everything held under it is forgotten, and its runs are stopped, before the store is asked for
// another one.
static bool rejoin(struct cluster *c, struct duration *ret_again, struct arena *a, struct err *err)
{
    struct slots none = {{0}};
    if (!c->let_go)
        give_share(c, &none);
    c->let_go = true;
    if (engine_share_taken(c->engine) < c->generation) {
        *ret_again = duration_ms(ACK_LOOK_MS);
        return true;
    }
    *ret_again = duration_ms(0);
    return bury_former(c, a, err) && registers(c, err) && changes_start(c, err);
}

static void sweeps(struct cluster *c, struct mono now)
{
    struct err err = {0};
    if (now.us < c->next_sweep.us)
        return;
    bool plans = now.us >= c->next_plan_sweep.us;
    engine_sweep(c->engine, plans);
    c->next_sweep = mono_add(now, duration_s(SWEEP_S));
    if (plans)
        c->next_plan_sweep = mono_add(now, duration_s(PLAN_SWEEP_S));
    if (!c->store->ops->changes_trim(c->store, duration_s(CHANGES_KEPT_S), &err))
        LOG_WARN("old changes cannot be removed", LOG_ERROR_FIELD(&err));
}

static bool watch(struct cluster *c, struct duration *ret_again, struct arena *a, struct err *err)
{
    struct nodes_seen seen;
    if (lease_lost(c))
        return rejoin(c, ret_again, a, err);
    if (!look(c, &seen, a, err))
        return false;
    if (!ourselves(c, &seen)) {
        lease_end(c, c->token);
        *ret_again = duration_ms(0);
        return true;
    }
    note_living(c, &seen);
    return divide(c, &seen, ret_again, a, err) && changes_take(c, a, err);
}

// The store was away. It may have come back as a copy that missed its last commits: what the engine holds is compared
// with the rows, instead of being found wrong when it is due.
static void look_anew(struct cluster *c)
{
    changes_repeat(c);
    engine_sweep(c->engine, true);
}

struct mono cluster_watch(struct cluster *c)
{
    struct arena a CLEANUP(arena_release);
    struct duration again = c->config.poll;
    struct err err = {0};
    arena_init(&a, ARENA_BUDGET);
    if (watch(c, &again, &a, &err)) {
        if (c->watch_failures > 0)
            look_anew(c);
        c->watch_failures = 0;
        sweeps(c, clock_mono(c->clock));
    } else {
        again = c->config.poll;
        if (c->watch_failures++ == 0)
            LOG_WARN("the cluster cannot be looked at, trying again", LOG_ERROR_FIELD(&err));
    }
    return mono_add(clock_mono(c->clock), again);
}

// ---- beginning and end -------------------------------------------------------------------------

bool cluster_join(struct cluster *c, struct err *err)
{
    struct arena a CLEANUP(arena_release);
    struct duration again = duration_ms(0);
    arena_init(&a, ARENA_BUDGET);
    if (!bury_former(c, &a, err) || !registers(c, err) || !changes_start(c, err))
        return false;
    struct mono now = clock_mono(c->clock);
    c->next_sweep = mono_add(now, duration_s(SWEEP_S));
    c->next_plan_sweep = mono_add(now, duration_s(PLAN_SWEEP_S));
    while (again.us == 0) // the engine holds nothing yet, so there is nothing to wait for
        if (!watch(c, &again, &a, err))
            return false;
    if (c->generation == 0)
        give_share(c, &c->given); // none: others have to let go first
    return true;
}

void cluster_drain(struct cluster *c, bool drain)
{
    {
        WITH_LOCK(&c->lock);
        c->drain = drain;
    }
    waker_wake(&c->watch_waker);
}

void cluster_leave(struct cluster *c)
{
    struct err err = {0};
    if (c->token != 0 && !c->store->ops->node_leave(c->store, c->token, &err))
        LOG_WARN("the cluster could not be left, others wait for the lease", LOG_ERROR_FIELD(&err));
}

void cluster_status(struct cluster *c, struct cluster_status *ret)
{
    struct mono now = clock_mono(c->clock);
    WITH_LOCK(&c->lock);
    *ret = (struct cluster_status){.token = c->token,
                                   .nodes = c->nodes,
                                   .slots = c->slots,
                                   .offset = c->offset,
                                   .leased = !c->lost && now.us < c->lease_until.us,
                                   .settled = c->settled,
                                   .draining = c->drain || c->published_state == NODE_DRAINING,
                                   .clock_refused = c->clock_refused};
}
