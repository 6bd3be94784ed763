// SPDX-License-Identifier: Apache-2.0
// The list of changes: gaps, numbers that become visible late, numbers that are given twice.
#include "../tests/sim/bench_nodes.h"

#include "base/mem.h"

// A store that has nothing but changes; some are not visible yet.
struct list {
    struct store base; // first member
    struct change v[3000];
    bool hidden[3000];
    size_t n;
};

static bool list_read(struct store *s, int64_t after, size_t max, struct change **ret, size_t *ret_n, struct arena *a,
                      struct err *err)
{
    struct list *l = (struct list *)s;
    struct change *out = arena_new_array(a, struct change, max);
    size_t n = 0;
    (void)err;
    for (size_t i = 0; i < l->n && n < max; i++)
        if (l->v[i].seq > after && !l->hidden[i])
            out[n++] = l->v[i];
    *ret = out;
    *ret_n = n;
    return true;
}

static bool list_last(struct store *s, int64_t *ret, struct err *err)
{
    struct list *l = (struct list *)s;
    (void)err;
    *ret = 0;
    for (size_t i = 0; i < l->n; i++)
        if (!l->hidden[i])
            *ret = l->v[i].seq;
    return true;
}

static const struct store_ops list_ops = {.name = "list", .changes_read = list_read, .changes_last = list_last};

struct reader {
    struct nodes_bench b;
    struct list list;
    struct cluster c;
    struct engine *engine;
};

static struct ulid subject(size_t i) { return (struct ulid){.b = {1, (uint8_t)(i >> 8), (uint8_t)i}}; }

static void list_add(struct list *l, size_t n)
{
    for (; n > 0; n--, l->n++)
        l->v[l->n] = (struct change){
            .seq = (int64_t)l->n + 1, .kind = CHANGE_RUN, .subject = subject(l->n), .sender = 2};
}

static int reader_setup(void **state)
{
    struct reader *r = test_calloc(1, sizeof *r);
    log_configure(LOG_LEVEL_ERROR + 1, LOG_FORMAT_TEXT);
    clock_virtual_init(&r->b.clock, instant_s(BENCH_START_S));
    r->b.zones = zones_new(NULL);
    r->list.base.ops = &list_ops;
    struct engine_config e = {.node_name = STR("n"), .seed = 1, .zones = r->b.zones};
    r->engine = engine_new(&e, &r->list.base, NULL, &r->b.clock.base, NULL);
    r->c = (struct cluster){.store = &r->list.base, .engine = r->engine, .clock = &r->b.clock.base, .token = 1};
    *state = r;
    return 0;
}

static int reader_teardown(void **state)
{
    struct reader *r = *state;
    engine_free(r->engine);
    mem_free(r->c.recent.v);
    ids_release(&r->c.changed_jobs);
    zones_free(r->b.zones);
    test_free(r);
    return 0;
}

// How many runs the engine was told of.
static size_t told(struct reader *r)
{
    struct arena a CLEANUP(arena_release);
    struct err err = {0};
    arena_init(&a, SIZE_MAX);
    ids_clear(&r->engine->inbox.content.runs);
    assert_true(changes_take(&r->c, &a, &err));
    return r->engine->inbox.content.runs.n;
}

static void each_change_is_told_once_over_many_pages(void **state)
{
    struct reader *r = *state;
    struct err err = {0};
    assert_true(changes_start(&r->c, &err));
    list_add(&r->list, 2500);
    assert_int_equal(told(r), 2500);
    assert_int_equal(told(r), 0);
    assert_int_equal(r->c.low, 2500); // no gap: nothing is kept
    assert_int_equal(r->c.recent.n, 0);
}

static void a_change_that_becomes_visible_late_is_told(void **state)
{
    struct reader *r = *state;
    struct err err = {0};
    assert_true(changes_start(&r->c, &err));
    list_add(&r->list, 10);
    r->list.hidden[4] = true;
    assert_int_equal(told(r), 9);
    clock_virtual_advance(&r->b.clock, duration_s(9));
    assert_int_equal(told(r), 0);
    r->list.hidden[4] = false;
    assert_int_equal(told(r), 1);
    assert_int_equal(told(r), 0);
    assert_int_equal(r->c.low, 10);
}

static void a_gap_is_not_waited_for_for_ever(void **state)
{
    struct reader *r = *state;
    struct err err = {0};
    assert_true(changes_start(&r->c, &err));
    list_add(&r->list, 10);
    r->list.hidden[4] = true;
    assert_int_equal(told(r), 9);
    clock_virtual_advance(&r->b.clock, duration_s(11));
    assert_int_equal(told(r), 0);
    assert_int_equal(r->c.low, 10);
}

static void a_reader_begins_before_the_newest_change(void **state)
{
    struct reader *r = *state;
    struct err err = {0};
    list_add(&r->list, 1000);
    r->list.hidden[990] = true; // written before the newest, not visible yet
    assert_true(changes_start(&r->c, &err));
    (void)told(r);
    r->list.hidden[990] = false;
    assert_int_equal(told(r), 1);
}

static void numbers_given_twice_are_read_again(void **state)
{
    struct reader *r = *state;
    struct err err = {0};
    list_add(&r->list, 1000);
    assert_true(changes_start(&r->c, &err));
    (void)told(r);
    r->list.n -= 10; // a failover forgot them
    list_add(&r->list, 5);
    assert_int_equal(told(r), 0);
    changes_repeat(&r->c);
    assert_true(told(r) >= 5);
}

static void our_own_changes_are_known(void **state)
{
    struct reader *r = *state;
    struct err err = {0};
    assert_true(changes_start(&r->c, &err));
    list_add(&r->list, 3);
    r->list.v[1].sender = 1;
    assert_int_equal(told(r), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, reader_setup, reader_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_change_is_told_once_over_many_pages),
        TEST(a_change_that_becomes_visible_late_is_told),
        TEST(a_gap_is_not_waited_for_for_ever),
        TEST(a_reader_begins_before_the_newest_change),
        TEST(numbers_given_twice_are_read_again),
        TEST(our_own_changes_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
