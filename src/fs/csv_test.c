// SPDX-License-Identifier: Apache-2.0
// Unit tests of fs/csv: what is read, what is refused, what is written back.
#include "fs/test_world.h"

#include "base/mem.h"
#include "base/sbuf.h"
#include "base/sync.h"
#include "fs/csv.h"

// All records as "a|b|c\n"; the error's text when one is bad.
static const char *read_all(struct str text, char delimiter)
{
    struct sbuf out;
    struct strs record;
    bool end = false, ok = true;
    make_file("root/csv", text);
    CLEANUP(cleanup_fd) int fd = open(in_world("root/csv"), O_RDONLY | O_CLOEXEC);
    struct csv_reader *r = csv_reader_new(fd, delimiter, STR("csv"));
    sbuf_init(&out, &world.arena, 8 << 20);
    while ((ok = csv_read(r, &record, &end, &world.err)) && !end) {
        for (size_t i = 0; i < record.n; i++) {
            sbuf_puts(&out, i > 0 ? "|" : "");
            sbuf_put(&out, record.v[i]);
        }
        sbuf_puts(&out, "\n");
    }
    csv_reader_free(r);
    return ok ? sbuf_str(&out).p : world.err.text;
}

static void records_are_read(void **state)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"a,b\n1,2\n", "a|b\n1|2\n"},
        {"a,b\r\n1,2\r\n", "a|b\n1|2\n"},
        {"a,b", "a|b\n"},
        {"a,,\n", "a||\n"},
        {",\n", "|\n"},
        {"\n\na\n\n", "a\n"},
        {"\"a,b\",c\n", "a,b|c\n"},
        {"\"a\"\"b\"\n", "a\"b\n"},
        {"\"a\nb\",c\n", "a\nb|c\n"},
        {"\xef\xbb\xbf"
         "a\n",
         "a\n"},
        {"a\"b,c\n", "a\"b|c\n"},
        {"\"\",x\n", "|x\n"},
        {"", ""},
        {"a\rb\n", "a\rb\n"},
        {"\"a\"", "a\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(read_all(str_of(rows[i].text), ','), rows[i].expected);
    assert_string_equal(read_all(STR("a;b,c\n"), ';'), "a|b,c\n");
}

static void bad_records_name_their_line(void **state)
{
    (void)state;
    assert_non_null(strstr(read_all(STR("a\n\"b\nc\n"), ','), "line 2"));
    char *big = mem_array(CSV_RECORD_MAX + 2, 1);
    memset(big, 'x', CSV_RECORD_MAX + 1);
    assert_non_null(strstr(read_all((struct str){big, CSV_RECORD_MAX + 1}, ','), "1 MiB"));
    memset(big, ',', CSV_FIELDS_MAX + 1);
    assert_non_null(strstr(read_all((struct str){big, CSV_FIELDS_MAX + 1}, ','), "4096 fields"));
    mem_free(big);
}

static void what_is_written_is_read_back(void **state)
{
    struct str fields[] = {STR("plain"),      STR("with,comma"), STR("with \"quote\""),
                           STR("two\nlines"), STR(""),           STR(" blank ")};
    const struct strs record = {fields, 6};
    struct str none = STR("");
    const struct strs empty = {&none, 1};
    struct place p = place("out");
    struct fresh f;
    (void)state;
    assert_true(fresh_open(&p, &(struct fresh_options){0}, &f, &world.err));
    struct csv_writer *w = csv_writer_new(&f, ',', false);
    assert_true(csv_write(w, &record, &world.err) && csv_write(w, &empty, &world.err) &&
                csv_flush(w, &world.err));
    csv_writer_free(w);
    assert_true(fresh_commit(&f, &world.err));
    struct str text = text_of("root/out");
    assert_true(
        str_is(text, "plain,\"with,comma\",\"with \"\"quote\"\"\",\"two\nlines\",,\" blank \"\n\"\"\n"));
    assert_string_equal(read_all((struct str){text.p, text.n - 3}, ','),
                        "plain|with,comma|with \"quote\"|two\nlines|| blank \n");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, world_open, world_close)
    const struct CMUnitTest tests[] = {
        TEST(records_are_read),
        TEST(bad_records_name_their_line),
        TEST(what_is_written_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
