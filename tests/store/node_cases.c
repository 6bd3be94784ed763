// SPDX-License-Identifier: Apache-2.0
// Members of the cluster: names, leases by the store's clock, what an ended lease forbids.
#include "conformance.h"

enum { LONG_S = 3600, SHORT_MS = 200, THREADS = 8 };

static struct node node_make(int64_t token, const char *name)
{
    return (struct node){.token = token,
                         .name = str_of(name),
                         .address = STR("127.0.0.1:8080"),
                         .version = STR("1.2.3"),
                         .process = STR("host 17 42"),
                         .state = NODE_ACTIVE,
                         .view = STR("")};
}

// Moments that one statement asks for one after the other are not quite the same.
static void assert_lease(struct duration lease, struct duration expected)
{
    assert_in_range(lease.us + US_PER_S, expected.us, expected.us + 2 * US_PER_S);
}

static void node_add(struct world *w, int64_t token, const char *name, struct duration lease)
{
    struct node n = node_make(token, name);
    assert_ok(w, w->s->ops->node_register(w->s, &n, lease, &w->err));
}

// *ret_now: the store's clock. The node must be listed.
static struct node node_get(struct world *w, int64_t token, struct instant *ret_now)
{
    struct node *v;
    size_t n;
    assert_ok(w, w->s->ops->nodes_list(w->s, &v, &n, ret_now, &w->a, &w->err));
    for (size_t i = 0; i < n; i++)
        if (v[i].token == token)
            return v[i];
    fail_msg("the node is not listed");
    return v[0];
}

static void wait_until_dead(struct world *w, int64_t token)
{
    struct instant now;
    world_pass(w, duration_ms(SHORT_MS));
    while (node_get(w, token, &now).state != NODE_DEAD)
        ;
}

static void registered_node_is_listed(void **state)
{
    struct world *w = *state;
    struct instant now;
    struct node *v;
    size_t count;
    assert_ok(w, w->s->ops->nodes_list(w->s, &v, &count, &now, &w->a, &w->err));
    assert_int_equal(count, 0);
    assert_true(now.us > at_s(0).us - S_PER_DAY * 365 * 2 * US_PER_S); // the clock is told without nodes too
    node_add(w, 7, "b", duration_s(LONG_S));
    node_add(w, 8, "a", duration_s(LONG_S));
    assert_ok(w, w->s->ops->nodes_list(w->s, &v, &count, &now, &w->a, &w->err));
    assert_int_equal(count, 2);
    assert_text(v[0].name, STR("a"));
    assert_text(v[1].name, STR("b"));
    assert_int_equal(v[1].token, 7);
    assert_text(v[1].address, STR("127.0.0.1:8080"));
    assert_text(v[1].version, STR("1.2.3"));
    assert_text(v[1].process, STR("host 17 42"));
    assert_int_equal(v[1].state, NODE_ACTIVE);
    assert_false(v[1].drain_wanted);
    assert_true(v[1].started_at.us <= now.us && v[1].renewed_at.us <= now.us);
    assert_lease(instant_since(v[1].lease_until, v[1].started_at), duration_s(LONG_S));
}

static void living_name_is_taken(void **state)
{
    struct world *w = *state;
    struct node same = node_make(2, "n1");
    node_add(w, 1, "n1", duration_s(LONG_S));
    assert_err(w, w->s->ops->node_register(w->s, &same, duration_s(LONG_S), &w->err), ERR_CONFLICT);
    node_add(w, 3, "n2", duration_s(LONG_S));
}

static void ended_name_is_free(void **state)
{
    struct world *w = *state;
    struct instant now;
    node_add(w, 1, "n1", duration_ms(SHORT_MS));
    wait_until_dead(w, 1);
    node_add(w, 2, "n1", duration_s(LONG_S));
    assert_int_equal(node_get(w, 1, &now).state, NODE_DEAD);
    assert_int_equal(node_get(w, 2, &now).state, NODE_ACTIVE);
    struct node third = node_make(3, "n1");
    assert_err(w, w->s->ops->node_register(w->s, &third, duration_s(LONG_S), &w->err), ERR_CONFLICT);
}

static void renewal_moves_the_lease(void **state)
{
    struct world *w = *state;
    struct instant now;
    node_add(w, 1, "n1", duration_s(LONG_S));
    world_pass(w, duration_s(5));
    assert_ok(w, w->s->ops->node_renew(w->s, 1, duration_s(2 * LONG_S), 17, -300, &w->err));
    struct node n = node_get(w, 1, &now);
    assert_int_equal(n.running, 17);
    assert_int_equal(n.clock_offset_us, -300);
    assert_true(n.renewed_at.us >= n.started_at.us);
    assert_lease(instant_since(n.lease_until, n.renewed_at), duration_s(2 * LONG_S));
}

static void ended_lease_is_dead_for_ever(void **state)
{
    struct world *w = *state;
    struct instant now;
    node_add(w, 1, "n1", duration_ms(SHORT_MS));
    wait_until_dead(w, 1);
    assert_err(w, w->s->ops->node_renew(w->s, 1, duration_s(LONG_S), 0, 0, &w->err), ERR_STALE);
    assert_err(w, w->s->ops->node_publish(w->s, 1, NODE_ACTIVE, STR("1"), &w->err), ERR_STALE);
    assert_int_equal(node_get(w, 1, &now).state, NODE_DEAD);
    assert_err(w, w->s->ops->node_renew(w->s, 99, duration_s(LONG_S), 0, 0, &w->err), ERR_STALE);
    assert_err(w, w->s->ops->node_publish(w->s, 99, NODE_ACTIVE, STR("1"), &w->err), ERR_STALE);
}

static void published_view_is_read(void **state)
{
    struct world *w = *state;
    struct instant now;
    node_add(w, 1, "n1", duration_s(LONG_S));
    assert_ok(w, w->s->ops->node_publish(w->s, 1, NODE_DRAINING, STR("1 2a"), &w->err));
    struct node n = node_get(w, 1, &now);
    assert_int_equal(n.state, NODE_DRAINING);
    assert_text(n.view, STR("1 2a"));
    // The same again is no failure.
    assert_ok(w, w->s->ops->node_publish(w->s, 1, NODE_DRAINING, STR("1 2a"), &w->err));
}

static void leaving_node_is_gone(void **state)
{
    struct world *w = *state;
    struct node *v;
    struct instant now;
    size_t n;
    node_add(w, 1, "n1", duration_s(LONG_S));
    assert_ok(w, w->s->ops->node_leave(w->s, 1, &w->err));
    assert_ok(w, w->s->ops->node_leave(w->s, 1, &w->err));
    assert_ok(w, w->s->ops->nodes_list(w->s, &v, &n, &now, &w->a, &w->err));
    assert_int_equal(n, 0);
    assert_err(w, w->s->ops->node_renew(w->s, 1, duration_s(LONG_S), 0, 0, &w->err), ERR_STALE);
    node_add(w, 2, "n1", duration_s(LONG_S));
}

static void drain_is_asked_of_the_living(void **state)
{
    struct world *w = *state;
    struct instant now;
    node_add(w, 1, "n1", duration_ms(SHORT_MS));
    wait_until_dead(w, 1);
    assert_err(w, w->s->ops->node_want(w->s, STR("n1"), true, &w->err), ERR_NOT_FOUND);
    assert_err(w, w->s->ops->node_want(w->s, STR("nobody"), true, &w->err), ERR_NOT_FOUND);
    node_add(w, 2, "n1", duration_s(LONG_S));
    assert_ok(w, w->s->ops->node_want(w->s, STR("n1"), true, &w->err));
    assert_ok(w, w->s->ops->node_want(w->s, STR("n1"), true, &w->err));
    assert_true(node_get(w, 2, &now).drain_wanted);
    assert_false(node_get(w, 1, &now).drain_wanted);
    assert_ok(w, w->s->ops->node_want(w->s, STR("n1"), false, &w->err));
    assert_false(node_get(w, 2, &now).drain_wanted);
}

// ---- flush under a lease -----------------------------------------------------------------------

static struct flush flush_under(int64_t token, struct fire *f)
{
    return (struct flush){.fires = f, .n_fires = 1, .node_token = token};
}

static void lease_lets_flush(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run r = run_make(&p, p.next_fire, 1, RUN_RUNNING, 1);
    struct fire f = {.job_id = p.job_id,
                     .expect_version = 1,
                     .expect_next = p.next_fire,
                     .new_next = at_s(120),
                     .runs = &r,
                     .n_runs = 1};
    struct flush all = flush_under(1, &f);
    node_add(w, 1, "n1", duration_s(LONG_S));
    assert_ok(w, w->s->ops->flush(w->s, &all, &w->err));
    assert_true(f.ret_won);
}

static void ended_lease_stops_the_whole_flush(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run old = fire_one(w, &p, RUN_RUNNING, 5);
    struct run r = run_make(&p, p.next_fire, 1, RUN_RUNNING, 1);
    struct fire f = {.job_id = p.job_id,
                     .expect_version = 1,
                     .expect_next = p.next_fire,
                     .new_next = at_s(600),
                     .runs = &r,
                     .n_runs = 1};
    struct finish end = finish_make(&old, RUN_SUCCEEDED);
    struct flush all = flush_under(1, &f);
    all.finishes = &end;
    all.n_finishes = 1;
    node_add(w, 1, "n1", duration_ms(SHORT_MS));
    wait_until_dead(w, 1);
    assert_err(w, w->s->ops->flush(w->s, &all, &w->err), ERR_STALE);
    assert_false(f.ret_won || end.ret_recorded);
    assert_int_equal(run_read_one(w, old.id).status, RUN_RUNNING);
    assert_int_equal(plan_read_one(w, p.job_id).next_fire.us, p.next_fire.us);
    all.node_token = 99;
    assert_err(w, w->s->ops->flush(w->s, &all, &w->err), ERR_STALE);
    all.node_token = 0;
    assert_ok(w, w->s->ops->flush(w->s, &all, &w->err));
    assert_true(f.ret_won && end.ret_recorded);
}

// ---- races -------------------------------------------------------------------------------------

struct contender {
    struct store *s;
    int64_t token;
    bool won, refused;
    struct err err;
};

static void *register_one_name(void *arg)
{
    struct contender *c = arg;
    struct node n = node_make(c->token, "contested");
    c->won = c->s->ops->node_register(c->s, &n, duration_s(LONG_S), &c->err);
    c->refused = !c->won && c->err.code == ERR_CONFLICT;
    return NULL;
}

static void contend(struct world *w)
{
    pthread_t t[THREADS];
    struct contender v[THREADS];
    struct store *other = world_other(w);
    int won = 0;
    for (int i = 0; i < THREADS; i++) {
        v[i] = (struct contender){.s = i % 2 ? other : w->s, .token = 100 + i};
        t[i] = thread_start("contender", register_one_name, &v[i]);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(t[i], NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        if (!v[i].won && !v[i].refused)
            fail_msg("%s", v[i].err.text);
        won += v[i].won;
    }
    assert_int_equal(won, 1);
}

static void one_of_many_gets_a_name(void **state)
{
    struct world *w = *state;
    contend(w);
}

static void one_of_many_gets_an_ended_name(void **state)
{
    struct world *w = *state;
    node_add(w, 1, "contested", duration_ms(SHORT_MS));
    wait_until_dead(w, 1);
    contend(w);
}

static const struct CMUnitTest rows[] = {
    CASE("a registered node is listed by name, with the store's clock", registered_node_is_listed),
    CASE("the name of a living node is taken", living_name_is_taken),
    CASE("the name of a node whose lease has ended is free", ended_name_is_free),
    CASE("a renewal moves the lease", renewal_moves_the_lease),
    CASE("an ended lease is dead for ever", ended_lease_is_dead_for_ever),
    CASE("a published view is read", published_view_is_read),
    CASE("a node that left is gone", leaving_node_is_gone),
    CASE("draining is asked of living nodes", drain_is_asked_of_the_living),
    CASE("a node with a lease flushes", lease_lets_flush),
    CASE("an ended lease stops the whole flush", ended_lease_stops_the_whole_flush),
    CASE("of many that register one name one gets it", one_of_many_gets_a_name),
    CASE("of many that register an ended name one gets it", one_of_many_gets_an_ended_name),
};
const struct cases node_cases = CASES(rows);
