// SPDX-License-Identifier: Apache-2.0
// Who is woken, what is kept for slow readers, and that nobody is woken after leaving.
#include "app/topic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/run.h"


static const struct ulid run_a = {{1}}, run_b = {{2}}, job = {{9}};

static void count(void *ctx) { ++*(int *)ctx; }

static void a_subscriber_of_one_run_hears_of_that_run_only(void **state)
{
    (void)state;
    int woken = 0;
    struct topic *t = topic_new();
    struct subscriber *s = topic_join(t, run_a, count, &woken);
    topic_logs_added(t, run_b);
    topic_run_changed(t, run_b, job, 1);
    assert_int_equal(woken, 0);
    topic_logs_added(t, run_a);
    topic_run_changed(t, run_a, job, 1);
    assert_int_equal(woken, 2);
    topic_leave(t, s);
    topic_free(t);
}

static void a_subscriber_of_all_runs_gets_changes_in_order(void **state)
{
    (void)state;
    int woken = 0;
    bool missed;
    struct run_change v[4];
    struct topic *t = topic_new();
    struct subscriber *s = topic_join(t, ULID_ZERO, count, &woken);
    topic_run_changed(t, run_a, job, 1);
    topic_run_changed(t, run_b, job, 2);
    topic_logs_added(t, run_a);
    assert_int_equal(woken, 2);
    assert_int_equal(topic_take(t, s, v, 1, &missed), 1);
    assert_int_equal(v[0].status, 1);
    assert_int_equal(topic_take(t, s, v, 4, &missed), 1);
    assert_int_equal(v[0].status, 2);
    assert_true(ulid_eq(v[0].run_id, run_b));
    assert_false(missed);
    topic_leave(t, s);
    topic_free(t);
}

static void the_oldest_changes_go_when_nobody_takes_them(void **state)
{
    (void)state;
    int woken = 0;
    bool missed;
    struct run_change first;
    struct topic *t = topic_new();
    struct subscriber *s = topic_join(t, ULID_ZERO, count, &woken);
    for (int i = 0; i < TOPIC_CHANGES_MAX + 3; i++)
        topic_run_changed(t, run_a, job, i);
    assert_int_equal(topic_take(t, s, &first, 1, &missed), 1);
    assert_int_equal(first.status, 3);
    assert_true(missed);
    assert_int_equal(topic_take(t, s, &first, 1, &missed), 1);
    assert_false(missed);
    topic_leave(t, s);
    topic_free(t);
}

static void nobody_is_woken_after_leaving(void **state)
{
    (void)state;
    int first = 0, second = 0;
    struct topic *t = topic_new();
    struct subscriber *a = topic_join(t, ULID_ZERO, count, &first);
    struct subscriber *b = topic_join(t, ULID_ZERO, count, &second);
    topic_leave(t, a);
    topic_run_changed(t, run_a, job, 1);
    assert_int_equal(first, 0);
    assert_int_equal(second, 1);
    topic_leave(t, b);
    topic_run_changed(t, run_a, job, 1);
    assert_int_equal(second, 1);
    topic_free(t);
}

static void the_number_of_subscribers_is_bounded(void **state)
{
    (void)state;
    static struct subscriber *v[TOPIC_SUBSCRIBERS_MAX];
    int woken = 0;
    struct topic *t = topic_new();
    for (size_t i = 0; i < TOPIC_SUBSCRIBERS_MAX; i++) {
        v[i] = topic_join(t, run_a, count, &woken);
        assert_non_null(v[i]);
    }
    assert_null(topic_join(t, run_a, count, &woken));
    for (size_t i = 0; i < TOPIC_SUBSCRIBERS_MAX; i++)
        topic_leave(t, v[i]);
    topic_free(t);
}

static void what_is_found_is_told_once_and_never_backwards(void **state)
{
    (void)state;
    int woken = 0;
    bool missed;
    struct run_change v[4];
    struct topic *t = topic_new();
    struct subscriber *s = topic_join(t, ULID_ZERO, count, &woken);
    topic_run_changed(t, run_a, job, RUN_RUNNING);
    topic_run_found(t, run_a, job, RUN_QUEUED); // read before our engine's commit
    topic_run_found(t, run_a, job, RUN_RUNNING);
    topic_run_found(t, run_b, job, RUN_RUNNING);
    topic_run_changed(t, run_b, job, RUN_RUNNING); // found before it was told
    topic_run_found(t, run_b, job, RUN_FAILED);
    topic_run_changed(t, run_b, job, RUN_RUNNING); // and told late
    assert_int_equal(topic_take(t, s, v, 4, &missed), 3);
    assert_true(ulid_eq(v[0].run_id, run_a) && v[0].status == RUN_RUNNING);
    assert_true(ulid_eq(v[1].run_id, run_b) && v[1].status == RUN_RUNNING);
    assert_true(ulid_eq(v[2].run_id, run_b) && v[2].status == RUN_FAILED);
    topic_leave(t, s);
    topic_free(t);
}

static void looking_goes_round_and_seldom_disturbs_our_own_runs(void **state)
{
    (void)state;
    int a = 0, b = 0, own = 0, all = 0;
    struct topic *t = topic_new();
    struct subscriber *v[] = {topic_join(t, run_a, count, &a), topic_join(t, run_b, count, &b),
                              topic_join(t, job, count, &own), topic_join(t, ULID_ZERO, count, &all)};
    topic_look(t, 8);
    own = 0;
    topic_logs_added(t, job);
    assert_int_equal(own, 1);
    a = b = 0;
    topic_look(t, 1);
    topic_look(t, 1);
    assert_int_equal(a, 1);
    assert_int_equal(b, 1);
    for (int i = 0; i < 40; i++)
        topic_look(t, 8);
    assert_int_equal(all, 0);
    assert_in_range(own, 2, 4);
    assert_in_range(a, 40, 41);
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++)
        topic_leave(t, v[i]);
    topic_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_subscriber_of_one_run_hears_of_that_run_only),
        cmocka_unit_test(a_subscriber_of_all_runs_gets_changes_in_order),
        cmocka_unit_test(the_oldest_changes_go_when_nobody_takes_them),
        cmocka_unit_test(nobody_is_woken_after_leaving),
        cmocka_unit_test(the_number_of_subscribers_is_bounded),
        cmocka_unit_test(what_is_found_is_told_once_and_never_backwards),
        cmocka_unit_test(looking_goes_round_and_seldom_disturbs_our_own_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
