// SPDX-License-Identifier: Apache-2.0
// What is old goes in small batches with short pauses, what is young or the last of its job stays.
#include "../tests/sim/bench.h"

#include "engine/retention.h"

enum { DAY = 86400, RUNS = 2500 };

// Ends one run a minute, from the beginning on.
static void fill(struct bench *b, struct job *j)
{
    *j = bench_every(b, 60);
    b->end_at_once = true;
    bench_insert(b, j);
    bench_until(b, 60.0 * RUNS);
    assert_int_equal(b->started, RUNS);
}

static int64_t left(struct bench *b)
{
    struct page p = {.size = 1};
    struct run_filter f = {.status = -1};
    struct page_result result;
    struct run *v;
    size_t n;
    struct err err = {0};
    assert_true(b->store->ops->runs_list(b->store, &f, &p, &v, &n, &result, &b->arena, &err));
    return result.total;
}

static void nothing_is_removed_before_its_time(void **state)
{
    struct bench *b = *state;
    struct job j;
    struct retention_config c = {.keep_days = 90};
    struct retention *r = retention_new(&c, b->store, &b->clock.base);
    fill(b, &j);
    assert_true(retention_round(r).us >= duration_s(30).us);
    assert_int_equal(left(b), RUNS);
    retention_free(r);
}

static void old_history_goes_in_batches_and_the_last_run_stays(void **state)
{
    struct bench *b = *state;
    struct job j;
    struct retention_config c = {.keep_days = 1};
    struct retention *r = retention_new(&c, b->store, &b->clock.base);
    fill(b, &j);
    clock_virtual_advance(&b->clock, duration_s(10 * DAY));
    int64_t rounds = 0, before = left(b);
    while (retention_round(r).us < duration_s(1).us) {
        assert_true(left(b) < before);
        before = left(b);
        assert_true(++rounds < 10);
    }
    assert_true(rounds >= 2);
    assert_int_equal(left(b), 1);
    retention_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_removed_before_its_time, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(old_history_goes_in_batches_and_the_last_run_stays, bench_setup,
                                        bench_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
