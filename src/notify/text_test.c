// SPDX-License-Identifier: Apache-2.0
// Cleaning, cutting at every border, escaped lengths, code blocks that cannot be left, local times.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "notify/text.h"

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 64 * 1024 * 1024);
    return 0;
}
static int tear_down(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static void expect(struct str got, const char *want)
{
    if (got.n != strlen(want) || memcmp(got.p, want, got.n) != 0)
        fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(got), want);
}

static void texts_are_cleaned(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"", ""},
        {"plain \t text\n", "plain \t text\n"},
        {"a\r\nb\rc", "a\nb\nc"},
        {"\x1b[1;31mred\x1b[0m \x1b]x \x1b", "red ]x "},
        {"nul-free \x01\x02\x7f bell\x07", "nul-free  bell"},
        {"\xff\xfe caf\xc3", "\xef\xbf\xbd\xef\xbf\xbd caf\xef\xbf\xbd"},
        {"\xe2\x80\xaegnp.exe \xc2\x85 \xe2\x80\xa8line", "gnp.exe  \nline"},
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect(text_head(str_of(cases[i].text), 1000, &arena), cases[i].want);
    assert_null(text_head(STR_NONE, 10, &arena).p);
    assert_null(text_line(STR_NONE, 10, &arena).p);
    expect(text_head((struct str){"a\0b", 3}, 10, &arena), "ab");
    expect(text_line(STR(" one\ntwo\t"), 100, &arena), "one two");
}

static void emoji_are_not_cut(void **state)
{
    (void)state;
    struct str faces = STR("\U0001f600\U0001f600\U0001f600"); // two units each
    assert_int_equal(text_units(faces), 6);
    expect(text_head(faces, 6, &arena), "\U0001f600\U0001f600\U0001f600");
    expect(text_head(faces, 5, &arena), "\U0001f600\U0001f600…");
    expect(text_head(faces, 4, &arena), "\U0001f600…");
    expect(text_head(faces, 1, &arena), "…");
    expect(text_head(faces, 0, &arena), "");
    expect(text_tail(faces, 9, 5, &arena), "…\U0001f600\U0001f600");
    expect(text_tail(faces, 9, 4, &arena), "…\U0001f600");
    expect(text_tail(faces, 9, 0, &arena), "");
}

static void the_last_lines_are_kept(void **state)
{
    (void)state;
    struct str log = STR("one\ntwo\r\nthree\n\n");
    expect(text_tail(log, 2, 100, &arena), "two\nthree");
    expect(text_tail(log, 9, 100, &arena), "one\ntwo\nthree");
    expect(text_tail(log, 9, 6, &arena), "…three");
    expect(text_tail(STR("\n\n"), 2, 10, &arena), "");
}

static void every_length_holds(void **state)
{
    (void)state;
    static const struct str texts[] = {STR_INIT("<<<<&&&&>>>>\"'\"'"), STR_INIT("```````"),
                                       STR_INIT("\U0001f600<\U0001f600\xff&*_`"), STR_INIT("plain text")};
    static const enum escape hows[] = {ESCAPE_NONE,   ESCAPE_HTML,     ESCAPE_JSON,
                                       ESCAPE_MRKDWN, ESCAPE_MARKDOWN, ESCAPE_URL};
    for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++)
        for (size_t h = 0; h < sizeof hows / sizeof hows[0]; h++)
            for (size_t units = 0; units < 40; units++)
                for (int keep = 0; keep < 2; keep++) {
                    struct str plain = text_head(texts[t], 1000, &arena);
                    struct str s = text_fit(plain, (enum text_end)keep, hows[h], units, &arena);
                    assert_true(text_units(s) <= units);
                    assert_true(str_utf8_valid(s));
                    s = text_code(plain, (enum text_end)keep, hows[h], units, &arena);
                    assert_true(text_units(s) <= (units > 8 ? units : 8));
                    assert_true(str_starts(s, STR("```\n")) && str_ends(s, STR("\n```")));
                    assert_false(str_contains((struct str){s.p + 4, s.n - 8}, STR("```")));
                }
    expect(text_fit(STR("a<b"), TEXT_HEAD, ESCAPE_HTML, 100, &arena), "a&lt;b");
}

static void megabytes_cost_what_is_shown(void **state)
{
    (void)state;
    struct sbuf big;
    sbuf_init(&big, NULL, 4 * 1024 * 1024);
    for (int i = 0; i < 20000; i++)
        sbuf_fmt(&big, "line %d \x1b[31m<b>\xf0\x9f\x98\x80</b>\xff ```\n", i);
    size_t before = arena.used;
    struct str s = text_tail(sbuf_str(&big), 20, 2500, &arena);
    assert_true(str_contains(s, STR("line 19999 <b>")) && text_units(s) <= 2500);
    assert_true(arena.used - before < 100 * 1024);
    sbuf_release(&big);
}

static void times_are_told_by_the_zone(void **state)
{
    (void)state;
    struct zones *zones = zones_new(NULL);
    struct sbuf b;
    sbuf_init(&b, &arena, 200);
    text_time(&b, zones, STR("Europe/Berlin"), instant_s(1795397400));
    text_time(&b, zones, STR("No/Where"), instant_s(1795397400));
    text_time(&b, NULL, STR("Europe/Berlin"), instant_s(1795397400));
    expect(sbuf_str(&b), "2026-11-23 02:30:00 CET2026-11-23 01:30:00 UTC2026-11-23 01:30:00 UTC");
    zones_free(zones);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_cleaned),
        cmocka_unit_test(emoji_are_not_cut),
        cmocka_unit_test(the_last_lines_are_kept),
        cmocka_unit_test(every_length_holds),
        cmocka_unit_test(megabytes_cost_what_is_shown),
        cmocka_unit_test(times_are_told_by_the_zone),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
