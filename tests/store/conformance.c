// SPDX-License-Identifier: Apache-2.0
// One suite against every store: conformance memory | sqlite | postgresql | mysql. The last two take their
// database from the environment: python3 tests/servers/with.py postgres -- …/store_conformance postgresql
#include "conformance.h"

#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "server.h"
#include "store/memory/store_memory.h"
#include "store/sql/store_sql.h"

const char *store_kind = "memory";

enum { EPOCH_S = 1800000000, MINUTE_S = 60 };

struct instant at_s(int64_t s) { return instant_s(EPOCH_S + s); }

struct ulid id_new(struct world *w)
{
    w->tick++;
    return ulid_new((struct instant){at_s(0).us + w->tick * US_PER_MS}, &w->rng);
}

// ---- the store ---------------------------------------------------------------------------------

static void store_open(struct world *w)
{
    char path[WORLD_PATH_MAX + 16];
    if (strcmp(store_kind, "memory") == 0) {
        w->s = store_memory_new_shared();
        clock_virtual_init(&w->clock, at_s(0));
        store_memory_set_clock(w->s, &w->clock.base);
        return;
    }
    if (server_kind_known(store_kind)) {
        w->s = server_store(&w->err);
        if (!w->s)
            fail_msg("%s", w->err.text);
        return;
    }
    (void)snprintf(path, sizeof path, "%s/chronos.db", w->dir);
    assert_ok(w, store_sqlite_open(path, STORE_DURABLE, at_s(0), &w->s, &w->err));
}

int world_setup(void **state)
{
    struct world *w = mem_new(struct world);
    arena_init(&w->a, ARENA_BUDGET);
    rng_init(&w->rng, 7);
    w->owner = id_new(w);
    if (strcmp(store_kind, "sqlite") == 0) {
        const char *tmp = getenv("TMPDIR");
        (void)snprintf(w->dir, sizeof w->dir, "%s/chronos-store-XXXXXX", tmp ? tmp : "/tmp");
        assert_non_null(mkdtemp(w->dir));
    }
    store_open(w);
    if (server_kind_known(store_kind))
        assert_ok(w, server_empty(store_kind, &w->err));
    *state = w;
    return 0;
}

int world_teardown(void **state)
{
    static const char *const files[] = {"chronos.db", "chronos.db-wal", "chronos.db-shm", "chronos.db.lock"};
    struct world *w = *state;
    w->s->ops->free(w->s);
    if (w->other)
        w->other->ops->free(w->other);
    for (size_t i = 0; w->dir[0] && i < sizeof files / sizeof files[0]; i++) {
        char path[WORLD_PATH_MAX + 32];
        (void)snprintf(path, sizeof path, "%s/%s", w->dir, files[i]);
        (void)unlink(path);
    }
    if (w->dir[0])
        (void)rmdir(w->dir);
    arena_release(&w->a);
    mem_free(w);
    return 0;
}

void world_reopen(struct world *w)
{
    if (strcmp(store_kind, "memory") == 0)
        return;
    w->s->ops->free(w->s);
    store_open(w);
}

struct store *world_other(struct world *w)
{
    if (!w->other && server_kind_known(store_kind)) {
        w->other = server_store(&w->err);
        if (!w->other)
            fail_msg("%s", w->err.text);
    }
    return w->other ? w->other : w->s;
}

void world_pass(struct world *w, struct duration d)
{
    if (strcmp(store_kind, "memory") == 0)
        clock_virtual_advance(&w->clock, d);
}

// ---- rows --------------------------------------------------------------------------------------

void job_make(struct world *w, const char *name, struct job *ret, struct plan *ret_plan)
{
    struct job j = {.id = id_new(w), .owner_id = w->owner};
    field_defaults(&schedule_fields, &j.schedule);
    field_defaults(&retry_policy_fields, &j.retry_policy);
    j.name = arena_str(&w->a, str_of(name));
    j.description = STR("made by a test");
    j.type = STR("DUMMY");
    j.payload = STR("{\"type\":\"DUMMY\"}");
    j.priority = PRIORITY_HIGH;
    j.enabled = true;
    j.timeout_seconds = JOB_TIMEOUT_S_DEFAULT;
    j.concurrency_policy = CONCURRENCY_FORBID;
    j.schedule.kind = SCHEDULE_CRON;
    j.schedule.cron_expression = STR("* * * * *");
    j.schedule.timezone = STR("Europe/Berlin");
    j.schedule.end_at = at_s(1000000);
    j.version = 1;
    j.created_at = at_s(w->tick);
    j.updated_at = at_s(w->tick);
    *ret = j;
    *ret_plan = (struct plan){.state = JOB_STATE_ACTIVE, .next_fire = at_s(MINUTE_S)};
    plan_of_job(ret, ret_plan);
}

struct plan job_add(struct world *w, const char *name)
{
    struct job j;
    struct plan p;
    job_make(w, name, &j, &p);
    assert_ok(w, w->s->ops->jobs_insert(w->s, &j, &p, 1, &w->err));
    return p;
}

struct job job_read(struct world *w, struct ulid id)
{
    struct job j = {.version = 0};
    assert_ok(w, w->s->ops->job_get(w->s, id, &j, &w->a, &w->err));
    return j;
}

struct plan plan_read_one(struct world *w, struct ulid id)
{
    struct plan *v = NULL;
    size_t n = 0;
    assert_ok(w, w->s->ops->plans_get(w->s, &id, 1, &v, &n, &w->a, &w->err));
    assert_int_equal(n, 1);
    return v[0];
}

struct run run_read_one(struct world *w, struct ulid id)
{
    struct run r = {.status = -1};
    assert_ok(w, w->s->ops->run_get(w->s, id, &r, &w->a, &w->err));
    return r;
}

struct run run_make(const struct plan *p, struct instant scheduled, int64_t attempt, int status,
                    int64_t token)
{
    struct ulid key = run_key_of(p->job_id, scheduled);
    return (struct run){
        .id = run_id_of(p->job_id, scheduled, key, attempt),
        .job_id = p->job_id,
        .job_version = p->version,
        .scheduled = scheduled,
        .first_scheduled = scheduled,
        .occurrences = 1,
        .due = scheduled,
        .start = status == RUN_RUNNING ? scheduled : INSTANT_NEVER,
        .end = run_status_final(status) ? scheduled : INSTANT_NEVER,
        .attempt = attempt,
        .status = status,
        .trigger = TRIGGER_SCHEDULE,
        .priority = PRIORITY_HIGH,
        .token = token,
        .exit_code = FIELD_ABSENT,
        .worker = status == RUN_RUNNING ? STR("node-1") : STR_NONE,
        .run_key = key,
    };
}

bool fire(struct world *w, struct fire *f)
{
    struct flush all = {.fires = f, .n_fires = 1};
    assert_ok(w, w->s->ops->flush(w->s, &all, &w->err));
    return f->ret_won;
}

struct run fire_one(struct world *w, struct plan *p, int status, int64_t token)
{
    struct run r = run_make(p, p->next_fire, 1, status, token);
    struct fire f = {.job_id = p->job_id,
                     .expect_version = p->version,
                     .expect_next = p->next_fire,
                     .new_next = instant_add(p->next_fire, duration_s(MINUTE_S)),
                     .runs = &r,
                     .n_runs = 1};
    assert_true(fire(w, &f));
    p->next_fire = f.new_next;
    return r;
}

bool finish(struct world *w, struct finish *f)
{
    struct flush all = {.finishes = f, .n_finishes = 1};
    assert_ok(w, w->s->ops->flush(w->s, &all, &w->err));
    return f->ret_recorded;
}

struct finish finish_make(struct run *r, int status)
{
    r->status = status;
    r->end = instant_add(r->scheduled, duration_s(5));
    r->exit_code = status == RUN_SUCCEEDED ? 0 : 1;
    if (run_status_failed(status)) {
        r->error_class = STR("DUMMY_ERROR");
        r->error_message = STR("it failed");
    }
    return (struct finish){.run = r, .plan_next = INSTANT_NEVER};
}

struct page page_of(int64_t size) { return (struct page){.size = size}; }

struct dead_letter letter_make(struct world *w, const struct run *r, const char *reason)
{
    return (struct dead_letter){
        .id = r->run_key,
        .job_id = r->job_id,
        .job_name = STR("job"),
        .last_run_id = r->id,
        .run_key = r->run_key,
        .scheduled = r->scheduled,
        .reason = arena_str(&w->a, str_of(reason)),
        .error_class = STR("DUMMY_ERROR"),
        .attempts = r->attempt,
        .job_version = r->job_version,
        .definition = STR("{\"name\":\"job\"}"),
        .inputs = STR("{\"x\":\"1\"}"),
        .created_at = at_s(500),
        .resolved_at = INSTANT_NEVER,
    };
}

// ---- main --------------------------------------------------------------------------------------

int main(int argc, char **argv)
{
    const struct cases *const groups[] = {
        &flush_cases, &job_cases,  &job_list_cases, &run_cases,  &dlq_cases,    &user_cases,
        &race_cases,  &node_cases, &change_cases,   &duty_cases, &outbox_cases, &trim_cases,
        &secret_cases,
        &account_cases,
        &audit_cases,
        &sign_on_cases,
        &breaker_cases, &notice_cases,
        &chain_cases,
        &once_cases,
        &backlog_cases,
    };
    enum { GROUPS = sizeof groups / sizeof groups[0] };
    struct CMUnitTest all[256];
    size_t n = 0;
    if (argc > 1)
        store_kind = argv[1];
    for (size_t i = 0; i < GROUPS; i++)
        for (size_t k = 0; k < groups[i]->n && n < sizeof all / sizeof all[0]; k++)
            all[n++] = groups[i]->v[k];
    bool known = strcmp(store_kind, "memory") == 0 || strcmp(store_kind, "sqlite") == 0;
    if (!known && !server_kind_known(store_kind)) {
        (void)fprintf(stderr, "unknown store \"%s\"\n", store_kind);
        return 2;
    }
    int failed = _cmocka_run_group_tests(store_kind, all, n, NULL, NULL);
    server_done();
    return failed;
}
