// SPDX-License-Identifier: Apache-2.0
// Cells and forms of answers.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/output.h"

enum { ARENA_BYTES = 1 << 20 };

static const char row_text[] =
    "{\"name\":\"n\",\"none\":null,\"n\":5,\"yes\":true,\"ms\":1500,\"at\":\"1970-01-01T00:01:00Z\",\"odd\":\"soon\","
    "\"list\":[\"a\",\"b\"],\"empty\":[],\"in\":{\"deep\":\"d\"},"
    "\"cron\":{\"scheduleType\":\"CRON\",\"cronExpression\":\"* * * * *\",\"timezone\":\"UTC\"},"
    "\"every\":{\"scheduleType\":\"INTERVAL\",\"intervalSeconds\":300},\"hand\":{\"scheduleType\":\"MANUAL\"},"
    "\"rule\":{\"scheduleType\":\"RRULE\",\"rrule\":\"FREQ=DAILY\"}}";

static void cells_show_each_kind_of_value(void **state)
{
    (void)state;
    static const struct { struct column column; const char *text; } rows[] = {
        {{"", "name", COLUMN_TEXT}, "n"},       {{"", "none", COLUMN_TEXT}, "-"},
        {{"", "gone", COLUMN_TEXT}, "-"},       {{"", "n", COLUMN_TEXT}, "5"},
        {{"", "yes", COLUMN_TEXT}, "true"},     {{"", "ms", COLUMN_DURATION_MS}, "1.5 s"},
        {{"", "at", COLUMN_TIME}, "in 1 m 00 s"}, {{"", "odd", COLUMN_TIME}, "soon"},
        {{"", "list", COLUMN_LIST}, "a,b"},     {{"", "empty", COLUMN_LIST}, "-"},
        {{"", "in.deep", COLUMN_TEXT}, "d"},    {{"", "in.deep.deeper", COLUMN_TEXT}, "-"},
        {{"", "in", COLUMN_TEXT}, "{\"deep\":\"d\"}"}, {{"", "cron", COLUMN_SCHEDULE}, "* * * * * UTC"},
        {{"", "every", COLUMN_SCHEDULE}, "every 5m"}, {{"", "hand", COLUMN_SCHEDULE}, "manual"},
        {{"", "rule", COLUMN_SCHEDULE}, "FREQ=DAILY"}};
    struct arena a;
    struct err err;
    struct output o = {.now = {0}};
    CLEANUP_JSON json_t *row = NULL;
    arena_init(&a, ARENA_BYTES);
    assert_true(json_parse(str_of(row_text), &row, &err));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct str text = column_text(&o, &rows[i].column, row, &a);
        if (!str_is(text, rows[i].text))
            fail_msg("%s: %.*s", rows[i].column.path, STR_ARG(text));
    }
    o.utc = true;
    assert_true(str_is(column_text(&o, &rows[6].column, row, &a), "1970-01-01T00:01:00Z"));
    arena_release(&a);
}

static void long_cells_are_cut_on_a_terminal_only(void **state)
{
    (void)state;
    static const struct column columns[] = {{"T", "t", COLUMN_TEXT}, {NULL, NULL, COLUMN_TEXT}};
    char line[512];
    struct arena a;
    arena_init(&a, ARENA_BYTES);
    for (int terminal = 0; terminal < 2; terminal++) {
        struct output o = {.out = tmpfile(), .terminal = terminal};
        char wide[241] = "";
        for (int i = 0; i < 80; i++)
            memcpy(wide + 3 * i, "日", 3);
        CLEANUP_JSON json_t *rows = json_pack("[{s:s}]", "t", wide);
        output_table(&o, columns, rows, &a);
        rewind(o.out);
        assert_non_null(fgets(line, sizeof line, o.out));
        struct str text = str_trim(str_of(line));
        assert_int_equal(text_width(text), terminal ? 59 : 160); // 29 wide characters and the mark
        assert_int_equal(str_ends(text, STR("…")), terminal);
        fclose(o.out);
    }
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_show_each_kind_of_value),
        cmocka_unit_test(long_cells_are_cut_on_a_terminal_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
