// SPDX-License-Identifier: Apache-2.0
// Every format: its begin and end, typed cells, nasty texts, many rows. tests/types/test_report.py opens the files with
// other programs.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/json.h"
#include "document/document.h"

enum { TEXT_MAX = 1024 * 1024 };
static struct arena arena;
static struct err problem;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 16 * 1024 * 1024);
    return 0;
}
static int tear_down(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static struct str content(int fd)
{
    char *p = arena_alloc(&arena, TEXT_MAX);
    assert_non_null(p);
    ssize_t n = pread(fd, p, TEXT_MAX - 1, 0);
    assert_true(n >= 0);
    return (struct str){p, (size_t)n};
}

#define OK(x)                                                                                                \
    do {                                                                                                     \
        if (!(x))                                                                                            \
            fail_msg("%s: %s", #x, problem.text);                                                                \
    } while (0)

static void write_all(int format, int fd, int64_t rows)
{
    struct document *d = NULL;
    struct document_options o = {.format = format, .title = STR("Größe & <Maß>"), .made = instant_s(1795465874),
                                 .fd = fd};
    static const struct document_column columns[] = {
        {STR_INIT("name"), STR_INIT("Name"), DOCUMENT_TEXT, 0},
        {STR_INIT("n"), STR_INIT("N"), DOCUMENT_INTEGER, 0},
        {STR_INIT("f"), STR_INIT("F"), DOCUMENT_NUMBER, 0},
        {STR_INIT("at"), STR_INIT("At"), DOCUMENT_INSTANT, 0},
        {STR_INIT("ok"), STR_INIT("Ok"), DOCUMENT_BOOLEAN, 0},
    };
    const struct str labels[] = {STR("a"), STR("b"), STR("c")};
    const double values[] = {1, 0, 7};
    const struct document_series series[] = {{STR("good"), values}, {STR("bad"), values}};
    OK(document_begin(&o, &d, &problem));
    OK(document_heading(d, STR("First"), &problem));
    OK(document_paragraph(d, STR("Words, \"quoted\" <b>and</b> more\nthan one line."), &problem));
    OK(document_table(d, STR("T[1]"), columns, 5, &problem));
    static const struct str nasty[] = {STR_INIT("=1+1"), STR_INIT("a,\"b\"\r\nc"), STR_INIT("\xff\x01z"),
                                       STR_INIT("<i>&'"), STR_INIT("日本語 العربية")};
    for (int64_t i = 0; i < rows; i++) {
        struct document_cell cells[] = {{.kind = DOCUMENT_TEXT, .text = nasty[i % 5]},
                                        {.kind = DOCUMENT_INTEGER, .i = i},
                                        {.kind = i % 2 ? DOCUMENT_NUMBER : DOCUMENT_NONE, .f = 0.5},
                                        {.kind = DOCUMENT_INSTANT, .i = 1795465874 * US_PER_S},
                                        {.kind = DOCUMENT_BOOLEAN, .i = 1}};
        OK(document_row(d, cells, &problem));
    }
    OK(document_table_end(d, &problem));
    OK(document_chart(d, &(struct document_chart){STR("Chart"), labels, 3, series, 2, false}, &problem));
    OK(document_chart(d, &(struct document_chart){STR("Chart"), labels, 3, series, 1, true}, &problem));
    OK(document_table(d, STR("T[1]"), columns, 1, &problem));
    OK(document_table_end(d, &problem));
    OK(document_end(d, &problem));
    document_free(d);
}

static void csv_is_one_table_and_no_formula(void **state)
{
    (void)state;
    int fd = memfd_create("csv", MFD_CLOEXEC);
    write_all(DOCUMENT_CSV, fd, 5);
    assert_string_equal(content(fd).p, "Name,N,F,At,Ok\r\n"
                                       "'=1+1,0,,2026-11-23 20:31:14,true\r\n"
                                       "\"a,\"\"b\"\"\r\nc\",1,0.5,2026-11-23 20:31:14,true\r\n"
                                       "\xEF\xBF\xBD\xEF\xBF\xBDz,2,,2026-11-23 20:31:14,true\r\n"
                                       "<i>&',3,0.5,2026-11-23 20:31:14,true\r\n"
                                       "日本語 العربية,4,,2026-11-23 20:31:14,true\r\n");
    close(fd);
}

static void json_reads_back(void **state)
{
    (void)state;
    json_t *v CLEANUP_JSON = NULL;
    int fd = memfd_create("json", MFD_CLOEXEC);
    write_all(DOCUMENT_JSON, fd, 3);
    OK(json_parse(content(fd), &v, &problem));
    json_t *parts = json_object_get(v, "content");
    assert_int_equal(json_array_size(parts), 6);
    json_t *rows = json_object_get(json_array_get(parts, 2), "rows");
    assert_int_equal(json_array_size(rows), 3);
    assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "name")), "=1+1");
    assert_true(json_is_null(json_object_get(json_array_get(rows, 0), "f")));
    assert_int_equal(json_integer_value(json_object_get(json_array_get(rows, 2), "n")), 2);
    close(fd);
}

static void html_escapes_everything(void **state)
{
    (void)state;
    int fd = memfd_create("html", MFD_CLOEXEC);
    write_all(DOCUMENT_HTML, fd, 5);
    struct str s = content(fd);
    assert_null(strstr(s.p, "<b>"));
    assert_null(strstr(s.p, "<i>"));
    assert_non_null(strstr(s.p, "&lt;i&gt;&amp;&#39;"));
    assert_non_null(strstr(s.p, "Größe &amp; &lt;Maß&gt;"));
    assert_non_null(strstr(s.p, "<svg"));
    assert_non_null(strstr(s.p, "</html>"));
    close(fd);
}

static void pdf_and_spreadsheet_are_files_of_their_kind(void **state)
{
    (void)state;
    int fd = memfd_create("pdf", MFD_CLOEXEC);
    write_all(DOCUMENT_PDF, fd, 200);
    struct str s = content(fd);
    assert_true(str_starts(s, STR("%PDF-")));
    assert_true(str_ends(str_trim(s), STR("%%EOF")));
    close(fd);
    fd = memfd_create("xlsx", MFD_CLOEXEC);
    write_all(DOCUMENT_EXCEL, fd, 200);
    s = content(fd);
    assert_true(str_starts(s, STR("PK\x03\x04")));
    assert_true(lseek(fd, 0, SEEK_END) > 1000);
    close(fd);
}

static void a_document_may_be_left_in_the_middle(void **state)
{
    (void)state;
    for (int format = 0; document_format_names[format]; format++) {
        struct document *d = NULL;
        int fd = memfd_create("x", MFD_CLOEXEC);
        struct document_options o = {.format = format, .title = STR("t"), .made = instant_s(0), .fd = fd};
        const struct document_column c = {STR("a"), STR("A"), DOCUMENT_TEXT, 0};
        OK(document_begin(&o, &d, &problem));
        OK(document_table(d, STR("t"), &c, 1, &problem));
        document_free(d);
        close(fd);
    }
}

static void a_full_disk_is_told(void **state)
{
    (void)state;
    struct document *d = NULL;
    FILE *full = fopen("/dev/full", "r+");
    if (!full)
        skip(); // no such device here
    struct document_options o = {.format = DOCUMENT_HTML, .title = STR("t"), .made = instant_s(0), .fd = fileno(full)};
    OK(document_begin(&o, &d, &problem));
    assert_false(document_end(d, &problem));
    assert_int_equal(problem.code, ERR_FULL);
    document_free(d);
    (void)fclose(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(csv_is_one_table_and_no_formula, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_reads_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(html_escapes_everything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pdf_and_spreadsheet_are_files_of_their_kind, set_up, tear_down),
        cmocka_unit_test(a_document_may_be_left_in_the_middle),
        cmocka_unit_test(a_full_disk_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
