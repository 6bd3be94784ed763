// SPDX-License-Identifier: Apache-2.0
// The cluster in memory: nodes, what they tell each other, and duties.
#include "store/memory/memory.h"

enum { ENDED_KEPT_S = 3600 };

static struct instant now_of(const struct mem *m) { return clock_now(m->clock); }

static struct node *node_at(struct mem *m, size_t i) { return (struct node *)m->nodes.v + i; }

static bool node_lives(const struct mem *m, const struct node *n) { return n->lease_until.us > now_of(m).us; }

static struct node *node_living(struct mem *m, int64_t token)
{
    for (size_t i = 0; i < m->nodes.n; i++)
        if (node_at(m, i)->token == token && node_lives(m, node_at(m, i)))
            return node_at(m, i);
    return NULL;
}

bool node_leased(struct mem *m, int64_t token) { return node_living(m, token) != NULL; }

// Ended more than an hour ago.
static bool node_forgotten(const struct mem *m, const struct node *n)
{
    return instant_since(now_of(m), n->lease_until).us >= ENDED_KEPT_S * US_PER_S;
}

static bool node_add(struct mem *m, const struct node *n, struct duration lease, struct err *err)
{
    for (size_t i = m->nodes.n; i > 0; i--)
        if (node_forgotten(m, node_at(m, i - 1)))
            mem_rows_remove(&m->nodes, i - 1, 1);
    for (size_t i = 0; i < m->nodes.n; i++) {
        const struct node *o = node_at(m, i);
        if (o->token == n->token || (node_lives(m, o) && str_eq(o->name, n->name)))
            return ERR(err, ERR_CONFLICT, "a living node is named \"%.*s\": choose another name or wait",
                       STR_ARG(n->name));
    }
    struct node *row = mem_rows_add(&m->nodes);
    *row = *n;
    row->name = mem_text(m, n->name);
    row->address = mem_text(m, n->address);
    row->version = mem_text(m, n->version);
    row->process = mem_text(m, n->process);
    row->view = mem_text(m, n->view);
    row->started_at = row->renewed_at = now_of(m);
    row->lease_until = instant_add(now_of(m), lease);
    change_add(m, CHANGE_NODES, ULID_ZERO, n->token);
    return true;
}

bool mem_node_register(struct store *s, const struct node *n, struct duration lease, struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "node_register", true, err) && call_end(&c, node_add(c.m, n, lease, err), err);
}

bool mem_node_renew(struct store *s, int64_t token, struct duration lease, int64_t running,
                    int64_t clock_offset_us, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "node_renew", true, err))
        return false;
    struct node *n = node_living(c.m, token);
    if (!n)
        return call_end(&c, node_gone(err), err);
    n->renewed_at = now_of(c.m);
    n->lease_until = instant_add(n->renewed_at, lease);
    n->running = running;
    n->clock_offset_us = clock_offset_us;
    return call_end(&c, true, err);
}

bool mem_node_publish(struct store *s, int64_t token, int state, struct str view, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "node_publish", true, err))
        return false;
    struct node *n = node_living(c.m, token);
    if (!n)
        return call_end(&c, node_gone(err), err);
    n->state = state;
    n->view = mem_text(c.m, view);
    change_add(c.m, CHANGE_NODES, ULID_ZERO, token);
    return call_end(&c, true, err);
}

bool mem_node_leave(struct store *s, int64_t token, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "node_leave", true, err))
        return false;
    for (size_t i = c.m->nodes.n; i > 0; i--)
        if (node_at(c.m, i - 1)->token == token) {
            mem_rows_remove(&c.m->nodes, i - 1, 1);
            change_add(c.m, CHANGE_NODES, ULID_ZERO, token);
        }
    return call_end(&c, true, err);
}

bool mem_node_want(struct store *s, struct str name, bool drain, struct err *err)
{
    struct mem_call c;
    bool found = false;
    if (!call_begin(&c, s, "node_want", true, err))
        return false;
    for (size_t i = 0; i < c.m->nodes.n; i++) {
        struct node *n = node_at(c.m, i);
        if (!str_eq(n->name, name) || !node_lives(c.m, n))
            continue;
        n->drain_wanted = drain;
        found = true;
    }
    if (!found)
        return call_end(&c, ERR(err, ERR_NOT_FOUND, "no living node is named \"%.*s\"", STR_ARG(name)), err);
    change_add(c.m, CHANGE_NODES, ULID_ZERO, 0);
    return call_end(&c, true, err);
}

static int by_name(const void *a, const void *b)
{
    const struct node *x = a, *y = b;
    int order = str_cmp(x->name, y->name);
    if (order == 0)
        order = x->started_at.us < y->started_at.us ? -1 : x->started_at.us > y->started_at.us;
    return order ? order : x->token < y->token ? -1 : 1;
}

bool mem_nodes_list(struct store *s, struct node **ret, size_t *ret_n, struct instant *ret_now,
                    struct arena *a, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "nodes_list", false, err))
        return false;
    struct node *v = arena_new_array(a, struct node, c.m->nodes.n);
    size_t n = 0;
    if (!v)
        return call_end(&c, ERR(err, ERR_UNAVAILABLE, "no memory for the nodes"), err);
    for (size_t i = 0; i < c.m->nodes.n; i++) {
        if (node_forgotten(c.m, node_at(c.m, i)))
            continue;
        v[n] = *node_at(c.m, i);
        if (!node_lives(c.m, &v[n]))
            v[n].state = NODE_DEAD;
        n++;
    }
    qsort(v, n, sizeof *v, by_name);
    *ret = v;
    *ret_n = n;
    *ret_now = now_of(c.m);
    return call_end(&c, true, err);
}

// ---- changes -----------------------------------------------------------------------------------

void change_add(struct mem *m, int kind, struct ulid subject, int64_t sender)
{
    if (m->base.exclusive)
        return;
    struct change *row = mem_rows_add(&m->changes);
    *row = (struct change){
        .seq = ++m->changes.seq, .kind = kind, .subject = subject, .sender = sender, .at = now_of(m)};
}

bool mem_changes_read(struct store *s, int64_t after, size_t max, struct change **ret, size_t *ret_n,
                      struct arena *a, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "changes_read", false, err))
        return false;
    const struct change *v = c.m->changes.v;
    size_t first = c.m->changes.n, n;
    while (first > 0 && v[first - 1].seq > after)
        first--;
    n = c.m->changes.n - first < max ? c.m->changes.n - first : max;
    struct change *out = arena_new_array(a, struct change, n);
    if (!out)
        return call_end(&c, ERR(err, ERR_UNAVAILABLE, "no memory for the changes"), err);
    if (n)
        memcpy(out, v + first, n * sizeof *out);
    *ret = out;
    *ret_n = n;
    return call_end(&c, true, err);
}

bool mem_changes_last(struct store *s, int64_t *ret, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "changes_last", false, err))
        return false;
    *ret = c.m->changes.seq;
    return call_end(&c, true, err);
}

bool mem_changes_trim(struct store *s, struct duration age, struct err *err)
{
    struct mem_call c;
    size_t n = 0;
    if (!call_begin(&c, s, "changes_trim", true, err))
        return false;
    const struct change *v = c.m->changes.v;
    while (n < c.m->changes.n && instant_since(now_of(c.m), v[n].at).us >= age.us)
        n++;
    mem_rows_remove(&c.m->changes, 0, n);
    return call_end(&c, true, err);
}

// ---- duties ------------------------------------------------------------------------------------

static struct duty *duty_find(struct mem *m, struct str name)
{
    struct duty *v = m->duties.v;
    for (size_t i = 0; i < m->duties.n; i++)
        if (str_eq(v[i].name, name))
            return &v[i];
    return NULL;
}

bool mem_duty_hold(struct store *s, struct str name, int64_t token, struct duration lease, bool *ret_held,
                   int64_t *ret_term, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "duty_hold", true, err))
        return false;
    struct duty *d = duty_find(c.m, name);
    if (!d) {
        d = mem_rows_add(&c.m->duties);
        d->name = mem_text(c.m, name);
    }
    bool lasts = d->lease_until.us > now_of(c.m).us;
    bool held = !lasts || d->token == token;
    if (held) {
        d->term += !lasts;
        d->token = token;
        d->lease_until = instant_add(now_of(c.m), lease);
    }
    int64_t term = d->term;
    if (!call_end(&c, true, err))
        return false;
    *ret_held = held;
    *ret_term = term;
    return true;
}

bool mem_duty_release(struct store *s, struct str name, int64_t token, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "duty_release", true, err))
        return false;
    struct duty *d = duty_find(c.m, name);
    if (d && d->token == token)
        d->lease_until = (struct instant){0};
    return call_end(&c, true, err);
}
