// SPDX-License-Identifier: Apache-2.0
// Every language once, with what means something in it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/escape.h"

static void texts_stay_texts(void **state)
{
    (void)state;
    static const struct {
        enum escape how;
        const char *text, *want;
    } cases[] = {
        {ESCAPE_NONE, "<a & \"b\">", "<a & \"b\">"},
        {ESCAPE_HTML, "<a href='x'>&\"", "&lt;a href=&#39;x&#39;&gt;&amp;&quot;"},
        {ESCAPE_HTML, "", ""},
        {ESCAPE_JSON, "a\"b\\\n\x01", "a\\\"b\\\\\\n\\u0001"},
        {ESCAPE_JSON, "", ""},
        {ESCAPE_MRKDWN, "<!channel> & \"x\" *b*", "&lt;!channel&gt; &amp; \"x\" *b*"},
        {ESCAPE_MARKDOWN, "*b* _i_ `c` [l](u) <@1> #h |s| ~d~ \\",
         "\\*b\\* \\_i\\_ \\`c\\` \\[l\\](u) \\<@1\\> \\#h \\|s\\| \\~d\\~ \\\\"},
        {ESCAPE_MARKDOWN, "- a-b\n  + c", "\\- a-b\n  \\+ c"},
        {ESCAPE_URL, "a b/c&d", "a%20b%2Fc%26d"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sbuf out;
        sbuf_init(&out, NULL, 4096);
        sbuf_puts(&out, "[");
        escape_put(&out, cases[i].how, str_of(cases[i].text));
        sbuf_puts(&out, "]");
        assert_int_equal(out.n, strlen(cases[i].want) + 2);
        assert_memory_equal(out.p + 1, cases[i].want, out.n - 2);
        sbuf_release(&out);
    }
}

static void a_full_buffer_stays_whole(void **state)
{
    (void)state;
    struct sbuf out;
    sbuf_init(&out, NULL, 4);
    escape_put(&out, ESCAPE_JSON, STR("12345"));
    assert_false(sbuf_ok(&out));
    sbuf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_stay_texts),
        cmocka_unit_test(a_full_buffer_stays_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
