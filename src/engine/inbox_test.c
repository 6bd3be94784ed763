// SPDX-License-Identifier: Apache-2.0
// Log lines on their way into the store: order, bounds and markers.
#include "../tests/sim/bench.h"

static struct ulid start_one(struct bench *b)
{
    struct job j = bench_job(b, SCHEDULE_MANUAL);
    bench_insert(b, &j);
    struct ulid id = bench_run_now(b, j.id, PRIORITY_LOW);
    bench_settle(b);
    return id;
}

static void say(struct bench *b, const char *text, size_t n)
{
    struct attempt *a = b->held[0];
    a->sink->log(a->sink, a, LOG_LINE_INFO, STREAM_STDOUT, str_of_n(text, n), STR_NONE);
}

static size_t lines(struct bench *b, struct ulid id, struct log_line **ret)
{
    size_t n;
    struct err err = {0};
    assert_true(b->store->ops->logs_read(b->store, id, 0, 100000, ret, &n, &b->arena, &err));
    return n;
}

static void lines_are_numbered_and_written_before_the_end_can_be_seen(void **state)
{
    struct bench *b = *state;
    struct log_line *v;
    struct ulid id = start_one(b);
    for (int i = 0; i < 1000; i++) // more than one flush takes
        say(b, "hello", 5);
    bench_end(b, 0, RUN_SUCCEEDED, NULL);
    (void)engine_tick(b->engine);
    assert_true(lines(b, id, &v) < 1000);
    assert_int_equal(bench_run_get(b, id).status, RUN_RUNNING);
    bench_settle(b);
    assert_int_equal(lines(b, id, &v), 1000);
    assert_int_equal(v[0].id, 1);
    assert_int_equal(v[999].id, 1000);
    assert_true(str_is(v[999].message, "hello"));
    assert_int_equal(bench_run_get(b, id).status, RUN_SUCCEEDED);
}

static void a_long_line_is_cut_between_characters_and_marked(void **state)
{
    struct bench *b = *state;
    struct log_line *v;
    struct ulid id = start_one(b);
    char text[LOG_LINE_MAX + 100];
    for (size_t i = 0; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "ä", 2);
    say(b, text, sizeof text / 2 * 2);
    bench_settle(b);
    assert_int_equal(lines(b, id, &v), 1);
    assert_true(v[0].message.n <= LOG_LINE_MAX);
    assert_true(str_ends(v[0].message, STR(" …[cut]")));
    assert_true(str_utf8_valid(v[0].message));
}

static void too_much_output_keeps_head_and_tail_and_says_what_is_missing(void **state)
{
    struct bench *b = *state;
    struct log_line *v;
    struct ulid id = start_one(b);
    static char text[8000];
    int64_t said = 2000, kept = 0, marked = 0;
    for (int i = 0; i < said; i++) { // 16 MB
        memset(text, '.', sizeof text);
        (void)snprintf(text, sizeof text, "line %d", i);
        say(b, text, sizeof text);
        if (i % 100 == 0)
            bench_settle(b);
    }
    bench_end(b, 0, RUN_SUCCEEDED, NULL);
    bench_settle(b);
    size_t n = lines(b, id, &v), bytes = 0;
    for (size_t i = 0; i < n; i++) {
        bytes += v[i].message.n;
        if (v[i].stream == STREAM_SYSTEM && str_contains(v[i].message, STR("left out here")))
            marked++;
        else
            kept++;
    }
    assert_int_equal(marked, 1);
    assert_true(kept < said && bytes <= RUN_OUTPUT_MAX + 1000 && bytes > RUN_OUTPUT_MAX / 10 * 9);
    assert_true(str_starts(v[0].message, STR("line 0")) && str_starts(v[n - 1].message, STR("line 1999")));
}

static void lines_are_dropped_with_a_marker_when_the_store_does_not_keep_up(void **state)
{
    struct bench *b = *state;
    struct log_line *v;
    struct ulid first = ULID_ZERO;
    static char text[8000];
    memset(text, 'x', sizeof text);
    for (int k = 0; k < 10; k++) { // 10 runs of 8 MB each without a tick between
        struct ulid id = start_one(b);
        first = k == 9 ? id : first;
    }
    for (int k = 0; k < 10; k++) {
        struct attempt *a = b->held[k];
        for (int i = 0; i < 1000; i++)
            a->sink->log(a->sink, a, LOG_LINE_INFO, STREAM_STDOUT, str_of_n(text, sizeof text), STR_NONE);
    }
    bench_settle(b);
    struct attempt *a = b->held[9];
    a->sink->log(a->sink, a, LOG_LINE_INFO, STREAM_STDOUT, STR("after"), STR_NONE);
    bench_settle(b);
    size_t n = lines(b, first, &v);
    assert_true(n >= 2 && n < 1000);
    assert_true(str_is(v[n - 1].message, "after"));
    assert_true(str_contains(v[n - 2].message, STR("were dropped here")));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(lines_are_numbered_and_written_before_the_end_can_be_seen),
        TEST(a_long_line_is_cut_between_characters_and_marked),
        TEST(too_much_output_keeps_head_and_tail_and_says_what_is_missing),
        TEST(lines_are_dropped_with_a_marker_when_the_store_does_not_keep_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
