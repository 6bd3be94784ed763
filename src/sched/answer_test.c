// SPDX-License-Identifier: Apache-2.0
// The line protocol, and through it the corpus of fire times (tests/corpus/make_fires.py).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "sched/answer.h"

enum { CORPUS_MAX = 4 * 1024 * 1024, OUT_MAX = 1024 * 1024 };

struct fixture {
    struct zones *zones;
    struct answer_cache cache;
    struct sbuf out;
};

static int set_up(void **state)
{
    static struct fixture f;
    f.zones = zones_new(getenv("TZDIR"));
    answer_cache_init(&f.cache, f.zones, INSTANT_NEVER);
    sbuf_init(&f.out, NULL, OUT_MAX);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    answer_cache_release(&f->cache);
    zones_free(f->zones);
    sbuf_release(&f->out);
    return 0;
}

static const char *answer(struct fixture *f, const char *line)
{
    sbuf_clear(&f->out);
    schedule_answer(str_of(line), &f->out, &f->cache);
    assert_true(sbuf_ok(&f->out));
    return f->out.p;
}

static void a_valid_line_gets_fires_with_offsets(void **state)
{
    assert_string_equal(
        answer(*state, "{\"id\":7,\"expr\":\"30 2 * * "
                       "*\",\"tz\":\"Europe/Berlin\",\"from\":\"2021-03-27T12:00:00Z\",\"count\":2}"),
        "{\"id\":7,\"valid\":true,\"next\":[\"2021-03-28T03:00:00+02:00\",\"2021-03-29T02:30:00+02:00\"]}\n");
    assert_string_equal(
        answer(*state,
               "{\"id\":\"a\\n\",\"expr\":\"@yearly\",\"from\":\"2021-01-01T00:00:00Z\",\"count\":1}"),
        "{\"id\":\"a\\n\",\"valid\":true,\"next\":[\"2022-01-01T00:00:00Z\"]}\n");
    assert_string_equal(answer(*state, "{\"expr\":\"0 0 30 2 *\",\"from\":\"2021-01-01T00:00:00Z\"}"),
                        "{\"id\":null,\"valid\":true,\"next\":[]}\n");
}

static void options_are_obeyed(void **state)
{
    static const struct {
        const char *options, *next;
    } rows[] = {
        {"", "2021-03-28T03:00:00+02:00"},
        {",\"dstGap\":\"SKIP\"", "2021-03-29T02:30:00+02:00"},
        {",\"dstGap\":\"shift\"", "2021-03-28T03:30:00+02:00"},
    };
    char line[256], want[128];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(line, sizeof line,
                 "{\"id\":1,\"expr\":\"30 2 * * *\",\"tz\":\"Europe/Berlin\",\"from\":"
                 "\"2021-03-27T12:00:00+00:00\",\"count\":1%s}",
                 rows[i].options);
        snprintf(want, sizeof want, "{\"id\":1,\"valid\":true,\"next\":[\"%s\"]}\n", rows[i].next);
        assert_string_equal(answer(*state, line), want);
    }
    assert_string_equal(
        answer(*state, "{\"id\":1,\"expr\":\"0 0 9 13 * 5\",\"dayMatch\":\"AND\",\"dialect\":\"unix\","
                       "\"from\":\"2020-01-01T00:00:00Z\",\"count\":1}"),
        "{\"id\":1,\"valid\":true,\"next\":[\"2020-03-13T09:00:00Z\"]}\n");
}

static void every_bad_line_gets_a_reason(void **state)
{
    static const struct {
        const char *line, *want;
    } rows[] = {
        {"{\"id\":[1],\"expr\":\"0 25 * * *\",\"from\":\"2021-01-01T00:00:00Z\"}",
         "{\"id\":[1],\"valid\":false,\"error\":\"hour: expected 0-23 at position 2, found "
         "\\\"25\\\"\",\"position\":2}\n"},
        {"{\"id\":1,\"expr\":\"* * * * *\"}",
         "{\"id\":1,\"valid\":false,\"error\":\"\\\"from\\\" is required: an RFC 3339 instant such as "
         "2027-03-28T00:00:00Z\",\"position\":null}\n"},
        {"{\"id\":1,\"from\":\"2021-01-01T00:00:00Z\"}",
         "{\"id\":1,\"valid\":false,\"error\":\"\\\"expr\\\" or \\\"rrule\\\" is "
         "required\",\"position\":null}\n"},
        {"{\"id\":1,\"expr\":5,\"from\":\"2021-01-01T00:00:00Z\"}",
         "{\"id\":1,\"valid\":false,\"error\":\"\\\"expr\\\" must be a string\",\"position\":null}\n"},
        {"{\"id\":1,\"expr\":\"* * * * *\",\"from\":\"2021-01-01T00:00:00Z\",\"count\":0}",
         "{\"id\":1,\"valid\":false,\"error\":\"\\\"count\\\" must be a whole number, "
         "1-10000\",\"position\":null}\n"},
        {"{\"id\":1,\"expr\":\"* * * * *\",\"from\":\"2021-01-01T00:00:00Z\",\"dstGap\":\"NEVER\"}",
         "{\"id\":1,\"valid\":false,\"error\":\"\\\"dstGap\\\" must be one of RUN, SKIP, "
         "SHIFT\",\"position\":null}\n"},
        {"{\"id\":1,\"rrule\":\"FREQ=DAILY\",\"from\":\"2021-01-01T00:00:00Z\"}",
         "{\"id\":1,\"valid\":false,\"error\":\"RRULE schedules are not supported yet; use a cron expression "
         "or an "
         "interval\",\"position\":null}\n"},
        {"[]",
         "{\"id\":null,\"valid\":false,\"error\":\"a request must be a JSON object\",\"position\":null}\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(answer(*state, rows[i].line), rows[i].want);
    static const char *const broken[] = {
        "",
        "{",
        "nonsense",
        "{\"id\":1,\"id\":2}",
        "\xff",
        "{\"expr\":\"* * * * *\"}x",
        "{\"expr\":\"* * * * *\",\"tz\":\"Mars/Base\",\"from\":\"2021-01-01T00:00:00Z\"}",
        "{\"expr\":\"* * * * *\",\"from\":\"yesterday\"}"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        json_t *json;
        struct err err;
        struct str out = str_of(answer(*state, broken[i]));
        assert_true(json_parse(str_of_n(out.p, out.n - 1), &json, &err));
        assert_true(json_is_false(json_object_get(json, "valid")));
        assert_true(json_str(json_object_get(json, "error")).n > 5);
        json_decref(json);
    }
}

static void the_count_is_bounded(void **state)
{
    const char *out =
        answer(*state, "{\"expr\":\"* * * * * *\",\"from\":\"2021-01-01T00:00:00Z\",\"count\":10000}");
    size_t n = 0;
    for (const char *p = out; (p = strstr(p, "2021-01-01T")); p++)
        n++;
    assert_int_equal(n, 10000);
    assert_non_null(
        strstr(answer(*state, "{\"expr\":\"* * * * *\",\"from\":\"2021-01-01T00:00:00Z\",\"count\":10001}"),
               "\"valid\":false"));
}

static void the_cache_forgets_without_wrong_answers(void **state)
{
    struct fixture *f = *state;
    char line[200], want[100];
    for (int i = 0; i < 3 * ANSWER_CACHE_MAX; i++) {
        int minute = i % 60, hour = i / 60 % 24, day = i / 1440 % 28 + 1;
        snprintf(line, sizeof line,
                 "{\"id\":%d,\"expr\":\"%d %d %d * *\",\"from\":\"2020-12-31T23:59:59Z\",\"count\":1}", i,
                 minute, hour, day);
        snprintf(want, sizeof want, "{\"id\":%d,\"valid\":true,\"next\":[\"2021-01-%02dT%02d:%02d:00Z\"]}\n",
                 i, day, hour, minute);
        assert_string_equal(answer(f, line), want);
        assert_true(f->cache.compiled.n <= ANSWER_CACHE_MAX);
    }
}

static void the_caller_can_give_the_present(void **state)
{
    struct fixture *f = *state;
    f->cache.now = instant_s(0);
    assert_string_equal(answer(f, "{\"expr\":\"@daily\",\"count\":1}"),
                        "{\"id\":null,\"valid\":true,\"next\":[\"1970-01-02T00:00:00Z\"]}\n");
}

static void fires_equal_the_brute_force_corpus(void **state)
{
    const char *root = getenv("CHRONOS_SOURCE_ROOT");
    if (!root)
        fail_msg("CHRONOS_SOURCE_ROOT is not set: run through meson test");
    char path[512];
    snprintf(path, sizeof path, "%s/tests/corpus/fires.jsonl", root);
    struct arena a;
    arena_init(&a, (size_t)2 * CORPUS_MAX);
    struct str text, rest;
    struct err err;
    if (!file_read(path, CORPUS_MAX, &text, &a, &err))
        fail_msg("%s", err.text);
    size_t fires = 0;
    for (struct str line = str_split(text, '\n', &rest); line.n > 0; line = str_split(rest, '\n', &rest)) {
        json_t *request, *reply;
        assert_true(json_parse(line, &request, &err));
        struct str out = str_of(answer(*state, arena_cstr(&a, line)));
        assert_true(json_parse(str_of_n(out.p, out.n - 1), &reply, &err));
        json_t *want = json_object_get(request, "next");
        if (!json_equal(json_object_get(reply, "next"), want))
            fail_msg("%.*s\n%s", STR_ARG(line), out.p);
        fires += json_array_size(want);
        json_decref(request);
        json_decref(reply);
        if (!rest.p)
            break;
    }
    assert_true(fires >= 500);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_valid_line_gets_fires_with_offsets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(options_are_obeyed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_bad_line_gets_a_reason, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_count_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_cache_forgets_without_wrong_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_caller_can_give_the_present, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fires_equal_the_brute_force_corpus, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
