// SPDX-License-Identifier: Apache-2.0
// Runs that change without anybody telling us, as runs of another node do.
#include "app/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/memory/store_memory.h"

enum { BUDGET = 1 << 20, NOW_S = 1800000000, TOKEN = 5 };

struct fixture {
    struct store *store;
    struct topic *topic;
    struct watch *watch;
    struct subscriber *subscriber;
    struct ulid job;
    int woken;
};

static void count(void *ctx) { ++*(int *)ctx; }

static void setup(struct fixture *f, struct ulid follow)
{
    struct err err = {0};
    *f = (struct fixture){.store = store_memory_new(), .topic = topic_new(), .job = {{7}}};
    f->watch = watch_new(f->store, f->topic);
    f->subscriber = topic_join(f->topic, follow, count, &f->woken);
    struct job j = {.id = f->job, .name = STR("j"), .type = STR("DUMMY"), .version = 1, .enabled = true};
    struct plan p = {.job_id = f->job, .version = 1, .next_fire = INSTANT_NEVER};
    assert_true(f->store->ops->jobs_insert(f->store, &j, &p, 1, &err));
}

static void teardown(struct fixture *f)
{
    topic_leave(f->topic, f->subscriber);
    watch_free(f->watch);
    topic_free(f->topic);
    f->store->ops->free(f->store);
}

static struct ulid put(struct fixture *f, int64_t number)
{
    struct err err = {0};
    struct instant at = instant_s(NOW_S + number);
    struct run r = {.job_id = f->job, .job_version = 1, .status = RUN_QUEUED, .scheduled = at, .due = at,
                    .attempt = 1, .first_scheduled = at, .start = INSTANT_NEVER, .end = INSTANT_NEVER,
                    .exit_code = FIELD_ABSENT};
    r.run_key = run_key_of(f->job, at);
    r.id = run_id_of(f->job, at, r.run_key, 1);
    assert_true(f->store->ops->run_insert(f->store, &r, &err));
    return r.id;
}

static void move(struct fixture *f, struct ulid id, int status)
{
    struct err err = {0};
    struct arena a;
    struct run r;
    arena_init(&a, BUDGET);
    assert_true(f->store->ops->run_get(f->store, id, &r, &a, &err));
    r.status = status;
    r.token = TOKEN;
    r.start = r.end = instant_s(NOW_S);
    struct claim claim = {.run = &r};
    struct finish finish = {.run = &r, .plan_next = INSTANT_NEVER};
    struct flush flush = {0};
    if (status == RUN_RUNNING) {
        r.end = INSTANT_NEVER;
        flush.claims = &claim;
        flush.n_claims = 1;
    } else {
        flush.finishes = &finish;
        flush.n_finishes = 1;
    }
    assert_true(f->store->ops->flush(f->store, &flush, &err));
    assert_true(claim.ret_won || finish.ret_recorded);
    arena_release(&a);
}

static int taken(struct fixture *f, struct ulid id, bool *ret_missed)
{
    struct run_change v[TOPIC_CHANGES_MAX];
    int status = -1;
    size_t n = topic_take(f->topic, f->subscriber, v, TOPIC_CHANGES_MAX, ret_missed);
    for (size_t i = 0; i < n; i++)
        if (ulid_eq(v[i].run_id, id))
            status = v[i].status;
    return status;
}

static void changes_of_runs_are_found(void **state)
{
    (void)state;
    struct fixture f;
    bool missed;
    setup(&f, ULID_ZERO);
    struct ulid old = put(&f, 1);
    watch_follow(f.watch); // what was there before is no news
    assert_int_equal(taken(&f, old, &missed), -1);
    struct ulid id = put(&f, 2);
    watch_look(f.watch);
    assert_int_equal(taken(&f, id, &missed), RUN_QUEUED);
    move(&f, id, RUN_RUNNING);
    watch_look(f.watch);
    assert_int_equal(taken(&f, id, &missed), RUN_RUNNING);
    watch_look(f.watch);
    assert_int_equal(taken(&f, id, &missed), -1);
    move(&f, id, RUN_FAILED);
    watch_look(f.watch);
    assert_int_equal(taken(&f, id, &missed), RUN_FAILED);
    assert_false(missed);
    teardown(&f);
}

static void an_unfinished_run_is_followed_when_newer_ones_hide_it(void **state)
{
    (void)state;
    struct fixture f;
    bool missed;
    setup(&f, ULID_ZERO);
    struct ulid id = put(&f, 1);
    move(&f, id, RUN_RUNNING);
    watch_look(f.watch);
    for (int i = 0; i < WATCH_PAGE; i += WATCH_PAGE / 2) {
        for (int k = 0; k < WATCH_PAGE / 2; k++)
            move(&f, put(&f, 2 + i + k), RUN_RUNNING);
        watch_look(f.watch);
    }
    (void)taken(&f, id, &missed);
    move(&f, id, RUN_SUCCEEDED);
    watch_look(f.watch);
    assert_int_equal(taken(&f, id, &missed), RUN_SUCCEEDED);
    assert_false(missed);
    teardown(&f);
}

static void more_than_a_page_between_two_looks_is_told_as_missed(void **state)
{
    (void)state;
    struct fixture f;
    bool missed;
    setup(&f, ULID_ZERO);
    watch_look(f.watch);
    for (int i = 0; i < WATCH_PAGE + 1; i++)
        (void)put(&f, i);
    watch_look(f.watch);
    (void)taken(&f, f.job, &missed);
    assert_true(missed);
    teardown(&f);
}

static void a_log_stream_is_woken_to_look_for_itself(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, (struct ulid){{9}});
    watch_look(f.watch);
    watch_look(f.watch);
    assert_int_equal(f.woken, 2);
    teardown(&f);
}

static void the_thread_ends_when_it_is_told_to(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, ULID_ZERO);
    watch_start(f.watch);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_of_runs_are_found),
        cmocka_unit_test(an_unfinished_run_is_followed_when_newer_ones_hide_it),
        cmocka_unit_test(more_than_a_page_between_two_looks_is_told_as_missed),
        cmocka_unit_test(a_log_stream_is_woken_to_look_for_itself),
        cmocka_unit_test(the_thread_ends_when_it_is_told_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
