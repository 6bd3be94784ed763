// SPDX-License-Identifier: Apache-2.0
// Unit tests of base/yaml.h: the writing half.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/yaml.h"

#include "base/rng.h"

static void writing_is_block_style_with_few_quotes(void **state)
{
    (void)state;
    struct err err = {0};
    struct sbuf b;
    CLEANUP_JSON json_t *v = NULL;
    assert_true(json_parse(STR("{\"name\":\"night backup\",\"cron\":\"*/5 * * * *\",\"on\":\"yes\",\"n\":5,"
                               "\"text\":\"5\","
                               "\"script\":\"set -e\\n\\n  echo hi\\n\",\"none\":null,\"tags\":[\"a\","
                               "[1,[]]],"
                               "\"list\":[{\"x\":1,\"y\":{\"z\":true}}],"
                               "\"map\":{},\"\":\"\",\"a: b\":\"# c\"}"),
                           &v, &err));
    sbuf_init(&b, NULL, 1 << 16);
    yaml_write(v, &b);
    assert_string_equal(b.p, "name: night backup\n"
                             "cron: \"*/5 * * * *\"\n"
                             "on: yes\n"
                             "n: 5\n"
                             "text: \"5\"\n"
                             "script: |\n"
                             "  set -e\n"
                             "\n"
                             "    echo hi\n"
                             "none: null\n"
                             "tags:\n"
                             "  - a\n"
                             "  - - 1\n"
                             "    - []\n"
                             "list:\n"
                             "  - x: 1\n"
                             "    y:\n"
                             "      z: true\n"
                             "map: {}\n"
                             "\"\": \"\"\n"
                             "\"a: b\": \"# c\"\n");
    sbuf_release(&b);
}

// Text made of the pieces that YAML treats specially.
static struct str odd_text(struct rng *rng, struct arena *a)
{
    static const char *const pieces[] = {
        "a", "b ", " ", "\n", "\n", ": ", " #", "-", "- ", "?", "*", "&", "!", "|", ">", "'",
        "\"", "%", "@", "`",
        "{", "}", "[", "]", ",", "5", ".", "e", "true", "null", "~", "0x", "\t", "\r", "\x7F", "\\",
        "\xC2\x85", "\xE2\x80\xA8",
        "\xEF\xBB\xBF", "\xF0\x9F\x98\x80", "\x01", "---", "...", "<<", "=", ":",
    };
    struct sbuf b;
    sbuf_init(&b, a, 1 << 12);
    sbuf_puts(&b, "");
    for (uint64_t n = rng_below(rng, 7); n > 0; n--)
        sbuf_puts(&b, pieces[rng_below(rng, sizeof pieces / sizeof pieces[0])]);
    if (rng_below(rng, 50) == 0) // longer than libyaml looks for the end of a key
        for (int i = 0; i < 1200; i++)
            sbuf_putc(&b, 'k');
    return sbuf_str(&b);
}

static json_t *odd_value(struct rng *rng, struct arena *a, int depth)
{
    uint64_t kind = rng_below(rng, depth > 3 ? 6 : 9);
    if (kind < 3) {
        struct str s = odd_text(rng, a);
        return json_stringn(s.p, s.n);
    }
    if (kind == 3)
        return json_integer((json_int_t)rng_u64(rng));
    if (kind == 4)
        return json_real((rng_unit(rng) - 0.5) * (double)rng_below(rng, 1u << 30));
    if (kind == 5)
        return rng_below(rng, 2) ? json_null() : json_boolean(rng_below(rng, 2));
    json_t *v = kind == 6 ? json_array() : json_object();
    for (uint64_t n = rng_below(rng, 4); n > 0; n--) {
        json_t *member = odd_value(rng, a, depth + 1);
        int rc = kind == 6 ? json_array_append_new(v, member)
                           : json_object_set_new(v, arena_cstr(a, odd_text(rng, a)), member);
        assert_int_equal(rc, 0);
    }
    return v;
}

static void whatever_is_written_reads_back_equal(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 51);
    for (int i = 0; i < 20000; i++) {
        struct arena a;
        struct sbuf b;
        struct err err = {0};
        arena_init(&a, 4 << 20);
        sbuf_init(&b, &a, 1 << 20);
        CLEANUP_JSON json_t *v = odd_value(&rng, &a, 0);
        CLEANUP_JSON json_t *back = NULL;
        yaml_write(v, &b);
        if (!yaml_parse(sbuf_str(&b), &back, &err))
            fail_msg("case %d: %s in\n%s", i, err.text, b.p);
        if (!json_equal(v, back))
            fail_msg("case %d differs:\n%s", i, b.p);
        arena_release(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writing_is_block_style_with_few_quotes),
        cmocka_unit_test(whatever_is_written_reads_back_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
