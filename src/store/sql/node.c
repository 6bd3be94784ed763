// SPDX-License-Identifier: Apache-2.0
// Nodes and duties: leases by the store's clock, each decided by one conditional statement.
#include "store/sql/sql.h"

enum { ENDED_KEPT_S = 3600, NODES_FIRST = 8 };

// ---- register ----------------------------------------------------------------------------------

struct registration {
    struct store *store;
    const struct node *node;
    struct duration lease;
};

static bool remove_ended(struct db *d, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_NODES_REMOVE_ENDED, &s, err))
        return false;
    db_put_i64(s, 1, ENDED_KEPT_S * US_PER_S);
    return db_run(s, err);
}

static bool free_name(struct db *d, struct str name, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_NODE_FREE_NAME, &s, err))
        return false;
    db_put_text(s, 1, name);
    return db_run(s, err);
}

static bool register_write(struct db *d, void *arg, struct err *err)
{
    const struct registration *w = arg;
    const struct node *n = w->node;
    struct db_stmt *s;
    if (!remove_ended(d, err) || !free_name(d, n->name, err) || !sql_query(d, STORE_NODE_PUT, &s, err))
        return false;
    db_put_i64(s, 1, n->token);
    db_put_text(s, 2, n->name);
    db_put_text(s, 3, n->address);
    db_put_text(s, 4, n->version);
    db_put_text(s, 5, n->process);
    db_put_i64(s, 6, n->state);
    db_put_i64(s, 7, n->drain_wanted);
    db_put_text(s, 8, n->view);
    db_put_i64(s, 9, n->running);
    db_put_i64(s, 10, n->clock_offset_us);
    db_put_i64(s, 11, w->lease.us);
    if (!db_run(s, err))
        return false;
    if (db_changes(d) != 1)
        return ERR(err, ERR_CONFLICT, "a living node is named \"%.*s\": choose another name or wait",
                   STR_ARG(n->name));
    return change_put(w->store, d, CHANGE_NODES, ULID_ZERO, n->token, err);
}

bool sql_node_register(struct store *s, const struct node *n, struct duration lease, struct err *err)
{
    struct registration w = {.store = s, .node = n, .lease = lease};
    if (!sql_write(s, register_write, &w, 2, err))
        return false;
    atomic_store(&((struct sql *)s)->sender, n->token);
    return true;
}

// ---- life of a node ----------------------------------------------------------------------------

struct renewal {
    int64_t token, running, clock_offset_us;
    struct duration lease;
};

static bool renew_write(struct db *d, void *arg, struct err *err)
{
    const struct renewal *w = arg;
    struct db_stmt *s;
    if (!sql_query(d, STORE_NODE_RENEW, &s, err))
        return false;
    db_put_i64(s, 1, w->token);
    db_put_i64(s, 2, w->lease.us);
    db_put_i64(s, 3, w->running);
    db_put_i64(s, 4, w->clock_offset_us);
    if (!db_run(s, err))
        return false;
    return db_changes(d) == 1 || node_gone(err);
}

bool sql_node_renew(struct store *s, int64_t token, struct duration lease, int64_t running,
                    int64_t clock_offset_us, struct err *err)
{
    struct renewal w = {token, running, clock_offset_us, lease};
    return sql_write_in(s, LANE_LEASE, renew_write, &w, 1, err);
}

struct publication {
    struct store *store;
    int64_t token;
    int state;
    struct str view;
};

static bool publish_write(struct db *d, void *arg, struct err *err)
{
    const struct publication *w = arg;
    struct db_stmt *s;
    if (!sql_query(d, STORE_NODE_PUBLISH, &s, err))
        return false;
    db_put_i64(s, 1, w->token);
    db_put_i64(s, 2, w->state);
    db_put_text(s, 3, w->view);
    if (!db_run(s, err))
        return false;
    if (db_changes(d) != 1)
        return node_gone(err);
    return change_put(w->store, d, CHANGE_NODES, ULID_ZERO, w->token, err);
}

bool sql_node_publish(struct store *s, int64_t token, int state, struct str view, struct err *err)
{
    struct publication w = {.store = s, .token = token, .state = state, .view = view};
    return sql_write(s, publish_write, &w, 1, err);
}

static bool leave_write(struct db *d, void *arg, struct err *err)
{
    const struct publication *w = arg;
    struct db_stmt *s;
    if (!sql_query(d, STORE_NODE_REMOVE, &s, err))
        return false;
    db_put_i64(s, 1, w->token);
    if (!db_run(s, err))
        return false;
    return db_changes(d) == 0 || change_put(w->store, d, CHANGE_NODES, ULID_ZERO, w->token, err);
}

bool sql_node_leave(struct store *s, int64_t token, struct err *err)
{
    struct publication w = {.store = s, .token = token};
    return sql_write(s, leave_write, &w, 1, err);
}

struct wish {
    struct store *store;
    struct str name;
    bool drain;
};

static bool want_write(struct db *d, void *arg, struct err *err)
{
    const struct wish *w = arg;
    struct db_stmt *s;
    if (!sql_query(d, STORE_NODE_WANT, &s, err))
        return false;
    db_put_text(s, 1, w->name);
    db_put_i64(s, 2, w->drain);
    if (!db_run(s, err))
        return false;
    if (db_changes(d) == 0)
        return ERR(err, ERR_NOT_FOUND, "no living node is named \"%.*s\"", STR_ARG(w->name));
    return change_put(w->store, d, CHANGE_NODES, ULID_ZERO, 0, err);
}

bool sql_node_want(struct store *s, struct str name, bool drain, struct err *err)
{
    struct wish w = {.store = s, .name = name, .drain = drain};
    return sql_write(s, want_write, &w, 1, err);
}

// ---- list --------------------------------------------------------------------------------------

static bool text_take(struct db_stmt *s, int col, struct str *ret, struct arena *a)
{
    struct str v = db_bytes(s, col);
    *ret = v.p ? arena_str(a, v) : STR_NONE;
    return !v.p || ret->p;
}

static bool node_read(struct db_stmt *s, struct instant now, struct node *ret, struct arena *a)
{
    struct node n = {.token = db_i64(s, 1),
                     .state = (int)db_i64(s, 6),
                     .drain_wanted = db_i64(s, 7) != 0,
                     .running = db_i64(s, 9),
                     .clock_offset_us = db_i64(s, 10),
                     .started_at = {db_i64(s, 11)},
                     .renewed_at = {db_i64(s, 12)},
                     .lease_until = {db_i64(s, 13)}};
    if (n.lease_until.us <= now.us)
        n.state = NODE_DEAD;
    if (!text_take(s, 2, &n.name, a) || !text_take(s, 3, &n.address, a) || !text_take(s, 4, &n.version, a) ||
        !text_take(s, 5, &n.process, a) || !text_take(s, 8, &n.view, a))
        return false;
    *ret = n;
    return true;
}

// One more row; the list is not long, and its length is not known before.
static bool nodes_add(struct node **v, size_t n, size_t *cap, struct arena *a)
{
    if (n < *cap)
        return true;
    size_t room = *cap ? 2 * *cap : NODES_FIRST;
    struct node *more = arena_new_array(a, struct node, room);
    if (more && n)
        memcpy(more, *v, n * sizeof *more);
    *v = more;
    *cap = room;
    return more != NULL;
}

bool sql_nodes_list(struct store *s, struct node **ret, size_t *ret_n, struct instant *ret_now,
                    struct arena *a, struct err *err)
{
    struct sql_read r;
    struct node *v = NULL;
    struct instant now = {0};
    size_t n = 0, cap = 0;
    bool ok = true, row;
    if (!sql_read(&r, s, STORE_NODES_LIST, err))
        return false;
    while (ok && (ok = db_step(r.s, &row, err)) && row) {
        if (now.us == 0)
            now.us = db_i64(r.s, 0);
        if (db_is_null(r.s, 1))
            continue;
        ok = (nodes_add(&v, n, &cap, a) && node_read(r.s, now, &v[n], a)) || sql_no_memory(err);
        n += ok && instant_since(now, v[n].lease_until).us < ENDED_KEPT_S * US_PER_S;
    }
    sql_read_end(&r);
    if (!ok)
        return false;
    *ret = v;
    *ret_n = n;
    *ret_now = now;
    return true;
}

// ---- duties ------------------------------------------------------------------------------------

struct duty_claim {
    struct str name;
    int64_t token, term;
    struct duration lease;
    bool held;
};

// What the row holds after the conditional statement says who has the duty: row counts of an upsert differ
// between engines.
static bool hold_write(struct db *d, void *arg, struct err *err)
{
    struct duty_claim *w = arg;
    struct db_stmt *s;
    if (!sql_query(d, STORE_DUTY_TAKE, &s, err))
        return false;
    db_put_text(s, 1, w->name);
    db_put_i64(s, 2, w->token);
    db_put_i64(s, 3, w->lease.us);
    if (!db_run(s, err) || !sql_query(d, STORE_DUTY_GET, &s, err))
        return false;
    db_put_text(s, 1, w->name);
    if (!sql_only_row(s, err, "duty", "taken"))
        return false;
    w->held = db_i64(s, 0) == w->token;
    w->term = db_i64(s, 1);
    db_reset(s);
    return true;
}

bool sql_duty_hold(struct store *s, struct str name, int64_t token, struct duration lease, bool *ret_held,
                   int64_t *ret_term, struct err *err)
{
    struct duty_claim w = {.name = name, .token = token, .lease = lease};
    if (!sql_write(s, hold_write, &w, 1, err))
        return false;
    *ret_held = w.held;
    *ret_term = w.term;
    meter_duty(name, w.held);
    return true;
}

static bool release_write(struct db *d, void *arg, struct err *err)
{
    const struct duty_claim *w = arg;
    struct db_stmt *s;
    if (!sql_query(d, STORE_DUTY_RELEASE, &s, err))
        return false;
    db_put_text(s, 1, w->name);
    db_put_i64(s, 2, w->token);
    return db_run(s, err);
}

bool sql_duty_release(struct store *s, struct str name, int64_t token, struct err *err)
{
    struct duty_claim w = {.name = name, .token = token};
    meter_duty(name, false);
    return sql_write(s, release_write, &w, 1, err);
}
