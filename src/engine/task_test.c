// SPDX-License-Identifier: Apache-2.0
// Runs known to the engine: links to their plan, queues.
#include "../tests/sim/bench.h"
#include "engine/task.h"

struct world {
    struct zones *zones;
    struct entries entries;
    struct tasks tasks;
    struct entry *plan;
};

static int setup(void **state)
{
    struct world *w = test_calloc(1, sizeof *w);
    w->zones = zones_new(NULL);
    entries_init(&w->entries, w->zones);
    tasks_init(&w->tasks);
    w->plan = entries_add(&w->entries, (struct ulid){.b = {1}});
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    tasks_release(&w->tasks);
    entries_release(&w->entries);
    zones_free(w->zones);
    test_free(w);
    return 0;
}

static struct task *add(struct world *w, int id)
{
    struct run r = {.id = {.b = {(uint8_t)id}}, .attempt = 1, .inputs = STR("{\"a\":1}")};
    return task_new(&w->tasks, w->plan, &r);
}

static void tasks_are_found_by_id_and_by_their_plan(void **state)
{
    struct world *w = *state;
    struct task *a = add(w, 1), *b = add(w, 2), *c = add(w, 3);
    assert_ptr_equal(tasks_find(&w->tasks, b->id), b);
    assert_ptr_equal(w->plan->tasks, c);
    task_free(&w->tasks, b);
    assert_null(tasks_find(&w->tasks, (struct ulid){.b = {2}}));
    assert_ptr_equal(c->next, a);
    assert_ptr_equal(a->prev, c);
    task_free(&w->tasks, c);
    assert_ptr_equal(w->plan->tasks, a);
    assert_null(a->prev);
}

static void inputs_are_copied(void **state)
{
    struct world *w = *state;
    char text[] = "{\"a\":1}";
    struct run r = {.id = {.b = {9}}, .inputs = str_of_n(text, sizeof text - 1)};
    struct task *t = task_new(&w->tasks, w->plan, &r);
    memset(text, 'x', sizeof text);
    assert_true(str_is(t->inputs, "{\"a\":1}"));
}

static void an_attempt_is_taken_ready_to_use_and_given_back(void **state)
{
    struct world *w = *state;
    struct task *t = add(w, 1);
    task_attempt_take(&w->tasks, t);
    assert_ptr_equal(t->attempt_ref->engine_data, t);
    assert_int_equal(t->attempt_ref->cancel, -1);
    assert_non_null(arena_alloc(&t->attempt_ref->arena, 1000));
    task_attempt_give(&w->tasks, t);
    assert_null(t->attempt_ref);
    assert_int_equal(w->tasks.attempts.used, 0);
}

static void a_task_may_stand_in_both_queues(void **state)
{
    struct world *w = *state;
    struct task *a = add(w, 1), *b = add(w, 2);
    struct task_queue heard = task_queue_of(QUEUE_HEARD), ended = task_queue_of(QUEUE_ENDED),
                      more = task_queue_of(QUEUE_ENDED);
    task_queue_push(&ended, a);
    task_queue_push(&heard, a);
    task_queue_push(&more, b);
    task_queue_join(&ended, &more);
    assert_int_equal(ended.n, 2);
    assert_ptr_equal(task_queue_pop(&heard), a);
    assert_null(task_queue_pop(&heard));
    assert_ptr_equal(task_queue_pop(&ended), a);
    assert_ptr_equal(task_queue_pop(&ended), b);
    assert_null(task_queue_pop(&ended));
    assert_int_equal(more.n, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(tasks_are_found_by_id_and_by_their_plan),
        TEST(inputs_are_copied),
        TEST(an_attempt_is_taken_ready_to_use_and_given_back),
        TEST(a_task_may_stand_in_both_queues),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
