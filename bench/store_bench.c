// SPDX-License-Identifier: Apache-2.0
// How fast the SQLite store records runs, beside the fastest loop that could be written on the same tables.
//
//     store_bench FOLDER [seconds per measurement] [jobs]
//
// One cycle of batch B: B fires (plan moved, run inserted RUNNING) and the finishes of the B runs before, in
// one durable transaction. "store" goes through flush(); "bare" is the same rows by prepared statements with
// nothing around: no chain lookup, no checks, no locks. Both alternate in one process on two files. Prints
// one JSON object per line; the ratio is what counts, absolute figures belong to the machine.
#include <sqlite3.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/sql/store_sql.h"

enum { ROUNDS = 3, PATH_MAX_HERE = 512, BATCH_MAX = 1000, INSERT_BATCH = 1000 };

static const int batches[] = {10, 100, 500, 1000};
static int64_t jobs_n = 100000;

// Jobs fall due one after the other in an order that has nothing to do with their ids, as in real life: plans
// are touched at random, run ids (which begin with the instant) grow.
struct world {
    struct plan *plans; // id, next_fire, version
    uint32_t *order;
    size_t at;
    struct rng rng;
    int64_t token;
};
enum { STEP_US = 1000 };

static struct plan *world_next(struct world *w, size_t *ret_place)
{
    *ret_place = w->order[w->at];
    w->at = (w->at + 1) % (size_t)jobs_n;
    return &w->plans[*ret_place];
}

static struct instant plan_after(const struct plan *p)
{
    return (struct instant){p->next_fire.us + jobs_n * STEP_US};
}

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "store_bench: %s: %s\n", what, why);
    exit(1);
}

static struct mono now(void) { return clock_mono(clock_real()); }
static double seconds_since(struct mono t) { return (double)mono_since(now(), t).us / (double)US_PER_S; }

// Processor time of the whole process, checkpoints by the store's own thread included: unlike the clock it
// hardly depends on what else the machine is doing.
static double cpu_seconds(void)
{
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

// ---- the same rows for both ----------------------------------------------------------------------

static void job_make(struct job *j, struct plan *p, struct instant at, struct instant first, struct rng *rng)
{
    *j = (struct job){.id = ulid_new(at, rng),
                      .name = STR("nightly-export"),
                      .type = STR("HTTP"),
                      .payload = STR("{\"type\":\"HTTP\",\"httpUrl\":\"https://api.example.com/export\"}"),
                      .priority = PRIORITY_MEDIUM,
                      .enabled = true,
                      .timeout_seconds = JOB_TIMEOUT_S_DEFAULT,
                      .version = 1,
                      .created_at = at,
                      .updated_at = at};
    field_defaults(&schedule_fields, &j->schedule);
    j->schedule.kind = SCHEDULE_CRON;
    j->schedule.cron_expression = STR("0 30 2 * * ?");
    j->schedule.timezone = STR("Europe/Berlin");
    field_defaults(&retry_policy_fields, &j->retry_policy);
    j->owner_id = (struct ulid){{1}};
    *p = (struct plan){.state = JOB_STATE_ACTIVE, .next_fire = first};
    plan_of_job(j, p);
}

static void run_make(struct run *r, const struct plan *p, int64_t token)
{
    struct ulid key = run_key_of(p->job_id, p->next_fire);
    *r = (struct run){.id = run_id_of(p->job_id, p->next_fire, key, 1),
                      .job_id = p->job_id,
                      .job_version = p->version,
                      .scheduled = p->next_fire,
                      .first_scheduled = p->next_fire,
                      .occurrences = 1,
                      .due = p->next_fire,
                      .start = {p->next_fire.us + 1234},
                      .end = INSTANT_NEVER,
                      .attempt = 1,
                      .status = RUN_RUNNING,
                      .priority = PRIORITY_MEDIUM,
                      .token = token,
                      .exit_code = FIELD_ABSENT,
                      .worker = STR("node-1"),
                      .run_key = key};
}

static void run_end(struct run *r)
{
    r->status = RUN_SUCCEEDED;
    r->end.us = r->start.us + 5678;
    r->exit_code = 200;
}

// ---- through the store ---------------------------------------------------------------------------

struct cycle {
    struct run a[BATCH_MAX], b[BATCH_MAX];
    struct fire fires[BATCH_MAX];
    struct finish finishes[BATCH_MAX];
};

static int64_t store_cycles(struct store *s, struct world *w, size_t batch, double seconds, struct cycle *c)
{
    struct run *fresh = c->a, *old = c->b;
    struct mono start = now();
    int64_t runs = 0;
    for (bool any = false; seconds_since(start) < seconds; any = true) {
        for (size_t i = 0; i < batch; i++) {
            size_t place;
            struct plan *p = world_next(w, &place);
            run_make(&fresh[i], p, ++w->token);
            c->fires[i] = (struct fire){.job_id = p->job_id,
                                        .expect_version = p->version,
                                        .expect_next = p->next_fire,
                                        .new_next = plan_after(p),
                                        .runs = &fresh[i],
                                        .n_runs = 1};
            p->next_fire = c->fires[i].new_next;
            if (any) {
                run_end(&old[i]);
                c->finishes[i] = (struct finish){.run = &old[i], .plan_next = INSTANT_NEVER};
            }
        }
        struct flush f = {
            .fires = c->fires, .n_fires = batch, .finishes = c->finishes, .n_finishes = any ? batch : 0};
        struct err err;
        if (!s->ops->flush(s, &f, &err))
            die("flush", err.text);
        for (size_t i = 0; i < batch; i++)
            if (!c->fires[i].ret_won || (any && !c->finishes[i].ret_recorded))
                die("flush", "a decision was lost");
        runs += any ? (int64_t)batch : 0;
        struct run *swap = fresh;
        fresh = old;
        old = swap;
    }
    return runs;
}

// ---- the bare loop -------------------------------------------------------------------------------

struct bare {
    sqlite3 *db;
    sqlite3_stmt *advance, *insert, *finish, *begin, *commit;
    struct ulid *heads;
};

static sqlite3_stmt *bare_prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) != SQLITE_OK)
        die(sql, sqlite3_errmsg(db));
    return s;
}

static void bare_run(struct bare *b, sqlite3_stmt *s, bool one)
{
    if (sqlite3_step(s) != SQLITE_DONE || (one && sqlite3_changes(b->db) != 1))
        die("bare loop", sqlite3_errmsg(b->db));
    (void)sqlite3_reset(s);
}

static void bare_open(struct bare *b, const char *path)
{
    if (sqlite3_open_v2(path, &b->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        die(path, "cannot open");
    (void)sqlite3_exec(b->db,
                       "PRAGMA synchronous=FULL; PRAGMA cache_size=-32768; PRAGMA wal_autocheckpoint=8192;"
                       "PRAGMA temp_store=MEMORY",
                       NULL, NULL, NULL);
    b->advance = bare_prepare(b->db, "UPDATE plans SET next_fire=?2,last_run=?3,run_count=run_count+1 "
                                     "WHERE job_id=?1 AND next_fire=?4 AND version=?5");
    b->insert =
        bare_prepare(b->db, "INSERT INTO runs VALUES(?1,?2,?3,1,?4,NULL,NULL,?5,NULL,?6,1,1,0,0,1,0,NULL,"
                            "'node-1',NULL,NULL,NULL,?7,?8,NULL)");
    b->finish = bare_prepare(b->db, "UPDATE runs SET status=2,ended=?2,exit_code=200 "
                                    "WHERE id=?1 AND status=1 AND token=?3");
    b->begin = bare_prepare(b->db, "BEGIN IMMEDIATE");
    b->commit = bare_prepare(b->db, "COMMIT");
    b->heads = mem_array((size_t)jobs_n, sizeof *b->heads);
}

static void bare_close(struct bare *b)
{
    sqlite3_stmt *all[] = {b->advance, b->insert, b->finish, b->begin, b->commit};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        sqlite3_finalize(all[i]);
    (void)sqlite3_close(b->db);
    mem_free(b->heads);
}

static void bare_fire(struct bare *b, struct plan *p, size_t place, struct run *r)
{
    sqlite3_stmt *s = b->advance;
    sqlite3_bind_blob(s, 1, p->job_id.b, 16, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, plan_after(p).us);
    sqlite3_bind_blob(s, 3, r->id.b, 16, SQLITE_STATIC);
    sqlite3_bind_int64(s, 4, p->next_fire.us);
    sqlite3_bind_int64(s, 5, p->version);
    bare_run(b, s, true);
    p->next_fire = plan_after(p);
    s = b->insert;
    sqlite3_bind_blob(s, 1, r->id.b, 16, SQLITE_STATIC);
    sqlite3_bind_blob(s, 2, r->job_id.b, 16, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, r->job_version);
    sqlite3_bind_int64(s, 4, r->scheduled.us);
    sqlite3_bind_int64(s, 5, r->start.us);
    sqlite3_bind_int64(s, 6, r->token);
    sqlite3_bind_blob(s, 7, r->run_key.b, 16, SQLITE_STATIC);
    sqlite3_bind_blob(s, 8, b->heads[place].b, 16, SQLITE_STATIC);
    bare_run(b, s, true);
    b->heads[place] = r->id;
}

static int64_t bare_cycles(struct bare *b, struct world *w, size_t batch, double seconds, struct cycle *c)
{
    struct run *fresh = c->a, *old = c->b;
    struct mono start = now();
    int64_t runs = 0;
    for (bool any = false; seconds_since(start) < seconds; any = true) {
        bare_run(b, b->begin, false);
        for (size_t i = 0; i < batch; i++) {
            size_t place;
            struct plan *p = world_next(w, &place);
            run_make(&fresh[i], p, ++w->token);
            bare_fire(b, p, place, &fresh[i]);
        }
        for (size_t i = 0; any && i < batch; i++) {
            sqlite3_bind_blob(b->finish, 1, old[i].id.b, 16, SQLITE_STATIC);
            sqlite3_bind_int64(b->finish, 2, old[i].start.us + 5678);
            sqlite3_bind_int64(b->finish, 3, old[i].token);
            bare_run(b, b->finish, true);
        }
        bare_run(b, b->commit, false);
        runs += any ? (int64_t)batch : 0;
        struct run *swap = fresh;
        fresh = old;
        old = swap;
    }
    return runs;
}

// ---- jobs ----------------------------------------------------------------------------------------

// Inserts all jobs in calls of 1,000; prints the rate when asked.
static void fill(struct store *s, struct world *w, bool print)
{
    static struct job jobs[INSERT_BATCH];
    struct instant at = instant_s(1790000000);
    double spent = 0, cpu = 0;
    for (int64_t done = 0; done < jobs_n; done += INSERT_BATCH) {
        for (int64_t i = 0; i < INSERT_BATCH; i++)
            job_make(&jobs[i], &w->plans[done + i], (struct instant){at.us + (done + i) * US_PER_MS},
                     w->plans[done + i].next_fire, &w->rng);
        struct mono start = now();
        double cpu_before = cpu_seconds();
        struct err err;
        if (!s->ops->jobs_insert(s, jobs, w->plans + done, INSERT_BATCH, &err))
            die("jobs_insert", err.text);
        spent += seconds_since(start);
        cpu += cpu_seconds() - cpu_before;
    }
    if (print)
        printf("{\"bench\":\"jobs_insert\",\"batch\":%d,\"jobs\":%lld,\"jobs_per_s\":%.0f,"
               "\"cpu_us_per_job\":%.2f}\n",
               INSERT_BATCH, (long long)jobs_n, (double)jobs_n / spent, cpu / (double)jobs_n * 1e6);
}

static struct store *store_at(const char *path)
{
    struct store *s;
    struct err err;
    (void)unlink(path);
    if (!store_sqlite_open(path, STORE_DURABLE, instant_s(1790000000), &s, &err))
        die("open", err.text);
    return s;
}

static void world_init(struct world *w, uint64_t seed)
{
    w->plans = mem_array((size_t)jobs_n, sizeof *w->plans);
    w->order = mem_array((size_t)jobs_n, sizeof *w->order);
    rng_init(&w->rng, seed);
    w->token = 0;
    w->at = 0;
    for (uint32_t i = 0; i < jobs_n; i++) {
        uint32_t k = (uint32_t)rng_below(&w->rng, i + 1);
        w->order[i] = w->order[k];
        w->order[k] = i;
    }
    for (int64_t i = 0; i < jobs_n; i++)
        w->plans[w->order[i]].next_fire = (struct instant){1800000000 * US_PER_S + i * STEP_US};
}

static void world_release(struct world *w)
{
    mem_free(w->plans);
    mem_free(w->order);
}

struct rate {
    double runs, seconds, cpu;
};

static void rate_add(struct rate *r, int64_t runs, struct mono start, double cpu)
{
    r->runs += (double)runs;
    r->seconds += seconds_since(start);
    r->cpu += cpu_seconds() - cpu;
}

static void measure(struct store *s, struct bare *b, struct world *ws, struct world *wb, size_t batch,
                    double seconds, struct cycle *c)
{
    struct rate mine = {0}, bare = {0};
    for (int round = 0; round < ROUNDS; round++) {
        double cpu = cpu_seconds();
        struct mono start = now();
        rate_add(&mine, store_cycles(s, ws, batch, seconds, c), start, cpu);
        cpu = cpu_seconds();
        start = now();
        rate_add(&bare, bare_cycles(b, wb, batch, seconds, c), start, cpu);
    }
    double mine_rate = mine.runs / mine.seconds, bare_rate = bare.runs / bare.seconds;
    double mine_cpu = mine.cpu / mine.runs * 1e6, bare_cpu = bare.cpu / bare.runs * 1e6;
    printf("{\"bench\":\"flush\",\"batch\":%zu,\"runs_per_s\":%.0f,\"bare_runs_per_s\":%.0f,\"ratio\":%.3f,"
           "\"cpu_us_per_run\":%.2f,\"bare_cpu_us_per_run\":%.2f,\"cpu_ratio\":%.3f}\n",
           batch, mine_rate, bare_rate, mine_rate / bare_rate, mine_cpu, bare_cpu, bare_cpu / mine_cpu);
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        die("usage", "store_bench FOLDER [seconds] [jobs]");
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 2.0;
    jobs_n = argc > 3 ? strtoll(argv[3], NULL, 10) / INSERT_BATCH * INSERT_BATCH : jobs_n;
    char path[2][PATH_MAX_HERE];
    (void)snprintf(path[0], PATH_MAX_HERE, "%s/store_bench.db", argv[1]);
    (void)snprintf(path[1], PATH_MAX_HERE, "%s/store_bench_bare.db", argv[1]);
    struct world ws, wb;
    struct bare bare;
    world_init(&ws, 1);
    world_init(&wb, 1);
    struct store *s = store_at(path[0]), *other = store_at(path[1]);
    fill(s, &ws, true);
    fill(other, &wb, false);
    other->ops->free(other);
    bare_open(&bare, path[1]);
    struct cycle *c = mem_new(struct cycle);
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++)
        measure(s, &bare, &ws, &wb, (size_t)batches[i], seconds, c);
    bare_close(&bare);
    s->ops->free(s);
    mem_free(c);
    world_release(&ws);
    world_release(&wb);
    return 0;
}
