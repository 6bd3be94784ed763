// SPDX-License-Identifier: Apache-2.0
// Places, filters, escaping; files before built-in templates.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "base/file.h"
#include "jobs/mail_template.h"

static const char data[] = "{\"name\":\"Ann <b>&\\\"x'\",\"n\":7,\"deep\":{\"list\":[\"a\",{\"b\":true}]},\"evil\":"
                           "\"{{n}}\",\"gone\":null,\"url\":\"a b&c\"}";

static void places_are_replaced(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool html;
        const char *want, *fault;
    } cases[] = {
        {"none", false, "none", NULL},
        {"{{n}} {{ n }}{{n}}", false, "7 77", NULL},
        {"{{name}}", false, "Ann <b>&\"x'", NULL},
        {"{{name}}", true, "Ann &lt;b&gt;&amp;&quot;x&#39;", NULL},
        {"{{name|raw}}", true, "Ann <b>&\"x'", NULL},
        {"{{deep.list.0}} {{deep.list.1.b}} {{deep.list}}", false, "a true [\"a\",{\"b\":true}]", NULL},
        {"{{evil}}", false, "{{n}}", NULL},
        {"\\{{n}}", false, "{{n}}", NULL},
        {"{{name|upper|cut:5}}|{{name|lower}}", false, "ANN <|ann <b>&\"x'", NULL},
        {"{{url|url}}", false, "a%20b%26c", NULL},
        {"{{url|json}}{{n|json}}", false, "\"a b&c\"7", NULL},
        {"{{x|default:no <x>}}", true, "no &lt;x&gt;", NULL},
        {"{{gone|default:}}.", false, ".", NULL},
        {"a {{x}}", false, NULL, "\"x\""},
        {"{{gone}}", false, NULL, "\"gone\""},
        {"{{deep.list.9}}", false, NULL, "deep.list.9"},
        {"{{n|shout}}", false, NULL, "shout"},
        {"{{n", false, NULL, "no \"}}\""},
    };
    struct arena a;
    struct err err;
    json_t *values CLEANUP_JSON = NULL;
    assert_true(json_parse(str_of(data), &values, &err));
    arena_init(&a, 1024 * 1024);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sbuf out;
        sbuf_init(&out, &a, 4096);
        bool ok = mail_template_expand(str_of(cases[i].text), values, cases[i].html, &out, &err);
        if (ok != (cases[i].want != NULL))
            fail_msg("%s: %s", cases[i].text, ok ? "was taken" : err.text);
        if (ok)
            assert_string_equal(out.n ? out.p : "", cases[i].want);
        else
            assert_non_null(strstr(err.text, cases[i].fault));
    }
    arena_release(&a);
}

static void too_much_is_refused(void **state)
{
    (void)state;
    struct sbuf out;
    struct err err;
    sbuf_init(&out, NULL, 8);
    assert_false(mail_template_expand(STR("0123456789"), NULL, false, &out, &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
    sbuf_release(&out);
}

static void files_come_before_built_in_ones(void **state)
{
    (void)state;
    char folder[] = "/tmp/mail_template_XXXXXX", path[64];
    struct arena a;
    struct err err;
    struct mail_template t;
    arena_init(&a, 1024 * 1024);
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/templates", folder);
    assert_true(dir_make(path, 0700, &err));
    assert_true(mail_template_load(STR("plain"), str_of(folder), &t, &a, &err));
    assert_true(t.html.n > 0 && t.subject.n > 0);
    (void)snprintf(path, sizeof path, "%s/templates/plain.txt", folder);
    assert_true(file_write(path, STR("mine"), 0600, &err));
    assert_true(mail_template_load(STR("plain"), str_of(folder), &t, &a, &err));
    assert_true(str_is(t.text, "mine") && !t.html.p && !t.subject.p);
    assert_false(mail_template_load(STR("other"), str_of(folder), &t, &a, &err));
    assert_non_null(strstr(err.text, "other.txt"));
    assert_false(mail_template_load(STR("../plain"), str_of(folder), &t, &a, &err));
    assert_true(mail_template_load(STR("report-ready"), STR_NONE, &t, &a, &err));
    unlink(path);
    (void)snprintf(path, sizeof path, "%s/templates", folder);
    rmdir(path);
    rmdir(folder);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_replaced),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(files_come_before_built_in_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
