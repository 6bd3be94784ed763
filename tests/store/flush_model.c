// SPDX-License-Identifier: Apache-2.0
// A store that writes many rows at once must decide each of them like the store in memory, which decides one
// after the other: flush_model KIND [SEED]. Both get the same random flushes, with everything that may be
// stale, twice or taken; the decisions and, in the end, all rows must be the same.
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "server.h"
#include "store/memory/store_memory.h"
#include "store/sql/store_sql.h"

enum {
    JOBS = 25,
    FLUSHES = 250,
    EACH_MAX = 18, // fires, claims, finishes of a flush
    STARTS_MAX = 3, // of a finish
    FIRE_RUNS_MAX = 3,
    LOGS_MAX = 20,
    RUNS_MAX = FLUSHES * EACH_MAX * (FIRE_RUNS_MAX + 1 + STARTS_MAX),
    EPOCH_S = 1800000000,
    STEP_S = 60,
    ARENA_BUDGET = 512 * 1024 * 1024,
    PATH_BYTES = 256,
};

struct model {
    struct store *stores[2]; // memory, the one to be tested
    struct rng rng;
    struct arena a;
    struct err err;
    struct plan plans[JOBS]; // as the test believes them to be
    struct run *runs;        // every run that was ever offered
    size_t n_runs;
    int64_t tokens;
    bool clean; // of the present offer: nothing in it twice or taken, as nearly always in life
    int won, lost, existed, recorded, refused, started, together;
};

// What is offered, each store its own copy.
struct offer {
    struct flush f;
    struct fire fires[EACH_MAX];
    struct run fire_runs[EACH_MAX][FIRE_RUNS_MAX];
    struct claim claims[EACH_MAX];
    struct run claim_runs[EACH_MAX];
    struct finish finishes[EACH_MAX];
    struct run finish_runs[EACH_MAX], retries[EACH_MAX], starts[EACH_MAX][STARTS_MAX];
    struct dead_letter letters[EACH_MAX];
    struct log_line logs[LOGS_MAX];
};

#define check(m, condition)                                                                                  \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            (void)printf("not ok 1 - %s:%d: %s (%s)\n", __FILE__, __LINE__, #condition, (m)->err.text);      \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

static size_t below(struct model *m, size_t n) { return (size_t)rng_below(&m->rng, n); }
static bool one_in(struct model *m, size_t n) { return below(m, n) == 0; }
static struct instant at_s(int64_t s) { return instant_s(EPOCH_S + s); }

// ---- jobs --------------------------------------------------------------------------------------

static void job_add(struct model *m, size_t i)
{
    struct job j = {
        .id = ulid_new(at_s((int64_t)i), &m->rng), .owner_id = {{1}}, .version = 1, .enabled = true};
    field_defaults(&schedule_fields, &j.schedule);
    field_defaults(&retry_policy_fields, &j.retry_policy);
    j.name = STR("job");
    j.type = STR("DUMMY");
    j.payload = STR("{\"type\":\"DUMMY\"}");
    j.timeout_seconds = 1;
    j.schedule.kind = SCHEDULE_INTERVAL;
    j.schedule.interval_seconds = STEP_S;
    if (i % 3 == 0)
        j.schedule.anchor = ANCHOR_END;
    m->plans[i] = (struct plan){.state = JOB_STATE_ACTIVE, .next_fire = at_s(STEP_S)};
    plan_of_job(&j, &m->plans[i]);
    for (int k = 0; k < 2; k++)
        check(m, m->stores[k]->ops->jobs_insert(m->stores[k], &j, &m->plans[i], 1, &m->err));
}

static struct run run_of(struct model *m, const struct plan *p, struct instant at, int64_t attempt,
                         int status)
{
    struct ulid key = run_key_of(p->job_id, at);
    bool running = status == RUN_RUNNING;
    return (struct run){.id = run_id_of(p->job_id, at, key, attempt),
                        .job_id = p->job_id,
                        .job_version = p->version,
                        .scheduled = at,
                        .first_scheduled = at,
                        .occurrences = 1,
                        .due = at,
                        .start = running ? at : INSTANT_NEVER,
                        .end = run_status_final(status) ? at : INSTANT_NEVER,
                        .attempt = attempt,
                        .status = status,
                        .trigger = TRIGGER_SCHEDULE,
                        .priority = PRIORITY_HIGH,
                        .token = running ? ++m->tokens : 0,
                        .exit_code = FIELD_ABSENT,
                        .worker = running ? STR("node \"1\" \\ ü") : STR_NONE,
                        .run_key = key};
}

static void remember(struct model *m, const struct run *r)
{
    must(m->n_runs < RUNS_MAX);
    m->runs[m->n_runs++] = *r;
}

// Mostly one of the last ones, which may still be unfinished.
static struct run *some_run(struct model *m)
{
    size_t recent = m->n_runs < 4 * EACH_MAX ? m->n_runs : 4 * EACH_MAX;
    return m->n_runs == 0 ? NULL
                          : &m->runs[one_in(m, 6) ? below(m, m->n_runs) : m->n_runs - 1 - below(m, recent)];
}

// ---- offers ------------------------------------------------------------------------------------

static void offer_fire(struct model *m, struct offer *o)
{
    static const int statuses[] = {RUN_RUNNING, RUN_RUNNING, RUN_QUEUED, RUN_SKIPPED};
    size_t at = o->f.n_fires;
    struct plan *p = &m->plans[m->clean ? at : below(m, JOBS)];
    struct fire *f = &o->fires[at];
    struct instant next = instant_is_never(p->next_fire) ? at_s(++m->tokens * STEP_S * STEP_S) : p->next_fire;
    *f = (struct fire){.job_id = p->job_id,
                       .expect_version = p->version + one_in(m, 12),
                       .expect_next = one_in(m, 12) ? at_s(1) : p->next_fire,
                       .new_next = instant_add(next, duration_s(STEP_S)),
                       .runs = o->fire_runs[at],
                       .n_runs = below(m, FIRE_RUNS_MAX + 1)};
    if (p->schedule.anchor == ANCHOR_END && one_in(m, 2))
        f->new_next = INSTANT_NEVER;
    for (size_t i = 0; i < f->n_runs; i++) {
        f->runs[i] = run_of(m, p, instant_add(next, duration_s((int64_t)i)), 1, statuses[below(m, 4)]);
        if (!m->clean && one_in(m, 20) && m->n_runs > FIRE_RUNS_MAX)
            f->runs[i].id = m->runs[below(m, m->n_runs - FIRE_RUNS_MAX)].id; // of another fire
        remember(m, &f->runs[i]);
    }
    o->f.n_fires++;
}

static void offer_claim(struct model *m, struct offer *o)
{
    struct run *r = some_run(m);
    for (size_t i = 0; r && m->clean && i < o->f.n_claims; i++)
        if (ulid_eq(o->claim_runs[i].id, r->id))
            return;
    if (!r)
        return;
    r->token = ++m->tokens;
    r->start = instant_add(r->scheduled, duration_s(2));
    r->worker = STR("node-2");
    o->claim_runs[o->f.n_claims] = *r;
    o->claims[o->f.n_claims] = (struct claim){.run = &o->claim_runs[o->f.n_claims]};
    o->f.n_claims++;
}

static void offer_end(struct model *m, struct run *r)
{
    static const int ends[] = {RUN_SUCCEEDED, RUN_FAILED, RUN_TIMED_OUT, RUN_LOST};
    r->token = one_in(m, 10) ? 0 : one_in(m, 10) ? -1 : r->token;
    r->status = r->token ? ends[below(m, 4)] : RUN_CANCELLED;
    r->start = one_in(m, 3) ? instant_add(r->scheduled, duration_s(3)) : INSTANT_NEVER;
    r->end = instant_add(r->scheduled, duration_s(9));
    r->exit_code = one_in(m, 3) ? FIELD_ABSENT : (int64_t)below(m, 256);
    r->error_class = r->status == RUN_SUCCEEDED ? STR_NONE : STR("DUMMY_ERROR");
    r->error_message = one_in(m, 2) ? STR("it said \"{},[]\\\n\" ü \xF0\x9F\x95\x90") : STR_NONE;
}

// Runs of any jobs, perhaps the same one, one that is unknown, or an id that is taken.
static void offer_starts(struct model *m, struct offer *o, size_t at)
{
    struct finish *f = &o->finishes[at];
    f->starts = o->starts[at];
    for (size_t n = one_in(m, 2) ? below(m, STARTS_MAX + 1) : 0; f->n_starts < n;) {
        const struct run *old = m->clean || !one_in(m, 8) ? NULL : some_run(m);
        struct run *r = &f->starts[f->n_starts++];
        *r = run_of(m, &m->plans[below(m, JOBS)], f->run->scheduled, 1, RUN_QUEUED);
        r->run_key = ulid_new(r->scheduled, &m->rng); // the first attempt may have its schedule's run beside it
        r->id = run_id_of(r->job_id, r->scheduled, r->run_key, 1);
        if (old)
            r->id = old->id;
        else
            remember(m, r);
        if (one_in(m, 10))
            r->job_id = r->run_key;
    }
}

static void offer_finish(struct model *m, struct offer *o)
{
    size_t at = o->f.n_finishes;
    const struct run *some = some_run(m);
    struct run *r = &o->finish_runs[at], *retry = &o->retries[at];
    struct finish *f = &o->finishes[at];
    for (size_t i = 0; some && m->clean && i < at; i++) {
        if (ulid_eq(o->finish_runs[i].id, some->id) || ulid_eq(o->retries[i].id, some->id))
            return;
        for (size_t k = 0; k < o->finishes[i].n_starts; k++)
            if (ulid_eq(o->starts[i][k].id, some->id))
                return;
    }
    if (!some)
        return;
    *r = *some;
    offer_end(m, r);
    *f = (struct finish){.run = r, .plan_next = INSTANT_NEVER};
    if (run_status_failed(r->status) && one_in(m, 2)) {
        *retry = run_of(m, &(struct plan){.job_id = r->job_id, .version = 1}, r->scheduled, r->attempt + 1,
                        RUN_QUEUED);
        remember(m, retry);
        f->retry = retry;
    } else if (run_status_failed(r->status)) {
        o->letters[at] = (struct dead_letter){.id = r->run_key,
                                              .job_id = r->job_id,
                                              .run_key = r->run_key,
                                              .last_run_id = r->id,
                                              .scheduled = r->scheduled,
                                              .reason = STR("no attempt left"),
                                              .attempts = r->attempt,
                                              .created_at = r->end,
                                              .resolved_at = INSTANT_NEVER};
        f->dead = &o->letters[at];
    }
    if (one_in(m, 2))
        f->plan_next = instant_add(r->end, duration_s((int64_t)below(m, STEP_S)));
    offer_starts(m, o, at);
    o->f.n_finishes++;
}

static void offer_log(struct model *m, struct offer *o)
{
    struct run back;
    const struct run *r = o->f.n_claims > 0 ? o->claims[0].run : NULL;
    if (!r || !m->stores[0]->ops->run_get(m->stores[0], r->id, &back, &m->a, &m->err))
        return;
    o->logs[o->f.n_logs] = (struct log_line){.id = 1 + (int64_t)below(m, 6),
                                             .run_id = r->id,
                                             .timestamp = r->scheduled,
                                             .message = STR("line\t\"1\"\\"),
                                             .context = one_in(m, 2) ? STR("{\"a\":1}") : STR_NONE};
    o->f.n_logs++;
}

static void offer_make(struct model *m, struct offer *o)
{
    memset(o, 0, sizeof *o);
    m->clean = !one_in(m, 4);
    o->f.fires = o->fires;
    o->f.claims = o->claims;
    o->f.finishes = o->finishes;
    o->f.logs = o->logs;
    for (size_t n = below(m, EACH_MAX + 1); n > 0; n--)
        offer_fire(m, o);
    for (size_t n = below(m, EACH_MAX + 1); n > 0; n--)
        offer_claim(m, o);
    for (size_t n = below(m, EACH_MAX + 1); n > 0; n--)
        offer_finish(m, o);
    for (size_t n = below(m, LOGS_MAX + 1); n > 0; n--)
        offer_log(m, o);
}

// The pointers of the copy point into the copy.
static void offer_copy(const struct offer *from, struct offer *to)
{
    *to = *from;
    to->f.fires = to->fires;
    to->f.claims = to->claims;
    to->f.finishes = to->finishes;
    to->f.logs = to->logs;
    for (size_t i = 0; i < to->f.n_fires; i++)
        to->fires[i].runs = to->fire_runs[i];
    for (size_t i = 0; i < to->f.n_claims; i++)
        to->claims[i].run = &to->claim_runs[i];
    for (size_t i = 0; i < to->f.n_finishes; i++) {
        to->finishes[i].run = &to->finish_runs[i];
        to->finishes[i].starts = to->starts[i];
        to->finishes[i].retry = from->finishes[i].retry ? &to->retries[i] : NULL;
        to->finishes[i].dead = from->finishes[i].dead ? &to->letters[i] : NULL;
    }
}

// ---- comparing ---------------------------------------------------------------------------------

static void compare_decisions(struct model *m, const struct offer *a, const struct offer *b)
{
    int existed = m->existed;
    for (size_t i = 0; i < a->f.n_fires; i++) {
        const struct fire *x = &a->fires[i], *y = &b->fires[i];
        check(m, x->ret_won == y->ret_won);
        check(m, x->ret_exists == y->ret_exists);
        for (size_t k = 0; x->ret_won && k < x->n_runs; k++)
            check(m, ulid_eq(x->runs[k].prev_run, y->runs[k].prev_run));
        m->won += x->ret_won;
        m->lost += !x->ret_won;
        m->existed += x->ret_exists;
    }
    for (size_t i = 0; i < a->f.n_claims; i++)
        check(m, a->claims[i].ret_won == b->claims[i].ret_won);
    for (size_t i = 0; i < a->f.n_finishes; i++) {
        check(m, a->finishes[i].ret_recorded == b->finishes[i].ret_recorded);
        check(m, a->finishes[i].ret_started == b->finishes[i].ret_started);
        m->started += __builtin_popcount(a->finishes[i].ret_started);
        m->recorded += a->finishes[i].ret_recorded;
        m->refused += !a->finishes[i].ret_recorded;
    }
    m->together += m->clean && m->existed == existed;
}

static bool same_run(const struct run *a, const struct run *b)
{
    return ulid_eq(a->id, b->id) && ulid_eq(a->job_id, b->job_id) && a->job_version == b->job_version &&
           a->status == b->status && a->scheduled.us == b->scheduled.us && a->start.us == b->start.us &&
           a->end.us == b->end.us && a->attempt == b->attempt && a->token == b->token &&
           a->exit_code == b->exit_code && str_eq(a->worker, b->worker) &&
           str_eq(a->error_class, b->error_class) && str_eq(a->error_message, b->error_message) &&
           ulid_eq(a->run_key, b->run_key) && ulid_eq(a->prev_run, b->prev_run);
}

static void compare_run(struct model *m, struct ulid id)
{
    struct run r[2];
    struct dead_letter letter[2];
    struct log_line *lines[2];
    size_t n[2];
    bool there[2], dead[2];
    for (int k = 0; k < 2; k++) {
        struct store *s = m->stores[k];
        there[k] = s->ops->run_get(s, id, &r[k], &m->a, &m->err);
        check(m, there[k] || m->err.code == ERR_NOT_FOUND);
    }
    check(m, there[0] == there[1]);
    if (!there[0])
        return;
    check(m, same_run(&r[0], &r[1]));
    for (int k = 0; k < 2; k++) {
        struct store *s = m->stores[k];
        check(m, s->ops->logs_read(s, id, 0, LOGS_MAX, &lines[k], &n[k], &m->a, &m->err));
        dead[k] = s->ops->dlq_get(s, r[k].run_key, &letter[k], &m->a, &m->err);
    }
    check(m, n[0] == n[1]);
    for (size_t i = 0; i < n[0]; i++)
        check(m, str_eq(lines[0][i].message, lines[1][i].message) && lines[0][i].id == lines[1][i].id);
    check(m, dead[0] == dead[1]);
    check(m, !dead[0] || ulid_eq(letter[0].last_run_id, letter[1].last_run_id));
}

// Also learns where the plans are now.
static void compare_plans(struct model *m)
{
    for (size_t i = 0; i < JOBS; i++) {
        struct plan *v[2];
        size_t n[2];
        for (int k = 0; k < 2; k++) {
            struct store *s = m->stores[k];
            check(m, s->ops->plans_get(s, &m->plans[i].job_id, 1, &v[k], &n[k], &m->a, &m->err));
        }
        check(m, n[0] == n[1]);
        if (n[0] == 0)
            continue;
        check(m, v[0]->next_fire.us == v[1]->next_fire.us && v[0]->run_count == v[1]->run_count);
        check(m, ulid_eq(v[0]->last_run, v[1]->last_run));
        m->plans[i].next_fire = v[0]->next_fire;
    }
}

// ---- the run -----------------------------------------------------------------------------------

static void play(struct model *m)
{
    struct offer *a = mem_new(struct offer), *b = mem_new(struct offer);
    for (size_t i = 0; i < JOBS; i++)
        job_add(m, i);
    for (int i = 0; i < FLUSHES; i++) {
        offer_make(m, a);
        offer_copy(a, b);
        check(m, m->stores[0]->ops->flush(m->stores[0], &a->f, &m->err));
        check(m, m->stores[1]->ops->flush(m->stores[1], &b->f, &m->err));
        compare_decisions(m, a, b);
        arena_reset(&m->a);
        compare_plans(m);
        for (int k = 0; i % (FLUSHES / 4) == FLUSHES / 4 - 1 && k < 2; k++)
            check(m, m->stores[k]->ops->job_delete(m->stores[k], m->plans[i % JOBS].job_id, 0, at_s(i),
                                                   &m->err));
    }
    for (size_t i = 0; i < m->n_runs; i++) {
        arena_reset(&m->a);
        compare_run(m, m->runs[i].id);
    }
    mem_free(a);
    mem_free(b);
}

static struct store *open_tested(const char *kind, char dir[static PATH_BYTES], struct err *err)
{
    struct store *s = NULL;
    char path[PATH_BYTES + 8];
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(dir, PATH_BYTES, "%s/chronos-model-XXXXXX", tmp ? tmp : "/tmp");
    if (server_kind_known(kind)) {
        s = server_store(err);
        if (s && server_empty(kind, err))
            return s;
    } else if (mkdtemp(dir)) {
        (void)snprintf(path, sizeof path, "%s/m.db", dir);
        if (store_sqlite_open(path, STORE_RELAXED, at_s(0), &s, err))
            return s;
    }
    (void)printf("Bail out! no store \"%s\": %s\n", kind, err->text);
    exit(1);
}

static void remove_folder(const char *dir)
{
    static const char *const files[] = {"m.db", "m.db-wal", "m.db-shm", "m.db.lock"};
    char path[PATH_BYTES + 16];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
}

int main(int argc, char **argv)
{
    struct model m = {.tokens = 0};
    char dir[PATH_BYTES];
    int64_t seed = 1;
    if (argc < 2 || (argc > 2 && !str_to_i64(str_of(argv[2]), &seed)))
        return 2;
    (void)printf("1..1\n");
    rng_init(&m.rng, (uint64_t)seed);
    arena_init(&m.a, ARENA_BUDGET);
    m.runs = mem_array(RUNS_MAX, sizeof *m.runs);
    m.stores[0] = store_memory_new();
    m.stores[1] = open_tested(argv[1], dir, &m.err);
    play(&m);
    check(&m, m.won > 100 && m.lost > 100 && m.existed > 0 && m.recorded > 100 && m.refused > 100 && m.started > 100 &&
                  m.together > FLUSHES / 2);
    (void)printf(
        "ok 1 - %d fires won, %d lost, %d existed; %d finishes recorded, %d refused, %d runs started; "
        "%d flushes clean\n",
        m.won, m.lost, m.existed, m.recorded, m.refused, m.started, m.together);
    for (int k = 0; k < 2; k++)
        m.stores[k]->ops->free(m.stores[k]);
    server_done();
    remove_folder(dir);
    mem_free(m.runs);
    arena_release(&m.a);
    return 0;
}
