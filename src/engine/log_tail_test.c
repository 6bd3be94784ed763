// SPDX-License-Identifier: Apache-2.0
// The newest lines of a run that says too much.
#include "../tests/sim/bench.h"
#include "engine/log_tail.h"

static void the_newest_lines_are_kept_and_older_ones_are_counted(void **state)
{
    (void)state;
    struct log_tail *t = NULL;
    struct log_line got;
    char text[1024];
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 300; i++) {
        struct log_line l = {.id = i, .message = str_of_n(text, sizeof text)};
        log_tail_add(&t, &l);
    }
    int64_t kept = LOG_TAIL_MAX / (int64_t)sizeof text;
    assert_int_equal(log_tail_dropped_lines(t), 300 - kept);
    assert_int_equal(log_tail_dropped_bytes(t), (300 - kept) * (int64_t)sizeof text);
    for (int64_t i = 300 - kept; i < 300; i++) {
        assert_true(log_tail_pop(t, &got));
        assert_int_equal(got.id, i);
        assert_int_equal(got.message.n, sizeof text);
    }
    assert_false(log_tail_pop(t, &got));
    log_tail_release(&t);
    assert_null(t);
}

static void no_tail_has_nothing(void **state)
{
    (void)state;
    struct log_tail *t = NULL;
    struct log_line got;
    assert_false(log_tail_pop(t, &got));
    assert_int_equal(log_tail_dropped_lines(t), 0);
    log_tail_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_lines_are_kept_and_older_ones_are_counted),
        cmocka_unit_test(no_tail_has_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
