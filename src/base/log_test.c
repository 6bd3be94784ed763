// SPDX-License-Identifier: Apache-2.0
// Unit tests of base/log.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/log.h"

#include <errno.h>
#include <unistd.h>

#include "base/json.h"

enum { OUTPUT_MAX = 1 << 16 };
static char output[OUTPUT_MAX];
static int saved_stderr, pipe_end;

// Standard error goes into a pipe from here on …
static void capture(void)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    saved_stderr = dup(STDERR_FILENO);
    assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
    (void)close(fds[1]);
    pipe_end = fds[0];
}

// … until here; the text is what was written meanwhile.
static struct str captured(void)
{
    (void)dup2(saved_stderr, STDERR_FILENO);
    (void)close(saved_stderr);
    size_t n = 0;
    for (ssize_t got; (got = read(pipe_end, output + n, sizeof output - 1 - n)) > 0;)
        n += (size_t)got;
    (void)close(pipe_end);
    output[n] = '\0';
    return str_of_n(output, n);
}

static json_t *parse_line(struct str line)
{
    struct err err = {0};
    json_t *v = NULL;
    assert_int_equal(str_find(line, '\n'), line.n - 1); // exactly one line
    if (!json_parse(line, &v, &err))
        fail_msg("%s: %s", err.text, line.p);
    return v;
}

static void one_event_is_one_json_line_with_typed_fields(void **state)
{
    (void)state;
    struct err cause = {0};
    struct ulid id;
    assert_true(ulid_parse(STR("01ARZ3NDEKTSV4RRFFQ69G5FAV"), &id));
    (void)ERR(&cause, ERR_IO, "disk \"a\"\nis gone");
    cause.native = 5;
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    capture();
    errno = 77;
    LOG_INFO("run finished", LOG_STR("outcome", STR("a\"b\n{}")), LOG_CSTR("none", NULL), LOG_INT("n", -3),
             LOG_FLAG("late", true), LOG_ID("run", id), LOG_DUR("took", (struct duration){12500}),
             LOG_ERROR_FIELD(&cause));
    assert_int_equal(errno, 77);
    CLEANUP_JSON json_t *v = parse_line(captured());
    struct sbuf b;
    sbuf_init(&b, NULL, OUTPUT_MAX);
    struct instant ts;
    struct err err;
    assert_true(instant_parse(json_str(json_object_get(v, "ts")), &ts, &err));
    assert_int_equal(json_object_del(v, "ts"), 0);
    json_write(v, &b);
    assert_string_equal(b.p, "{\"level\":\"info\",\"event\":\"run finished\",\"outcome\":\"a\\\"b\\n{}\","
                             "\"none\":null,\"n\":-3,\"late\":true,\"run\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\","
                             "\"tookMs\":12.5,\"error\":\"disk \\\"a\\\"\\nis gone\",\"errorCode\":\"IO\","
                             "\"errorNative\":5}");
    sbuf_release(&b);
}

static void text_lines_quote_what_is_not_a_plain_word(void **state)
{
    (void)state;
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
    capture();
    LOG_WARN("job late", LOG_STR("name", STR("a b")), LOG_STR("plain", STR("x-1")), LOG_STR("empty", STR("")),
             LOG_STR("evil", STR("\033[2Jx\ny=z")), LOG_DUR("by", duration_ms(-1500)));
    LOG_DEBUG("nothing to do");
    struct str text = captured(), second;
    struct str first = str_split(text, '\n', &second);
    assert_true(first.n > 13 && first.p[2] == ':' && first.p[8] == '.');
    assert_true(str_is(str_of_n(first.p + 12, first.n - 12),
                       " WARN  job late name=\"a b\" "
                       "plain=x-1 empty=\"\" evil=\"\\u001b[2Jx\\ny=z\" byMs=-1500"));
    assert_true(str_ends(second, STR(" DEBUG nothing to do\n")));
}

static void durations_keep_every_microsecond(void **state)
{
    (void)state;
    static const struct { int64_t us; const char *text; } cases[] = {
        {0, "0"}, {1, "0.001"}, {1000, "1"}, {1010, "1.01"}, {1100, "1.1"}, {-1, "-0.001"},
        {123456789, "123456.789"},
    };
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char want[64];
        (void)snprintf(want, sizeof want, " dMs=%s\n", cases[i].text);
        capture();
        LOG_INFO("x", LOG_DUR("d", (struct duration){cases[i].us}));
        assert_true(str_ends(captured(), str_of(want)));
    }
}

static void lower_levels_are_silent(void **state)
{
    (void)state;
    log_configure(LOG_LEVEL_WARN, LOG_FORMAT_JSON);
    capture();
    LOG_DEBUG("a");
    LOG_INFO("b");
    LOG_ERROR("c");
    CLEANUP_JSON json_t *v = parse_line(captured());
    assert_string_equal(json_string_value(json_object_get(v, "event")), "c");
    assert_string_equal(json_string_value(json_object_get(v, "level")), "error");
}

static void huge_fields_are_cut_and_the_line_stays_a_record(void **state)
{
    (void)state;
    static char huge[30000], wild[3000];
    memset(huge, 'x', sizeof huge);
    memset(wild, 1, sizeof wild); // each byte takes six when escaped
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    capture();
    LOG_INFO("x", LOG_STR("a", str_of_n(huge, sizeof huge)), LOG_STR("b", str_of_n(wild, sizeof wild)),
             LOG_INT("c", 1));
    struct str line = captured();
    CLEANUP_JSON json_t *v = parse_line(line);
    assert_true(line.n < 8192 + 64);
    assert_int_equal(json_string_length(json_object_get(v, "a")), 2048);
    assert_null(json_object_get(v, "b"));
    assert_true(json_is_true(json_object_get(v, "truncated")));
}

static void levels_are_read_in_any_case(void **state)
{
    (void)state;
    enum log_level level = LOG_LEVEL_INFO;
    assert_true(log_level_parse(STR("DEBUG"), &level) && level == LOG_LEVEL_DEBUG);
    assert_true(log_level_parse(STR("warning"), &level) && level == LOG_LEVEL_WARN);
    assert_true(log_level_parse(STR("Error"), &level) && level == LOG_LEVEL_ERROR);
    assert_false(log_level_parse(STR("loud"), &level));
    assert_false(log_level_parse(STR(""), &level));
    assert_int_equal(level, LOG_LEVEL_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_event_is_one_json_line_with_typed_fields),
        cmocka_unit_test(text_lines_quote_what_is_not_a_plain_word),
        cmocka_unit_test(durations_keep_every_microsecond),
        cmocka_unit_test(lower_levels_are_silent),
        cmocka_unit_test(huge_fields_are_cut_and_the_line_stays_a_record),
        cmocka_unit_test(levels_are_read_in_any_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
