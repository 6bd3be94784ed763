// SPDX-License-Identifier: Apache-2.0
// The engine's metrics as they are scraped.
#include "../tests/sim/bench.h"
#include "base/metrics.h"

static bool says(struct bench *b, const char *line)
{
    struct sbuf out;
    sbuf_init(&out, &b->arena, 1 << 20);
    metrics_write(&out, METRICS_TEXT);
    return str_contains(sbuf_str(&out), str_of(line));
}

static void what_happened_is_counted(void **state)
{
    struct bench *b = *state;
    struct job j = bench_every(b, 10);
    bench_insert(b, &j);
    assert_true(says(b, "\nchronos_runs_total{type=\"DUMMY\",outcome=\"SUCCEEDED\"} 0\n"));
    bench_until(b, 20);
    assert_true(says(b, "\nchronos_runs_active 2\n"));
    assert_true(says(b, "\nchronos_plans 1\n"));
    bench_end(b, 0, RUN_SUCCEEDED, NULL);
    bench_end(b, 0, RUN_FAILED, "X");
    bench_settle(b);
    assert_true(says(b, "\nchronos_runs_total{type=\"DUMMY\",outcome=\"SUCCEEDED\"} 1\n"));
    assert_true(says(b, "\nchronos_runs_total{type=\"DUMMY\",outcome=\"FAILED\"} 1\n"));
    assert_true(says(b, "\nchronos_dead_lettered_total 1\n"));
    assert_true(says(b, "\nchronos_start_delay_seconds_count 2\n"));
}

static void types_that_are_not_compiled_in_share_one_label(void **state)
{
    struct bench *b = *state;
    struct job j = bench_every(b, 10);
    j.type = STR("NO_SUCH_TYPE");
    bench_insert(b, &j);
    bench_until(b, 10);
    bench_end(b, 0, RUN_SUCCEEDED, NULL);
    bench_settle(b);
    assert_true(says(b, "\nchronos_runs_total{type=\"OTHER\",outcome=\"SUCCEEDED\"} 1\n"));
    assert_true(says(b, "\nchronos_runs_total{type=\"HTTP\",outcome=\"MISSED\"} 0\n"));
    assert_false(says(b, "NO_SUCH_TYPE"));
}

// Not from the claim: 3 s pass between the commit and the executor's turn.
static void the_start_delay_goes_to_the_real_start(void **state)
{
    struct bench *b = *state;
    struct job j = bench_every(b, 10);
    bench_insert(b, &j);
    bench_until(b, 10);
    b->held[0]->started = instant_add(b->held[0]->started, duration_s(3));
    assert_true(says(b, "\nchronos_start_delay_seconds_sum 0.0\n"));
    bench_end(b, 0, RUN_SUCCEEDED, NULL);
    bench_settle(b);
    assert_true(says(b, "\nchronos_start_delay_seconds_sum 3.0\n"));
}

int main(void)
{
    // In this order: metrics belong to the process.
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_happened_is_counted, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(the_start_delay_goes_to_the_real_start, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(types_that_are_not_compiled_in_share_one_label, bench_setup, bench_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
