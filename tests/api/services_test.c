// SPDX-License-Identifier: Apache-2.0
// What the use cases do for running jobs: other jobs are started once for each key and by right of the owner, memos are
// written by the owner of the run, secrets are those of the job's owner.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/job_services.h"
#include "app/secret.h"
#include "base/log.h"
#include "world.h"

enum { ADA = 2, BOB = 3, TARGET_MAX = 128 };

struct desk {
    struct world w;
    struct job_services s;
    struct arena a;
    struct err err;
};

static struct ulid job_of(struct desk *d, const char *who, const char *more)
{
    struct exchange x;
    struct ulid id;
    struct str body = arena_fmt(
        &d->a, "{\"name\":\"j\",\"type\":\"DUMMY\",\"schedule\":{\"scheduleType\":\"MANUAL\"}%s}", more);
    world_send(&d->w, &(struct request){"POST", "/api/v1/jobs", who, body, NULL}, &x);
    assert_int_equal(x.resp.status, 201);
    assert_true(ulid_parse(json_str(json_object_get(x.json, "id")), &id));
    exchange_release(&x);
    return id;
}

static struct attempt attempt_of(struct desk *d, size_t user)
{
    return (struct attempt){.job = {.name = STR("by"), .owner_id = d->w.users[user]}};
}

static bool start(struct desk *d, size_t by_user, struct ulid job, const char *inputs, const char *key)
{
    struct attempt by = attempt_of(d, by_user);
    d->err = (struct err){0};
    return d->s.start_job(d->s.ctx, &by, job, inputs ? str_of(inputs) : STR_NONE, str_of(key), &d->err);
}

static void a_key_starts_one_run(void **state)
{
    struct desk *d = *state;
    struct ulid job = job_of(d, "ada", ""), other = job_of(d, "ada", "");
    assert_true(start(d, ADA, job, NULL, "k"));
    assert_true(start(d, ADA, job, NULL, "k"));
    assert_int_equal(store_memory_run_count(d->w.store), 1);
    assert_true(start(d, ADA, job, NULL, "k2") && start(d, ADA, other, NULL, "k"));
    assert_int_equal(store_memory_run_count(d->w.store), 3);
    for (int day = 0; day < START_KEY_DAYS; day++) { // also over midnight
        clock_virtual_advance(&d->w.clock, duration_s(S_PER_DAY));
        assert_true(start(d, ADA, job, NULL, "k"));
    }
    assert_int_equal(store_memory_run_count(d->w.store), 3);
}

static void only_what_the_owner_may_start_is_started(void **state)
{
    struct desk *d = *state;
    struct ulid job = job_of(d, "ada", "");
    assert_false(start(d, BOB, job, NULL, "k"));
    assert_int_equal(d->err.code, ERR_NOT_FOUND);
    assert_true(start(d, 0, job, NULL, "k")); // an administrator's job
    struct user u;
    assert_true(d->w.store->ops->user_get(d->w.store, d->w.users[ADA], &u, &d->a, &d->err));
    u.enabled = false;
    assert_true(d->w.store->ops->user_update(d->w.store, &u, &d->err));
    assert_false(start(d, ADA, job, NULL, "k3"));
    assert_int_equal(d->err.code, ERR_DENIED);
    assert_int_equal(store_memory_run_count(d->w.store), 1);
}

static void the_other_job_gets_what_it_declares(void **state)
{
    struct desk *d = *state;
    struct ulid job = job_of(d, "ada", ",\"parameters\":[{\"name\":\"a\",\"required\":true}]");
    assert_true(start(d, ADA, job, "{\"a\":\"1\",\"b\":2}", "k"));
    assert_false(start(d, ADA, job, "{\"b\":2}", "k2"));
    assert_int_equal(d->err.code, ERR_INVALID);
    struct exchange x;
    char target[TARGET_MAX], text[ULID_TEXT_MAX];
    (void)snprintf(target, sizeof target, "/api/v1/jobs/%s/runs", ulid_format(job, text));
    world_send(&d->w, &(struct request){"GET", target, "ada", STR_NONE, NULL}, &x);
    const json_t *run = json_array_get(json_object_get(x.json, "content"), 0);
    const json_t *given = json_object_get(run, "parameters");
    assert_int_equal(json_object_size(given), 1);
    assert_true(str_is(json_str(json_object_get(given, "a")), "1"));
    exchange_release(&x);
}

static void memos_belong_to_the_owner_of_the_run(void **state)
{
    struct desk *d = *state;
    struct ulid job = job_of(d, "ada", "");
    assert_true(start(d, ADA, job, NULL, "k"));
    struct job j;
    struct run r;
    struct str back;
    assert_true(d->w.store->ops->job_get(d->w.store, job, &j, &d->a, &d->err));
    world_start_run(&d->w, j.last_run_id);
    assert_true(d->w.store->ops->run_get(d->w.store, j.last_run_id, &r, &d->a, &d->err));
    struct attempt by = {.run_id = r.id, .job_id = job, .token = r.token};
    assert_true(d->s.memo_put(d->s.ctx, &by, STR("position"), STR("7"), &d->err));
    assert_true(d->s.memo_get(d->s.ctx, job, STR("position"), &back, &d->a, &d->err));
    assert_true(str_is(back, "7"));
    by.token++;
    assert_false(d->s.memo_put(d->s.ctx, &by, STR("position"), STR("8"), &d->err));
    assert_int_equal(d->err.code, ERR_STALE);
    assert_false(d->s.memo_put(d->s.ctx, &by, STR(""), STR("8"), &d->err));
    assert_int_equal(d->err.code, ERR_INVALID);
}

static void a_job_gets_its_owners_secrets(void **state)
{
    struct desk *d = *state;
    struct caller admin = {.signed_in = true, .user_id = d->w.users[0], .roles = 1u << ROLE_ADMIN};
    struct caller ada = {.signed_in = true, .user_id = d->w.users[ADA], .roles = 1u << ROLE_USER};
    struct secret shown;
    struct str value;
    const struct secret_put puts[] = {{STR_INIT("a"), STR_INIT("everybody's"), true},
                                      {STR_INIT("a"), STR_INIT("ada's"), false},
                                      {STR_INIT("b"), STR_INIT("only hers"), false}};
    assert_true(app_secret_put(&d->w.app, &admin, &puts[0], &shown, &d->a, &d->err));
    assert_true(app_secret_put(&d->w.app, &ada, &puts[1], &shown, &d->a, &d->err));
    assert_true(app_secret_put(&d->w.app, &ada, &puts[2], &shown, &d->a, &d->err));
    struct attempt hers = {.job.owner_id = d->w.users[ADA]}, his = {.job.owner_id = d->w.users[BOB]};
    assert_true(d->s.secret(d->s.ctx, STR("a"), &hers, &value, &d->a, &d->err));
    assert_true(str_is(value, "ada's"));
    assert_true(d->s.secret(d->s.ctx, STR("a"), &his, &value, &d->a, &d->err));
    assert_true(str_is(value, "everybody's"));
    assert_false(d->s.secret(d->s.ctx, STR("b"), &his, &value, &d->a, &d->err));
    assert_int_equal(d->err.code, ERR_NOT_FOUND);
}

static int desk_open(void **state)
{
    static struct desk d;
    d = (struct desk){.err = {0}};
    world_open(&d.w);
    arena_init(&d.a, SIZE_MAX);
    app_job_services(&d.w.app, &d.s);
    *state = &d;
    return 0;
}

static int desk_close(void **state)
{
    struct desk *d = *state;
    world_close(&d->w);
    arena_release(&d->a);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, desk_open, desk_close)

int main(void)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    const struct CMUnitTest tests[] = {
        TEST(a_key_starts_one_run),
        TEST(only_what_the_owner_may_start_is_started),
        TEST(the_other_job_gets_what_it_declares),
        TEST(memos_belong_to_the_owner_of_the_run),
        TEST(a_job_gets_its_owners_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
