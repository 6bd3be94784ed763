// SPDX-License-Identifier: Apache-2.0
// Stores on two nodes of a Galera cluster that write at once, which is not the supported set-up: each instant
// is still decided once, because the loser of two commits has written nothing and tries again. Against
// tests/servers/galera.py. CHRONOS_ROUNDS=50 decides as many times more.
#include "conformance.h"

#include "store/sql/store_sql.h"

enum { NODES = 2, THREADS_EACH = 3, INSTANTS = 40, PATIENCE_S = 10, READERS_EACH = 2, TRIES_MAX = 1000 };

struct writer {
    struct store *s;
    struct plan plan;
    int64_t token;
    int won, busy, failed;
    struct arena a;
};

static struct arena arena;
static struct store *stores[NODES];
static int instants = INSTANTS;
static pthread_barrier_t together; // all begin each instant at the same moment

static int start(void **state)
{
    struct store_server_options o = {
        .application = "chronos tests", .patience = duration_s(PATIENCE_S), .readers = READERS_EACH};
    struct str rest = str_of(getenv("CHRONOS_TEST_DB_URLS"));
    struct err err;
    (void)state;
    arena_init(&arena, ARENA_BUDGET);
    for (int i = 0; i < NODES; i++)
        if (!store_server_open(str_split(rest, ' ', &rest), &o, instant_s(1), &stores[i], &err))
            fail_msg("%s", err.text);
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (int i = 0; i < NODES; i++)
        stores[i]->ops->free(stores[i]);
    arena_release(&arena);
    return 0;
}

static void job_of_test(struct job *ret, struct plan *ret_plan)
{
    *ret = (struct job){.id = {{0x01, 0x90, 1}},
                        .owner_id = {{1}},
                        .name = STR("raced"),
                        .type = STR("DUMMY"),
                        .version = 1,
                        .enabled = true,
                        .timeout_seconds = 1};
    field_defaults(&schedule_fields, &ret->schedule);
    field_defaults(&retry_policy_fields, &ret->retry_policy);
    ret->schedule.kind = SCHEDULE_MANUAL;
    *ret_plan = (struct plan){.next_fire = instant_s(1800000000)};
    plan_of_job(ret, ret_plan);
}

static bool plan_find(struct store *s, struct ulid id, struct plan *ret, struct arena *a)
{
    struct plan *v;
    size_t n = 0;
    struct err err;
    if (!s->ops->plans_get(s, &id, 1, &v, &n, a, &err) || n == 0)
        return false;
    *ret = *v;
    return true;
}

// Fires one instant until it is decided, by whomever.
static void decide(struct writer *w, struct instant at)
{
    struct ulid key = run_key_of(w->plan.job_id, at);
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        struct err err;
        struct run r = {.id = run_id_of(w->plan.job_id, at, key, 1),
                        .job_id = w->plan.job_id,
                        .job_version = 1,
                        .scheduled = at,
                        .first_scheduled = at,
                        .due = at,
                        .start = at,
                        .end = INSTANT_NEVER,
                        .occurrences = 1,
                        .attempt = 1,
                        .status = RUN_RUNNING,
                        .token = w->token,
                        .exit_code = FIELD_ABSENT,
                        .run_key = key};
        struct fire f = {.job_id = w->plan.job_id,
                         .expect_version = 1,
                         .expect_next = at,
                         .new_next = instant_add(at, duration_s(60)),
                         .runs = &r,
                         .n_runs = 1};
        struct flush all = {.fires = &f, .n_fires = 1};
        if (w->s->ops->flush(w->s, &all, &err)) {
            struct plan now = w->plan;
            w->won += f.ret_won;
            // This node may not have applied yet what another has decided before.
            if (f.ret_won || (plan_find(w->s, w->plan.job_id, &now, &w->a) && now.next_fire.us > at.us))
                return;
        } else if (err.code == ERR_BUSY) {
            w->busy++;
        } else {
            w->failed++;
            return;
        }
    }
    w->failed++;
}

static void *fire_all(void *arg)
{
    struct writer *w = arg;
    for (int i = 0; i < instants; i++) {
        (void)pthread_barrier_wait(&together);
        decide(w, instant_add(w->plan.next_fire, duration_s(60 * i)));
    }
    return NULL;
}

static int chain_length(struct store *s, struct ulid head)
{
    int n = 0;
    while (!ulid_is_zero(head)) {
        struct run r;
        struct err err;
        if (!s->ops->run_get(s, head, &r, &arena, &err))
            fail_msg("%s", err.text);
        head = r.prev_run;
        n++;
    }
    return n;
}

static void each_instant_is_decided_once(void **state)
{
    (void)state;
    struct writer w[NODES * THREADS_EACH];
    pthread_t t[NODES * THREADS_EACH];
    struct job j;
    struct plan p, seen;
    struct err err;
    int won = 0, busy = 0;
    job_of_test(&j, &p);
    if (!stores[0]->ops->jobs_insert(stores[0], &j, &p, 1, &err))
        fail_msg("%s", err.text);
    for (int i = 0; i < NODES; i++)
        while (!plan_find(stores[i], j.id, &seen, &arena))
            ;
    assert_int_equal(pthread_barrier_init(&together, NULL, NODES * THREADS_EACH), 0);
    for (int i = 0; i < NODES * THREADS_EACH; i++) {
        w[i] = (struct writer){.s = stores[i % NODES], .plan = p, .token = i + 1};
        arena_init(&w[i].a, ARENA_BUDGET);
        t[i] = thread_start("writer", fire_all, &w[i]);
    }
    for (int i = 0; i < NODES * THREADS_EACH; i++) {
        assert_int_equal(pthread_join(t[i], NULL), 0);
        assert_int_equal(w[i].failed, 0);
        arena_release(&w[i].a);
        won += w[i].won;
        busy += w[i].busy;
    }
    print_message("# %d instants won, %d times busy\n", won, busy);
    assert_int_equal(pthread_barrier_destroy(&together), 0);
    assert_int_equal(won, instants);
    for (int i = 0; i < NODES; i++) {
        do
            assert_true(plan_find(stores[i], j.id, &seen, &arena));
        while (seen.next_fire.us < instant_add(p.next_fire, duration_s(60 * instants)).us);
        assert_int_equal(seen.run_count, instants);
        assert_int_equal(chain_length(stores[i], seen.last_run), instants);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_instant_is_decided_once, start, end),
    };
    const char *rounds = getenv("CHRONOS_ROUNDS");
    int64_t n = 1;
    if (rounds && str_to_i64(str_of(rounds), &n) && n > 1)
        instants *= (int)n;
    if (!getenv("CHRONOS_TEST_DB_URLS")) {
        (void)printf("1..0 # SKIP CHRONOS_TEST_DB_URLS names no cluster\n");
        return 0;
    }
    return cmocka_run_group_tests_name("galera writers", tests, NULL, NULL);
}
