// SPDX-License-Identifier: Apache-2.0
// The bounds of one flush.
#include "../tests/sim/bench.h"
#include "engine/batch.h"

static void a_batch_closes_at_its_bounds_and_opens_when_cleared(void **state)
{
    (void)state;
    struct batch b;
    struct entry p = {.version = 7, .next_fire = bench_at(1)};
    struct run r = {0};
    batch_init(&b, 3);
    assert_true(batch_empty(&b));
    for (int i = 0; i < 3; i++) {
        assert_true(batch_open(&b));
        struct fire *f = batch_fire(&b, &p, 1);
        (void)batch_fire_run(&b, &r, NULL);
        assert_int_equal(f->n_runs, 1);
        assert_int_equal(f->expect_version, 7);
    }
    assert_false(batch_open(&b));
    assert_true(batch_open_finishes(&b));
    batch_clear(&b);
    assert_true(batch_open(&b) && batch_empty(&b));
    batch_release(&b);
}

static void one_fire_with_many_runs_closes_it_too(void **state)
{
    (void)state;
    struct batch b;
    struct entry p = {0};
    struct run r = {0};
    batch_init(&b, 3);
    (void)batch_fire(&b, &p, 6);
    for (int i = 0; i < 6; i++)
        (void)batch_fire_run(&b, &r, NULL);
    assert_false(batch_open(&b));
    batch_release(&b);
}

static void log_lines_are_bounded_by_count_and_bytes(void **state)
{
    (void)state;
    struct batch b;
    static char text[1024 * 1024];
    struct log_line v[20];
    struct log_buffer logs = {.v = v, .n = 20};
    batch_init(&b, 3);
    for (int i = 0; i < 20; i++)
        v[i] = (struct log_line){.message = STR("short")};
    batch_logs(&b, &logs);
    assert_int_equal(b.flush.n_logs, 12);
    for (int i = 0; i < 20; i++)
        v[i].message = str_of_n(text, sizeof text);
    batch_logs(&b, &logs);
    assert_int_equal(b.flush.n_logs, 2);
    batch_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_closes_at_its_bounds_and_opens_when_cleared),
        cmocka_unit_test(one_fire_with_many_runs_closes_it_too),
        cmocka_unit_test(log_lines_are_bounded_by_count_and_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
