// SPDX-License-Identifier: Apache-2.0
// Places, filters, sections, escaping; faults with their position; bounds.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mustache.h"

static const char data[] =
    "{\"name\":\"Ann "
    "<b>&\\\"x'\",\"n\":7,\"deep\":{\"list\":[\"a\",{\"b\":true}],\"n\":8},\"evil\":\"{{n}}\","
    "\"gone\":null,\"url\":\"a "
    "b&c\",\"empty\":\"\",\"no\":false,\"none\":[],\"tags\":[\"x\",\"y\"],\"ms\":7384000,"
    "\"people\":[{\"name\":\"Bo\"},{\"name\":\"Cy\"}],\"log\":\"one\\ntwo\\nthree\\n\",\"wide\":"
    "\"\\u00e9\\ud83d\\ude00x\"}";

static bool shout(void *ctx, struct str argument, struct str value, struct sbuf *out, struct err *err)
{
    if (!argument.p)
        return ERR(err, ERR_INVALID, "the filter shout wants a word");
    sbuf_fmt(out, "%s%.*s%.*s", (const char *)ctx, STR_ARG(value), STR_ARG(argument));
    return true;
}

static const struct mustache_filter more[] = {{"shout", "shout:WORD", shout}, {NULL, NULL, NULL}};

struct one {
    const char *text;
    struct mustache m;
    const char *want, *fault;
};

static void run(const struct one *cases, size_t n)
{
    struct arena a;
    struct err err;
    json_t *values CLEANUP_JSON = NULL;
    assert_true(json_parse(str_of(data), &values, &err));
    arena_init(&a, 1024 * 1024);
    for (size_t i = 0; i < n; i++) {
        struct sbuf out;
        struct mustache m = cases[i].m;
        m.values = values;
        m.more = more;
        m.ctx = "!";
        sbuf_init(&out, &a, 4096);
        bool ok = mustache_expand(&m, str_of(cases[i].text), &out, &err);
        if (ok != (cases[i].want != NULL))
            fail_msg("%s: %s", cases[i].text, ok ? "was taken" : err.text);
        if (ok)
            assert_string_equal(out.n ? out.p : "", cases[i].want);
        else if (!strstr(err.text, cases[i].fault))
            fail_msg("%s: %s", cases[i].text, err.text);
    }
    arena_release(&a);
}
#define RUN(cases) run(cases, sizeof(cases) / sizeof(cases)[0])

static void places_are_replaced(void **state)
{
    (void)state;
    static const struct mustache plain = {.strict = true, .raw = true}, loose = {.raw = false},
                                 html = {.escape = ESCAPE_HTML, .strict = true, .raw = true},
                                 json = {.escape = ESCAPE_JSON};
    const struct one cases[] = {
        {"none", plain, "none", NULL},
        {"{{n}} {{ n }}{{n}}", plain, "7 77", NULL},
        {"{{name}}", plain, "Ann <b>&\"x'", NULL},
        {"{{name}}", html, "Ann &lt;b&gt;&amp;&quot;x&#39;", NULL},
        {"{{name|raw}} {{{name}}} {{& name}}", html, "Ann <b>&\"x' Ann <b>&\"x' Ann <b>&\"x'", NULL},
        {"{{deep.list.0}} {{deep.list.1.b}} {{deep.list}}", plain, "a true [\"a\",{\"b\":true}]", NULL},
        {"{{evil}}", plain, "{{n}}", NULL},
        {"\\{{n}}", plain, "{{n}}", NULL},
        {"a{{! not shown }}b", plain, "ab", NULL},
        {"{{name|upper|cut:5}}|{{name|lower}}", plain, "ANN <|ann <b>&\"x'", NULL},
        {"{{url|url}}", plain, "a%20b%26c", NULL},
        {"{{url|json}}{{n|json}}", plain, "\"a b&c\"7", NULL},
        {"{{x|default:no <x>}}", html, "no &lt;x&gt;", NULL},
        {"{{gone|default:}}.", plain, ".", NULL},
        {"{{empty|default:x}}.", plain, ".", NULL},
        {"[{{x}}{{gone|upper|dur}}]", loose, "[]", NULL},
        {"{\"a\":\"{{name}}\",\"b\":{{name|json}},\"c\":{{gone|json}},\"d\":{{ms|dur|json}},\"e\":{{n|json}}"
         "}",
         json, "{\"a\":\"Ann <b>&\\\"x'\",\"b\":\"Ann <b>&\\\"x'\",\"c\":null,\"d\":\"2 h 3 min\",\"e\":7}",
         NULL},
        {"{{name|json|cut:6}}", json, "\\\"Ann <", NULL},
        {"{{n|shout:?}}", loose, "!7?", NULL},
        {"{{ms|dur}}", loose, "2 h 3 min", NULL},
        {"{{log|lines:2}}|{{log|lines:0}}|{{log|lines:9}}", loose, "two\nthree\n||one\ntwo\nthree\n", NULL},
        {"{{log|oneline}}", loose, "one two three", NULL},
        {"{{wide|trunc:2}} {{wide|trunc:3}} {{wide|trunc:1}} {{wide|trunc:0}}", loose,
         "\u00e9… \u00e9\U0001f600x … ", NULL},
    };
    RUN(cases);
}

static void sections_are_walked(void **state)
{
    (void)state;
    static const struct mustache plain = {.strict = true};
    const struct one cases[] = {
        {"{{#tags}}<{{.}}>{{/tags}}", plain, "<x><y>", NULL},
        {"{{#people}}{{name}} {{n}};{{/people}}", plain, "Bo 7;Cy 7;", NULL},
        {"{{#people}}{{#name}}{{.}}{{/name}}{{/people}}", plain, "BoCy", NULL},
        {"{{#deep}}{{n}}{{list.0}}{{/deep}}{{n}}", plain, "8a7", NULL},
        {"{{#n}}yes{{/n}}{{^n}}no{{/n}}", plain, "yes", NULL},
        {"{{#gone}}a{{/gone}}{{#no}}b{{/no}}{{#none}}c{{/none}}{{#empty}}d{{/empty}}{{#x}}{{y}}{{/x}}", plain,
         "", NULL},
        {"{{^gone}}a{{/gone}}{{^no}}b{{/no}}{{^none}}c{{/none}}{{^empty}}d{{/empty}}{{^x}}e{{/x}}", plain,
         "abcde", NULL},
        {"{{#tags}}{{#tags}}{{.}}{{/tags}}{{/tags}}", plain, "xyxy", NULL},
        {"list:\n{{#tags}}\n  - {{.}}\n{{/tags}}\nend\n", plain, "list:\n  - x\n  - y\nend\n", NULL},
        {"a\n  {{! alone }}  \r\nb", plain, "a\nb", NULL},
        {"{{#tags}}", plain, NULL, "line 1, column 1: the section \"tags\" is not closed"},
        {"a\n {{/tags}}", plain, NULL, "line 2, column 2: \"tags\" is closed, but not open"},
        {"{{#tags}}{{/n}}", plain, NULL, "line 1, column 10: \"n\" is closed here, but \"tags\" is open"},
        {"{{> part}}", plain, NULL, "partials"},
        {"{{=<% %>=}}", plain, NULL, "delimiters"},
        {"{{}}", plain, NULL, "empty"},
    };
    RUN(cases);
}

static void faults_say_where(void **state)
{
    (void)state;
    static const struct mustache strict = {.strict = true}, check = {.check = true};
    const struct one cases[] = {
        {"a {{x}}", strict, NULL, "line 1, column 3: \"x\" is not given"},
        {"{{gone}}", strict, NULL, "\"gone\""},
        {"{{deep.list.9}}", strict, NULL, "deep.list.9"},
        {"\u00e9\n\u00e9 {{n|whisper}}", strict, NULL, "line 2, column 3: there is no filter \"whisper\""},
        {"{{n|whisper}}", strict, NULL, "shout:WORD"},
        {"{{n|raw}}", strict, NULL, "\"raw\""},
        {"{{{n}}}", strict, NULL, "always escaped"},
        {"{{n|shout}}", strict, NULL, "wants a word"},
        {"{{n|trunc:x}}", strict, NULL, "trunc:x"},
        {"{{name|dur}}", strict, NULL, "milliseconds"},
        {"{{n|upper|upper|upper|upper|upper|upper|upper|upper|upper}}", strict, NULL, "more than 8"},
        {"{{n", strict, NULL, "no \"}}\""},
        {"{{deep.m}}", check, NULL, "line 1, column 1: there is no \"deep.m\"; did you mean \"deep.n\"?"},
        {"{{#people}}{{nam}}{{/people}}", check, NULL, "\"nam\"; did you mean \"name\"?"},
        {"{{^n}}{{nn}}{{/n}}", check, NULL, "\"nn\""},
        {"{{#no}}{{nn}}{{/no}}", check, NULL, "\"nn\""},
        {"{{#nothing}}{{/nothing}}", check, NULL, "there is no \"nothing\""},
        {"{{#tags}}{{#tags}}{{#tags}}{{#tags}}{{#tags}}{{#tags}}{{#tags}}{{#tags}}{{#tags}}", strict, NULL,
         "not closed"},
        {"{{^x}}{{^x}}{{^x}}{{^x}}{{^x}}{{^x}}{{^x}}{{^x}}{{^x}}{{/x}}{{/x}}{{/x}}{{/x}}{{/x}}{{/x}}{{/x}}{{/"
         "x}}{{/x}}",
         strict, NULL, "more than 8 deep"},
    };
    RUN(cases);
}

static void work_is_bounded(void **state)
{
    (void)state;
    struct sbuf text, out;
    struct err err;
    json_t *values CLEANUP_JSON = json_object(), *list = json_array();
    for (int i = 0; i < 100; i++)
        (void)json_array_append_new(list, json_integer(i));
    (void)json_object_set_new(values, "l", list);
    sbuf_init(&text, NULL, 65536);
    sbuf_init(&out, NULL, 65536);
    for (int i = 0; i < MUSTACHE_DEPTH_MAX; i++)
        sbuf_puts(&text, "{{#l}}");
    for (int i = 0; i < MUSTACHE_DEPTH_MAX; i++)
        sbuf_puts(&text, "{{/l}}");
    const struct mustache m = {.values = values};
    assert_false(mustache_expand(&m, sbuf_str(&text), &out, &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
    sbuf_release(&out);
    sbuf_init(&out, NULL, 8);
    assert_false(mustache_expand(&m, STR("0123456789"), &out, &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
    assert_false(mustache_expand(&m, STR("{{#l}}{{.}}{{/l}}"), &out, &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
    sbuf_release(&out);
    sbuf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_replaced),
        cmocka_unit_test(sections_are_walked),
        cmocka_unit_test(faults_say_where),
        cmocka_unit_test(work_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
