// SPDX-License-Identifier: Apache-2.0
// Escaping by part; files before built-in templates. base/mustache_test has the rest.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "base/file.h"
#include "jobs/mail_template.h"

static const char data[] = "{\"name\":\"Ann <b>\",\"n\":7}";

static void texts_are_filled(void **state)
{
    (void)state;
    struct arena a;
    struct sbuf out;
    struct err err;
    json_t *values CLEANUP_JSON = NULL;
    assert_true(json_parse(str_of(data), &values, &err));
    arena_init(&a, 1024 * 1024);
    sbuf_init(&out, &a, 4096);
    assert_true(mail_template_expand(STR("{{name}} {{n}} "), values, false, &out, &err));
    assert_true(mail_template_expand(STR("{{name}} {{name|raw}}"), values, true, &out, &err));
    assert_string_equal(out.p, "Ann <b> 7 Ann &lt;b&gt; Ann <b>");
    assert_false(mail_template_expand(STR("a {{x}}"), values, false, &out, &err));
    assert_non_null(strstr(err.text, "the template: line 1, column 3: \"x\" is not given"));
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
        cmocka_unit_test(texts_are_filled),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(files_come_before_built_in_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
