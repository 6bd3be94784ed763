// SPDX-License-Identifier: Apache-2.0
// Unit tests of base/queue.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/queue.h"

#include "base/rng.h"

enum { CAP = 7, STEPS = 20000, ITEMS = 20000 };

static char items[ITEMS];

static void batches_leave_in_the_order_they_came(void **state)
{
    (void)state;
    struct queue q;
    struct rng rng;
    rng_init(&rng, 31);
    queue_init(&q, CAP, LOCK_TEST);
    size_t pushed = 0, popped = 0;
    for (int step = 0; step < STEPS && pushed < ITEMS; step++) {
        if (rng_below(&rng, 2) == 0) {
            bool fits = pushed - popped < CAP;
            assert_int_equal(queue_try_push(&q, &items[pushed]), fits);
            pushed += fits;
        } else {
            void *v[CAP];
            size_t max = rng_below(&rng, CAP + 1);
            size_t n = queue_pop(&q, v, max, duration_ms(0));
            assert_int_equal(n, pushed - popped < max ? pushed - popped : max);
            for (size_t i = 0; i < n; i++)
                assert_ptr_equal(v[i], &items[popped++]);
        }
        assert_int_equal(queue_depth(&q), pushed - popped);
    }
    void *v[CAP];
    (void)queue_pop(&q, v, CAP, duration_ms(0));
    queue_release(&q);
}

static void a_closed_queue_gives_what_it_holds_and_takes_no_more(void **state)
{
    (void)state;
    struct queue q;
    void *v[2];
    queue_init(&q, 2, LOCK_TEST);
    assert_int_equal(queue_pop(&q, v, 2, duration_ms(1)), 0);
    assert_true(queue_push(&q, &items[0]) && queue_push(&q, &items[1]));
    assert_false(queue_try_push(&q, &items[2]));
    queue_close(&q);
    assert_false(queue_push(&q, &items[2]));
    assert_false(queue_try_push(&q, &items[2]));
    assert_int_equal(queue_pop(&q, v, 1, duration_s(60)), 1);
    assert_int_equal(queue_pop(&q, v, 2, duration_s(60)), 1);
    assert_ptr_equal(v[0], &items[1]);
    assert_int_equal(queue_pop(&q, v, 2, duration_s(60)), 0); // at once
    queue_release(&q);
}

static void *push_all(void *arg)
{
    for (size_t i = 0; i < ITEMS; i++)
        must(queue_push(arg, &items[i]));
    return NULL;
}

static void senders_wait_for_room_and_nothing_is_lost(void **state)
{
    (void)state;
    struct queue q;
    pthread_t senders[2];
    static int seen[ITEMS];
    queue_init(&q, CAP, LOCK_TEST);
    for (int i = 0; i < 2; i++)
        senders[i] = thread_start("sender", push_all, &q);
    for (size_t got = 0; got < 2 * ITEMS;) {
        void *v[3];
        size_t n = queue_pop(&q, v, 3, duration_s(60));
        assert_true(n > 0);
        for (size_t i = 0; i < n; i++)
            seen[(char *)v[i] - items]++;
        got += n;
    }
    for (size_t i = 0; i < ITEMS; i++)
        assert_int_equal(seen[i], 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(senders[i], NULL), 0);
    queue_release(&q);
}

static void *pop_until_closed(void *arg)
{
    void *v[1];
    return queue_pop(arg, v, 1, duration_s(600)) == 0 ? arg : NULL;
}

static void *push_until_closed(void *arg)
{
    while (queue_push(arg, &items[0]))
        continue;
    return arg;
}

static void closing_wakes_everyone_who_waits(void **state)
{
    (void)state;
    struct queue empty, full;
    void *result, *v[1];
    queue_init(&empty, 1, LOCK_TEST);
    queue_init(&full, 1, LOCK_TEST);
    pthread_t popper = thread_start("popper", pop_until_closed, &empty);
    pthread_t pusher = thread_start("pusher", push_until_closed, &full);
    queue_close(&empty);
    while (queue_depth(&full) == 0)
        continue;
    queue_close(&full);
    assert_int_equal(pthread_join(popper, &result), 0);
    assert_ptr_equal(result, &empty);
    assert_int_equal(pthread_join(pusher, &result), 0);
    assert_ptr_equal(result, &full);
    assert_int_equal(queue_pop(&full, v, 1, duration_ms(0)), 1);
    queue_release(&empty);
    queue_release(&full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_leave_in_the_order_they_came),
        cmocka_unit_test(a_closed_queue_gives_what_it_holds_and_takes_no_more),
        cmocka_unit_test(senders_wait_for_room_and_nothing_is_lost),
        cmocka_unit_test(closing_wakes_everyone_who_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
