// SPDX-License-Identifier: Apache-2.0
// Output of programs becomes lines, however it is cut into chunks.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "jobs/script_output.h"

enum { TEXT_MAX = 1 << 20 };

static void on_line(void *ctx, struct str line)
{
    sbuf_put(ctx, line);
    sbuf_putc(ctx, '|');
}

// Feeds the text in chunks of n bytes and compares the lines.
static void expect(const char *text, size_t length, size_t n, const char *lines)
{
    struct script_output o;
    struct sbuf got;
    sbuf_init(&got, NULL, TEXT_MAX);
    script_output_init(&o, on_line, &got);
    for (size_t i = 0; i < length; i += n)
        script_output_feed(&o, (struct str){text + i, length - i < n ? length - i : n});
    script_output_end(&o);
    if (!str_is(sbuf_str(&got), lines))
        fail_msg("chunks of %zu: \"%s\" gives \"%s\"", n, text, got.p);
    sbuf_release(&got);
}

static void lines_do_not_depend_on_chunks(void **state)
{
    (void)state;
    static const struct { const char *text, *lines; } cases[] = {
        {"", ""},
        {"a", "a|"},
        {"a\n", "a|"},
        {"a\nb", "a|b|"},
        {"\n\n", "||"},
        {"a\r\nb\r\n", "a|b|"},
        {"10%\r50%\r100%\n", "100%|"},
        {"10%\r50%\r", "50%|"},
        {"a\r\r\nb\n", "a|b|"},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\n", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80|"},
        {"a\xff" "b\n", "a\xef\xbf\xbd" "b|"},
        {"\xc3\n\xa4\n", "\xef\xbf\xbd|\xef\xbf\xbd|"},
        {"\xed\xa0\x80\n", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|"},
        {"\x1b[31mred\x1b[0m\t.\n", "\x1b[31mred\x1b[0m\t.|"}, // what shows a line escapes it
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t n = 1; n < 8; n++)
            expect(cases[i].text, strlen(cases[i].text), n, cases[i].lines);
    expect("a\0b\n", 4, 4, "a\xef\xbf\xbd" "b|");
}

static void count_line(void *ctx, struct str line)
{
    size_t *v = ctx;
    v[0] += line.n;
    v[1]++;
    if (line.n > SCRIPT_LINE_MAX || !str_utf8_valid(line))
        v[2]++;
}

static void endless_lines_come_in_whole_pieces(void **state)
{
    (void)state;
    enum { COPIES = 50000 };
    char *text = mem_array(COPIES, 3);
    for (size_t i = 0; i < COPIES; i++)
        memcpy(text + i * 3, "\xe2\x82\xac", 3); // three bytes: does not divide SCRIPT_LINE_MAX
    for (size_t n = 1; n < 70000; n = n * 3 + 1) {
        struct script_output o;
        size_t counts[3] = {0};
        script_output_init(&o, count_line, counts);
        for (size_t i = 0; i < (size_t)COPIES * 3; i += n)
            script_output_feed(&o, (struct str){text + i,
                                                (size_t)COPIES * 3 - i < n ? (size_t)COPIES * 3 - i : n});
        script_output_end(&o);
        assert_int_equal(counts[0], COPIES * 3);
        assert_int_equal(counts[1], COPIES * 3 / (SCRIPT_LINE_MAX - 1) + 1);
        assert_int_equal(counts[2], 0);
    }
    mem_free(text);
}

static void any_bytes_become_text(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 7);
    for (int round = 0; round < 2000; round++) {
        char bytes[300];
        size_t counts[3] = {0};
        struct script_output o;
        script_output_init(&o, count_line, counts);
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (char)(rng_below(&rng, 4) ? rng_below(&rng, 256) : '\n');
        size_t cut = rng_below(&rng, sizeof bytes);
        script_output_feed(&o, (struct str){bytes, cut});
        script_output_feed(&o, (struct str){bytes + cut, sizeof bytes - cut});
        script_output_end(&o);
        assert_int_equal(counts[2], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_do_not_depend_on_chunks),
        cmocka_unit_test(endless_lines_come_in_whole_pieces),
        cmocka_unit_test(any_bytes_become_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
