// SPDX-License-Identifier: Apache-2.0
// Nodes over the store's rows. What a node decides for is worked out from the published views as the nodes
// themselves do (engine/cluster.h), so that the figures add up to what really happens.
#include "app/cluster.h"

#include "app/audit.h"
#include "engine/cluster.h"
#include "engine/slots.h"

static const char *const state_names[] = {
    [NODE_ACTIVE] = "ACTIVE", [NODE_DRAINING] = "DRAINING", [NODE_DEAD] = "DEAD", NULL};

#define ANSWER .flags = FIELD_READ_ONLY
#define T      struct cluster_node
static const struct field node_rows[] = {
    FIELD_STR(T, name, "name", ANSWER, .doc = "Name, unique among the living."),
    FIELD_STR(T, address, "address", ANSWER, .doc = "Where people reach it."),
    FIELD_STR(T, version, "version", ANSWER, .doc = "Version of the program."),
    FIELD_ENUM(T, state, "state", state_names, ANSWER,
               .doc = "ACTIVE, DRAINING (finishes what it has and decides nothing more), or DEAD (its lease "
                      "has ended)."),
    FIELD_BOOL(T, drain_wanted, "drainWanted", ANSWER, .doc = "Whether somebody asked it to drain."),
    FIELD_I64(T, slots, "slots", ANSWER, .max = SLOTS,
              .doc = "Parts of 256 of all jobs that it decides for."),
    FIELD_I64(T, running, "running", ANSWER, .max = INT64_MAX,
              .doc = "Attempts in flight at its last heartbeat."),
    FIELD_INSTANT(T, started_at, "startedAt", .flags = FIELD_READ_ONLY | FIELD_NULLABLE,
                  .doc = "When it came."),
    FIELD_INSTANT(T, renewed_at, "renewedAt", .flags = FIELD_READ_ONLY | FIELD_NULLABLE,
                  .doc = "Last heartbeat."),
    FIELD_INSTANT(T, lease_until, "leaseUntil", .flags = FIELD_READ_ONLY | FIELD_NULLABLE,
                  .doc = "When its runs are taken over unless it renews its lease."),
    FIELD_I64(T, lease_age_ms, "leaseAgeMs", .flags = FIELD_READ_ONLY | FIELD_NULLABLE, .max = INT64_MAX,
              .doc = "Time since the last heartbeat, by the store's clock."),
    FIELD_I64(T, clock_offset_ms, "clockOffsetMs", .flags = FIELD_READ_ONLY | FIELD_NULLABLE,
              .doc = "Its clock against the store's; positive: ahead."),
    FIELD_BOOL(T, self, "self", ANSWER, .doc = "Whether it is the node that answers."),
};
#undef T
const struct fields cluster_node_fields =
    FIELDS("Node", struct cluster_node, node_rows, .doc = "A server of the cluster.");

#define T struct cluster_info
static const struct field info_rows[] = {
    FIELD_BOOL(T, clustered, "clustered", ANSWER, .doc = "Whether other nodes may share this store."),
    FIELD_STR(T, store, "store", ANSWER, .doc = "Kind of store."),
    FIELD_STR(T, node, "node", ANSWER, .doc = "Name of this node."),
    FIELD_I64(T, nodes, "nodes", ANSWER, .max = INT64_MAX, .doc = "Living nodes, this one included."),
    FIELD_I64(T, slots, "slots", ANSWER, .max = SLOTS,
              .doc = "Parts of 256 of all jobs that this node decides for."),
    FIELD_BOOL(T, leased, "leased", ANSWER, .doc = "Whether this node's lease holds."),
    FIELD_BOOL(T, draining, "draining", ANSWER, .doc = "Whether this node hands its jobs over."),
    FIELD_I64(T, clock_offset_ms, "clockOffsetMs", ANSWER,
              .doc = "This node's clock against the store's; positive: ahead."),
    FIELD_BOOL(T, clock_refused, "clockRefused", ANSWER,
               .doc = "Whether it is too far off: nothing is started here."),
    FIELD_BOOL(T, view_agreed, "viewAgreed", ANSWER,
               .doc = "Whether all living nodes divide the jobs alike."),
};
#undef T
const struct fields cluster_info_fields =
    FIELDS("ClusterInfo", struct cluster_info, info_rows, .doc = "This node's part in the cluster.");

// Rows of the store with the views decoded.
struct members {
    struct node *v;
    struct view *views;
    size_t n;
    struct instant now; // of the store
};

static bool member(const struct app *app) { return app->cluster.cluster && app->store->ops->nodes_list; }

static struct cluster_status own_status(const struct app *app)
{
    struct cluster_status s = {.nodes = 1, .slots = SLOTS, .leased = true};
    if (member(app))
        app->cluster.status(app->cluster.cluster, &s);
    return s;
}

static bool members_read(struct app *app, struct members *ret, struct arena *a, struct err *err)
{
    struct members m = {0};
    if (!app->store->ops->nodes_list(app->store, &m.v, &m.n, &m.now, a, err))
        return false;
    m.views = arena_new_array(a, struct view, m.n + 1);
    if (!m.views)
        return ERR(err, ERR_UNAVAILABLE, "the list of nodes is too large for its memory");
    for (size_t i = 0; i < m.n; i++)
        m.views[i] = view_read(m.v[i].view);
    *ret = m;
    return true;
}

static bool alive(const struct node *n) { return n->state != NODE_DEAD; }

// The share its own view gives it, less what another living node's view gives to that other.
static int64_t slots_of(const struct members *m, size_t of)
{
    if (!alive(&m->v[of]))
        return 0;
    struct slots share = view_share(&m->views[of], m->v[of].token);
    for (size_t i = 0; i < m->n; i++) {
        if (i == of || !alive(&m->v[i]))
            continue;
        struct slots taken = view_share(&m->views[i], m->v[i].token);
        for (unsigned slot = 0; slot < SLOTS; slot++)
            if (slots_has(&taken, slot))
                slots_remove(&share, slot);
    }
    return slots_count(&share);
}

static bool view_agreed(const struct members *m)
{
    struct view active = {0};
    for (size_t i = 0; i < m->n; i++)
        if (m->v[i].state == NODE_ACTIVE)
            view_add(&active, m->v[i].token);
    for (size_t i = 0; i < m->n; i++)
        if (alive(&m->v[i]) && !view_eq(&m->views[i], &active))
            return false;
    return true;
}

static void node_fill(const struct members *m, size_t i, int64_t own_token, struct cluster_node *ret)
{
    const struct node *n = &m->v[i];
    *ret = (struct cluster_node){
        .name = n->name,
        .address = n->address,
        .version = n->version,
        .state = n->state,
        .drain_wanted = n->drain_wanted,
        .self = n->token == own_token,
        .slots = slots_of(m, i),
        .running = n->running,
        .started_at = n->started_at,
        .renewed_at = n->renewed_at,
        .lease_until = n->lease_until,
        .lease_age_ms = instant_since(m->now, n->renewed_at).us / US_PER_MS,
        .clock_offset_ms = n->clock_offset_us / US_PER_MS,
    };
}

// Nobody shares the store: this server is all there is.
static void alone_fill(struct app *app, struct cluster_node *ret)
{
    struct engine_status s = {0};
    if (app->engine)
        engine_status(app->engine, &s);
    *ret = (struct cluster_node){
        .name = app->cluster.node_name,
        .address = app->cluster.address,
        .version = str_of(app->settings.version),
        .state = s.draining ? NODE_DRAINING : NODE_ACTIVE,
        .self = true,
        .slots = SLOTS,
        .running = s.running,
        .started_at = app->started,
        .renewed_at = INSTANT_NEVER,
        .lease_until = INSTANT_NEVER,
        .lease_age_ms = FIELD_ABSENT,
        .clock_offset_ms = FIELD_ABSENT,
    };
}

bool app_cluster_nodes(struct app *app, const struct caller *c, struct cluster_node **ret, size_t *ret_n,
                       struct arena *a, struct err *err)
{
    enum reach reach;
    struct members m = {0};
    if (!app_authorize(c, ACTION_CLUSTER_READ, &reach, err) ||
        (member(app) && !members_read(app, &m, a, err)))
        return false;
    size_t n = m.n ? m.n : 1;
    struct cluster_node *v = arena_new_array(a, struct cluster_node, n);
    if (!v)
        return ERR(err, ERR_UNAVAILABLE, "the list of nodes is too large for its memory");
    if (m.n == 0)
        alone_fill(app, &v[0]);
    int64_t own = own_status(app).token;
    for (size_t i = 0; i < m.n; i++)
        node_fill(&m, i, own, &v[i]);
    *ret = v;
    *ret_n = n;
    return true;
}

bool app_cluster_want(struct app *app, const struct caller *c, struct str name, bool drain,
                      struct cluster_node *ret, struct arena *a, struct err *err)
{
    enum reach reach;
    struct members m;
    if (!app_authorize(c, ACTION_CLUSTER_WRITE, &reach, err))
        return false;
    if (!member(app) && !str_eq(name, app->cluster.node_name))
        return ERR(err, ERR_NOT_FOUND, "node \"%.*s\" does not exist", STR_ARG(name));
    if (!member(app))
        return ERR(err, ERR_CONFLICT,
                   "this server is the only one on its store and there is none to take its jobs; "
                   "pause the jobs, or stop the server, which finishes what runs");
    struct audit_note note = {.action = drain ? "node.drain" : "node.resume",
                              .entity_type = "node",
                              .entity_name = name};
    audit_with(app, c, &note, a);
    if (!app->store->ops->node_want(app->store, name, drain, err))
        return false;
    app_wake_others(app);
    if (!members_read(app, &m, a, err))
        return false;
    for (size_t i = 0; i < m.n; i++)
        if (alive(&m.v[i]) && str_eq(m.v[i].name, name)) {
            node_fill(&m, i, own_status(app).token, ret);
            return true;
        }
    return ERR(err, ERR_NOT_FOUND, "node \"%.*s\" does not exist any more", STR_ARG(name));
}

bool app_cluster_info(struct app *app, const struct caller *c, struct cluster_info *ret, struct arena *a,
                      struct err *err)
{
    enum reach reach;
    struct members m = {0};
    if (!app_authorize(c, ACTION_METRICS_READ, &reach, err) ||
        (member(app) && !members_read(app, &m, a, err)))
        return false;
    struct cluster_status s = own_status(app);
    *ret = (struct cluster_info){
        .clustered = !app->store->exclusive && member(app),
        .store = str_of(app->store->ops->name),
        .node = app->cluster.node_name,
        .nodes = s.nodes,
        .slots = s.slots,
        .leased = s.leased,
        .draining = s.draining,
        .clock_offset_ms = s.offset.us / US_PER_MS,
        .clock_refused = s.clock_refused,
        .view_agreed = view_agreed(&m),
    };
    return true;
}
