// SPDX-License-Identifier: Apache-2.0
// Many threads at once: every caller gets its own result, every decision is made once.
#include "conformance.h"

enum { THREADS = 8, ROUNDS = 40 };

struct racer {
    struct world *w;
    struct store *s; // of two processes on one database, where there can be two
    int number;
    int won, refused, failed;
    struct plan plan;
    struct run run;
    struct err err;
};

static void race(struct world *w, thread_main f, struct racer *v)
{
    pthread_t t[THREADS];
    struct store *other = world_other(w);
    for (int i = 0; i < THREADS; i++) {
        v[i] = (struct racer){
            .w = w, .s = i % 2 ? other : w->s, .number = i, .plan = v[i].plan, .run = v[i].run};
        t[i] = thread_start("racer", f, &v[i]);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(t[i], NULL), 0);
}

static struct ulid racer_id(const struct racer *r, int round)
{
    return (struct ulid){{0x01, 0x90, (uint8_t)r->number, (uint8_t)(round >> 8), (uint8_t)round, 7}};
}

// Half of the e-mails are everybody's: exactly one thread gets each of those.
static void *insert_users(void *arg)
{
    struct racer *r = arg;
    for (int i = 0; i < ROUNDS; i++) {
        char email[64];
        struct user u = {.id = racer_id(r, i), .email.p = email, .enabled = true, .created_at = at_s(0)};
        u.email.n = (size_t)snprintf(email, sizeof email, "%d-%d@x.org", i % 2 ? r->number : 99, i);
        if (r->s->ops->user_insert(r->s, &u, &r->err))
            r->won++;
        else if (r->err.code == ERR_CONFLICT)
            r->refused++;
        else
            r->failed++;
    }
    return NULL;
}

static void writers_get_their_own_results(void **state)
{
    struct world *w = *state;
    struct racer v[THREADS] = {0};
    int won = 0, refused = 0;
    race(w, insert_users, v);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(v[i].failed, 0);
        assert_true(v[i].won >= ROUNDS / 2);
        won += v[i].won;
        refused += v[i].refused;
    }
    assert_int_equal(won, THREADS * ROUNDS / 2 + ROUNDS / 2);
    assert_int_equal(refused, (THREADS - 1) * ROUNDS / 2);
}

static void *fire_the_same(void *arg)
{
    struct racer *r = arg;
    struct plan p = r->plan;
    for (int i = 0; i < ROUNDS; i++) {
        struct run run = run_make(&p, p.next_fire, 1, RUN_RUNNING, r->number + 1);
        struct fire f = {.job_id = p.job_id,
                         .expect_version = 1,
                         .expect_next = p.next_fire,
                         .new_next = instant_add(p.next_fire, duration_s(60)),
                         .runs = &run,
                         .n_runs = 1};
        struct flush all = {.fires = &f, .n_fires = 1};
        if (!r->s->ops->flush(r->s, &all, &r->err))
            r->failed++;
        else if (f.ret_won)
            r->won++;
        p.next_fire = f.new_next;
    }
    return NULL;
}

static void each_instant_is_decided_once(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "raced");
    struct racer v[THREADS] = {0};
    int won = 0;
    for (int i = 0; i < THREADS; i++)
        v[i].plan = p;
    race(w, fire_the_same, v);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(v[i].failed, 0);
        won += v[i].won;
    }
    // A thread that is ahead of the others loses nothing; one that is behind finds its instant decided.
    struct plan end = plan_read_one(w, p.job_id);
    assert_int_equal(end.run_count, won);
    assert_int_equal(instant_since(end.next_fire, p.next_fire).us, won * 60 * US_PER_S);
    assert_true(won >= 1 && won <= ROUNDS);
    struct run_filter f = {.job_id = p.job_id, .status = -1};
    struct page ask = page_of(PAGE_SIZE_MAX);
    struct run *runs;
    size_t n;
    struct page_result page;
    assert_ok(w, w->s->ops->runs_list(w->s, &f, &ask, &runs, &n, &page, &w->a, &w->err));
    assert_int_equal(n, won);
}

static void *become_admin(void *arg)
{
    static struct str admin = STR_INIT("ADMIN");
    struct racer *r = arg;
    char email[32];
    struct user u = {.id = racer_id(r, 0), .email.p = email, .roles = {&admin, 1}, .enabled = true};
    u.email.n = (size_t)snprintf(email, sizeof email, "%d@x.org", r->number);
    if (r->s->ops->user_insert_first_admin(r->s, &u, &r->err))
        r->won++;
    else if (r->err.code == ERR_CONFLICT)
        r->refused++;
    return NULL;
}

static void one_first_admin_of_many(void **state)
{
    struct world *w = *state;
    struct racer v[THREADS] = {0};
    int won = 0, refused = 0;
    race(w, become_admin, v);
    for (int i = 0; i < THREADS; i++) {
        won += v[i].won;
        refused += v[i].refused;
    }
    assert_int_equal(won, 1);
    assert_int_equal(refused, THREADS - 1);
}

// Each thread inserts pairs of jobs of which the second is taken: the first must not stay, and the neighbours
// in the same commit must not notice.
static void *insert_pairs(void *arg)
{
    struct racer *r = arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct job j[2];
        struct plan p[2];
        for (int k = 0; k < 2; k++) {
            j[k] = (struct job){.id = racer_id(r, 2 * i + k),
                                .name = STR("pair"),
                                .type = STR("DUMMY"),
                                .version = 1,
                                .owner_id = {{1}},
                                .enabled = true,
                                .timeout_seconds = 1};
            field_defaults(&schedule_fields, &j[k].schedule);
            field_defaults(&retry_policy_fields, &j[k].retry_policy);
            j[k].schedule.kind = SCHEDULE_MANUAL;
            p[k] = (struct plan){.next_fire = INSTANT_NEVER};
        }
        if (i % 4 == 3)
            j[1].id = racer_id(r, 2 * (i - 1));
        for (int k = 0; k < 2; k++)
            plan_of_job(&j[k], &p[k]);
        if (r->s->ops->jobs_insert(r->s, j, p, 2, &r->err))
            r->won++;
        else if (r->err.code == ERR_CONFLICT)
            r->refused++;
    }
    return NULL;
}

static void failing_operation_leaves_its_neighbours(void **state)
{
    struct world *w = *state;
    struct racer v[THREADS] = {0};
    race(w, insert_pairs, v);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(v[i].won, ROUNDS / 4 * 3);
        assert_int_equal(v[i].refused, ROUNDS / 4);
    }
    struct job_filter f = {.status = -1};
    struct page ask = page_of(1);
    struct job *jobs;
    size_t n;
    struct page_result page;
    assert_ok(w, w->s->ops->jobs_list(w->s, &f, &ask, &jobs, &n, &page, &w->a, &w->err));
    assert_int_equal(page.total, THREADS * ROUNDS / 4 * 3 * 2);
}

static void *read_and_write(void *arg)
{
    struct racer *r = arg;
    struct arena a CLEANUP(arena_release);
    arena_init(&a, ARENA_BUDGET);
    for (int i = 0; i < ROUNDS; i++) {
        char key[32];
        struct str value, name = {key, (size_t)snprintf(key, sizeof key, "k%d-%d", r->number, i)};
        if (!r->s->ops->setting_put(r->s, name, name, &r->err) ||
            !r->s->ops->setting_get(r->s, name, &value, &a, &r->err) || !str_eq(value, name))
            r->failed++;
    }
    return NULL;
}

static void own_writes_are_read(void **state)
{
    struct world *w = *state;
    struct racer v[THREADS] = {0};
    race(w, read_and_write, v);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(v[i].failed, 0);
}

// Each finds the run its own: whoever comes first decides, the others write nothing.
static void *take_over(void *arg)
{
    struct racer *r = arg;
    struct run lost = r->run, retry = run_make(&r->plan, r->run.scheduled, 2, RUN_QUEUED, 0);
    struct finish f = finish_make(&lost, RUN_LOST);
    struct flush all = {.finishes = &f, .n_finishes = 1};
    f.retry = &retry;
    if (!r->s->ops->flush(r->s, &all, &r->err))
        r->failed++;
    else
        r->won += f.ret_recorded;
    return NULL;
}

static void lost_run_is_taken_over_once(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "lost");
    for (int round = 0; round < ROUNDS / 4; round++) {
        struct racer v[THREADS] = {0};
        struct run run = fire_one(w, &p, RUN_RUNNING, 17);
        int won = 0;
        for (int i = 0; i < THREADS; i++) {
            v[i].plan = p;
            v[i].run = run;
        }
        race(w, take_over, v);
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal(v[i].failed, 0);
            won += v[i].won;
        }
        assert_int_equal(won, 1);
        assert_int_equal(run_read_one(w, run.id).status, RUN_LOST);
        assert_int_equal(plan_read_one(w, p.job_id).run_count, 2 * (round + 1));
    }
}

static void *claim_the_same(void *arg)
{
    struct racer *r = arg;
    struct run mine = r->run;
    struct claim c = {.run = &mine};
    struct flush all = {.claims = &c, .n_claims = 1};
    mine.token = r->number + 1;
    mine.start = at_s(70);
    if (!r->s->ops->flush(r->s, &all, &r->err))
        r->failed++;
    else
        r->won += c.ret_won;
    return NULL;
}

static void waiting_run_is_claimed_once(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "claimed");
    for (int round = 0; round < ROUNDS / 4; round++) {
        struct racer v[THREADS] = {0};
        struct run run = fire_one(w, &p, RUN_QUEUED, 0);
        int won = 0;
        for (int i = 0; i < THREADS; i++)
            v[i].run = run;
        race(w, claim_the_same, v);
        int64_t token = run_read_one(w, run.id).token;
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal(v[i].failed, 0);
            assert_true(!v[i].won || token == i + 1);
            won += v[i].won;
        }
        assert_int_equal(won, 1);
    }
}

static void *start_by_hand(void *arg)
{
    struct racer *r = arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct run run = run_make(&r->plan, at_s(10000 + r->number * ROUNDS + i), 1, RUN_QUEUED, 0);
        r->failed += !r->s->ops->run_insert(r->s, &run, &r->err);
    }
    return NULL;
}

static void runs_started_at_once_stand_in_one_chain(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "chained");
    struct racer v[THREADS] = {0};
    struct run_filter f = {.job_id = p.job_id, .status = -1};
    struct page ask = page_of(PAGE_SIZE_MAX);
    struct page_result page = {.total = 0};
    int64_t seen = 0;
    for (int i = 0; i < THREADS; i++)
        v[i].plan = p;
    race(w, start_by_hand, v);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(v[i].failed, 0);
    do {
        struct run *runs;
        size_t n;
        assert_ok(w, w->s->ops->runs_list(w->s, &f, &ask, &runs, &n, &page, &w->a, &w->err));
        seen += (int64_t)n;
        ask.cursor = page.next_cursor;
    } while (page.next_cursor.p);
    assert_int_equal(seen, THREADS * ROUNDS);
    assert_int_equal(plan_read_one(w, p.job_id).run_count, seen);
}

static void *edit_the_same(void *arg)
{
    struct racer *r = arg;
    struct job j;
    struct plan p;
    struct arena a CLEANUP(arena_release);
    arena_init(&a, ARENA_BUDGET);
    for (int i = 0; i < ROUNDS; i++) {
        if (!r->s->ops->job_get(r->s, r->plan.job_id, &j, &a, &r->err)) {
            r->failed++;
            continue;
        }
        int64_t expect = j.version++;
        p = (struct plan){.state = JOB_STATE_ACTIVE, .next_fire = at_s(60)};
        plan_of_job(&j, &p);
        if (r->s->ops->job_update(r->s, &j, &p, expect, &r->err))
            r->won++;
        else
            r->failed += r->err.code != ERR_STALE;
    }
    return NULL;
}

static void each_version_is_written_once(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "edited");
    struct racer v[THREADS] = {0};
    int won = 0;
    for (int i = 0; i < THREADS; i++)
        v[i].plan = p;
    race(w, edit_the_same, v);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(v[i].failed, 0);
        won += v[i].won;
    }
    assert_int_equal(job_read(w, p.job_id).version, 1 + won);
    assert_int_equal(plan_read_one(w, p.job_id).version, 1 + won);
}

static void *rotate_the_same(void *arg)
{
    struct racer *r = arg;
    uint8_t old[32] = {1}, next[32] = {2};
    struct ulid user;
    next[1] = (uint8_t)r->number;
    if (r->s->ops->session_rotate(r->s, old, next, at_s(1), at_s(900), &user, &r->err))
        r->won++;
    else
        r->refused += r->err.code == ERR_UNAUTHENTICATED;
    return NULL;
}

static void session_used_by_many_is_ended(void **state)
{
    struct world *w = *state;
    struct session first = {.token_hash = {1},
                            .family = id_new(w),
                            .user_id = id_new(w),
                            .created_at = at_s(0),
                            .expires_at = at_s(900)};
    struct racer v[THREADS] = {0};
    int won = 0, refused = 0;
    assert_ok(w, w->s->ops->session_insert(w->s, &first, &w->err));
    race(w, rotate_the_same, v);
    for (int i = 0; i < THREADS; i++) {
        won += v[i].won;
        refused += v[i].refused;
    }
    assert_int_equal(won, 1);
    assert_int_equal(refused, THREADS - 1);
    for (int i = 0; i < THREADS; i++) { // also the one that won has none any more
        uint8_t old[32] = {2, (uint8_t)i}, next[32] = {3};
        struct ulid user;
        assert_err(w, w->s->ops->session_rotate(w->s, old, next, at_s(2), at_s(900), &user, &w->err),
                   ERR_UNAUTHENTICATED);
    }
}

static const struct CMUnitTest rows[] = {
    CASE("writers that share a commit get their own results", writers_get_their_own_results),
    CASE("each instant is decided once by many threads", each_instant_is_decided_once),
    CASE("of many first administrators one is", one_first_admin_of_many),
    CASE("an operation that fails half-way leaves its neighbours alone",
         failing_operation_leaves_its_neighbours),
    CASE("a thread reads what it wrote", own_writes_are_read),
    CASE("a lost run is taken over once", lost_run_is_taken_over_once),
    CASE("a run that waits is claimed once", waiting_run_is_claimed_once),
    CASE("runs started at once stand in one chain", runs_started_at_once_stand_in_one_chain),
    CASE("each version of a job is written once", each_version_is_written_once),
    CASE("a session used by many at once is ended", session_used_by_many_is_ended),
};
const struct cases race_cases = CASES(rows);
