// SPDX-License-Identifier: Apache-2.0
// Untrusted text: its width in cells, and its harmless form.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/output.h"

enum { ARENA_BYTES = 1 << 20 };

static void widths_count_cells(void **state)
{
    (void)state;
    static const struct { const char *text; size_t width; } rows[] = {
        {"", 0}, {"hello", 5}, {"é", 1}, {"e\xcc\x81", 1}, {"日本", 4}, {"🎉", 2}, {"a\xff", 2}, {"한국", 4}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(text_width(str_of(rows[i].text)), rows[i].width);
}

static void control_characters_become_visible(void **state)
{
    (void)state;
    static const struct { const char *text, *safe; } rows[] = {
        {"plain\ttext", "plain\ttext"}, {"\x1b[31m", "␛[31m"}, {"a\nb\r", "a␊b␍"}, {"\x7f", "␡"},
        {"\xc2\x9b", "\\u{9b}"}, {"x\xe2\x80\xaey", "x\\u{202e}y"}, {"\xff!", "\xef\xbf\xbd!"}, {"日本", "日本"}};
    struct arena a;
    arena_init(&a, ARENA_BYTES);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct str out = text_printable(str_of(rows[i].text), &a);
        assert_true(str_is(out, rows[i].safe));
        assert_true(str_utf8_valid(out));
    }
    arena_release(&a);
}

static void every_byte_gives_valid_text_without_control_characters(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, ARENA_BYTES);
    for (int hi = 0; hi < 256; hi++) {
        for (int lo = 0; lo < 256; lo++) {
            char pair[2] = {(char)hi, (char)lo};
            struct str out = text_printable((struct str){pair, 2}, &a);
            assert_true(str_utf8_valid(out));
            for (size_t i = 0; i < out.n; i++)
                assert_true((unsigned char)out.p[i] >= ' ' || out.p[i] == '\t');
        }
        arena_reset(&a);
    }
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(widths_count_cells),
        cmocka_unit_test(control_characters_become_visible),
        cmocka_unit_test(every_byte_gives_valid_text_without_control_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
