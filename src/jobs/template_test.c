// SPDX-License-Identifier: Apache-2.0
// {{name}}: what is accepted, what is refused and where, what comes out.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "jobs/template.h"

enum { BUDGET = 8 << 20 };

struct inner {
    struct str text;
};
struct sample {
    struct str text;
    struct strs list;
    struct str_map map;
    struct str json;
    int64_t number;
    struct inner inner;
};
static const struct field inner_rows[] = {FIELD_STR(struct inner, text, "text")};
static const struct fields inner_fields = FIELDS("Inner", struct inner, inner_rows);
static const struct field sample_rows[] = {
    FIELD_STR(struct sample, text, "text"),     FIELD_STRS(struct sample, list, "list", .flags = FIELD_NO_SECRETS),
    FIELD_MAP(struct sample, map, "map"),       FIELD_JSON(struct sample, json, "json"),
    FIELD_I64(struct sample, number, "number"), FIELD_OBJECT(struct sample, inner, "inner", struct inner,
                                                             &inner_fields),
};
static const struct fields sample_fields = FIELDS("Sample", struct sample, sample_rows);

static struct arena arena;

static bool no_secret(void *ctx, struct str name)
{
    (void)ctx;
    return str_is(name, "there");
}
static const struct secret_names no_secrets = {no_secret, NULL};
static const struct template_names any = {.secrets = NULL}, none = {.secrets = &no_secrets};

static struct template_values values(const json_t *inputs)
{
    struct template_values v = {.job_name = STR("night {{run.id}}"), .scheduled = instant_s(1000000000),
                                .attempt = 3,
                                .inputs = inputs};
    assert_true(ulid_parse(STR("01ARZ3NDEKTSV4RRFFQ69G5FAV"), &v.run_id));
    assert_true(ulid_parse(STR("01BRZ3NDEKTSV4RRFFQ69G5FAV"), &v.run_key));
    assert_true(ulid_parse(STR("01CRZ3NDEKTSV4RRFFQ69G5FAV"), &v.job_id));
    return v;
}

static void known_names_are_replaced(void **state)
{
    (void)state;
    static const struct { const char *in, *out; } cases[] = {
        {"plain", "plain"},
        {"", ""},
        {"{ {run.id} }", "{ {run.id} }"},
        {"{{run.id}}", "01ARZ3NDEKTSV4RRFFQ69G5FAV"},
        {"a{{ run.key }}b", "a01BRZ3NDEKTSV4RRFFQ69G5FAVb"},
        {"{{job.id}}{{run.attempt}}", "01CRZ3NDEKTSV4RRFFQ69G5FAV3"},
        {"{{run.scheduledTime}}", "2001-09-09T01:46:40.000Z"},
        {"{{job.name}}", "night {{run.id}}"}, // not looked at again
        {"{{param.text}} {{param.number}} {{param.list}} {{param.flag}}", "{{run.id}} 7 [1,\"x\"] true"},
        {"{{param.a-b_c.d}}", "odd"},
        {"\\{{run.id}}", "{{run.id}}"},
        {"x\\{{{{run.attempt}}", "x{{3"},
        {"\\\\{{x", "\\{{x"},
        {"}}{{run.attempt}}}}", "}}3}}"},
    };
    json_t *inputs = NULL;
    struct err err;
    assert_true(json_parse(STR("{\"text\":\"{{run.id}}\",\"number\":7,\"list\":[1,\"x\"],\"flag\":true,"
                               "\"a-b_c.d\":\"odd\"}"),
                           &inputs, &err));
    struct template_values v = values(inputs);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sample s = {.text = str_of(cases[i].in)};
        struct faults faults;
        faults_init(&faults, &arena);
        template_check(&sample_fields, &s, STR(""), &any, &faults);
        assert_int_equal(faults.n, 0);
        if (!template_expand(&sample_fields, &s, &v, &arena, &err))
            fail_msg("%s: %s", cases[i].in, err.text);
        if (!str_is(s.text, cases[i].out))
            fail_msg("%s gives %.*s", cases[i].in, STR_ARG(s.text));
    }
    json_decref(inputs);
}

static void every_text_of_a_table_is_reached(void **state)
{
    (void)state;
    struct str list[] = {STR("a"), STR("{{run.attempt}}")};
    struct str_pair map[] = {{STR("{{run.attempt}}"), STR("{{run.attempt}}")}};
    struct sample s = {.text = STR("{{run.attempt}}"), .list = {list, 2}, .map = {map, 1},
                       .json = STR("{\"{{a}}\":[\"{{run.attempt}}\",{\"b\":\"x\\\"{{run.attempt}}\"}],\"n\":1.50}"),
                       .inner = {STR("{{run.attempt}}")}};
    struct template_values v = values(NULL);
    struct err err;
    assert_true(template_expand(&sample_fields, &s, &v, &arena, &err));
    assert_true(str_is(s.text, "3"));
    assert_true(str_is(s.list.v[0], "a"));
    assert_true(str_is(s.list.v[1], "3"));
    assert_true(str_is(s.map.v[0].value, "3"));
    assert_true(str_is(s.map.v[0].key, "{{run.attempt}}")); // keys are not text
    assert_true(str_is(s.json, "{\"{{a}}\":[\"3\",{\"b\":\"x\\\"3\"}],\"n\":1.5}")); // texts, not names
    assert_true(str_is(s.inner.text, "3"));
}

static void wrong_names_are_refused_where_they_stand(void **state)
{
    (void)state;
    struct str list[] = {STR("fine"), STR("{{run.ID}}")};
    struct str_pair map[] = {{STR("a/b~c"), STR("{{env.PATH}}")}};
    struct sample s = {.text = STR("{{secret.TOKEN}}"), .list = {list, 2}, .map = {map, 1},
                       .inner = {STR("x {{ y")}};
    static const struct { const char *pointer, *part; } wanted[] = {
        {"/payload/text", "{{secret.TOKEN}}: the owner of the job has no such secret"},
        {"/payload/list/1", "unknown name {{run.ID}}"},
        {"/payload/map/a~1b~0c", "unknown name {{env.PATH}}"},
        {"/payload/inner/text", "without \"}}\""},
    };
    struct faults faults;
    faults_init(&faults, &arena);
    template_check(&sample_fields, &s, STR("/payload"), &none, &faults);
    assert_int_equal(faults.n, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_true(str_is(faults.v[i].pointer, wanted[i].pointer));
        assert_true(str_contains(faults.v[i].detail, str_of(wanted[i].part)));
    }
    static const char *const bad[] = {"{{}}", "{{ }}", "{{param.}}", "{{param}}", "{{param.a b}}",
                                      "{{run}}", "{{run.id.x}}",
                                      "{{RUN.ID}}", "{{job.name|x}}", "{{{run.id}}}", "{{param.\xc3\xa9}}",
                                      "{{"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sample one = {.text = str_of(bad[i])};
        faults_init(&faults, &arena);
        template_check(&sample_fields, &one, STR(""), &any, &faults);
        if (faults.n != 1)
            fail_msg("%s: %zu faults", bad[i], faults.n);
    }
}

static void names_of_secrets_and_parameters_must_be_known(void **state)
{
    (void)state;
    struct str list[] = {STR("{{secret.there}}")};
    struct parameter one = {.name = STR("day")};
    struct template_names names = {.parameters = {&one, 1}, .secrets = &no_secrets};
    struct sample s = {.text = STR("{{secret.there}} {{param.day}}"), .list = {list, 1},
                       .inner = {STR("{{param.night}} {{secret.gone}}")}};
    static const struct { const char *pointer, *part; } wanted[] = {
        {"/list/0", "others could see it"},
        {"/inner/text", "uses {{param.night}}, which is not in"},
        {"/inner/text", "no such secret"},
    };
    struct faults faults;
    faults_init(&faults, &arena);
    template_check(&sample_fields, &s, STR(""), &names, &faults);
    assert_int_equal(faults.n, sizeof wanted / sizeof wanted[0]);
    for (size_t i = 0; i < faults.n; i++) {
        assert_true(str_is(faults.v[i].pointer, wanted[i].pointer));
        assert_true(str_contains(faults.v[i].detail, str_of(wanted[i].part)));
    }
}

static bool secret_of(void *ctx, struct str name, struct str *ret, struct arena *a, struct err *err)
{
    (void)ctx;
    *ret = arena_fmt(a, "{{value of %.*s}}", STR_ARG(name));
    return str_is(name, "there") || ERR(err, ERR_NOT_FOUND, "secret \"%.*s\" does not exist", STR_ARG(name));
}

static void secrets_are_put_in(void **state)
{
    (void)state;
    struct sample s = {.text = STR("a {{secret.there}} b")}, bad = {.text = STR("{{secret.gone}}")};
    struct template_values v = values(NULL);
    struct err err;
    assert_false(template_expand(&sample_fields, &s, &v, &arena, &err)); // nobody has any
    v.secret = secret_of;
    assert_true(template_expand(&sample_fields, &s, &v, &arena, &err));
    assert_true(str_is(s.text, "a {{value of there}} b"));
    assert_false(template_expand(&sample_fields, &bad, &v, &arena, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void a_parameter_that_is_not_given_fails_the_run(void **state)
{
    (void)state;
    struct sample s = {.text = STR("{{param.x}}")};
    struct template_values v = values(NULL);
    struct err err;
    assert_false(template_expand(&sample_fields, &s, &v, &arena, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_string_equal(err.text, "text: parameter \"x\" was not given to this run");
}

static void expansion_is_bounded(void **state)
{
    (void)state;
    enum { LONG = 4096, TIMES = 400 };
    struct sbuf text, name;
    struct err err;
    sbuf_init(&text, &arena, BUDGET);
    sbuf_init(&name, &arena, BUDGET);
    for (int i = 0; i < TIMES; i++)
        sbuf_puts(&text, "{{job.name}}");
    for (int i = 0; i < LONG; i++)
        sbuf_putc(&name, 'x');
    struct template_values v = values(NULL);
    v.job_name = sbuf_str(&name);
    struct sample s = {.text = sbuf_str(&text)};
    assert_false(template_expand(&sample_fields, &s, &v, &arena, &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
}

static void uses_are_found_by_prefix(void **state)
{
    (void)state;
    assert_true(template_uses(STR("a {{ param.x }}"), "param."));
    assert_false(template_uses(STR("a \\{{param.x}} {{run.id}}"), "param."));
    assert_true(template_uses(STR("{{run.id}}"), ""));
    assert_false(template_uses(STR("{run.id}"), ""));
}

static int open_arena(void **state)
{
    (void)state;
    arena_init(&arena, BUDGET);
    return 0;
}

static int close_arena(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_names_are_replaced),
        cmocka_unit_test(every_text_of_a_table_is_reached),
        cmocka_unit_test(wrong_names_are_refused_where_they_stand),
        cmocka_unit_test(names_of_secrets_and_parameters_must_be_known),
        cmocka_unit_test(secrets_are_put_in),
        cmocka_unit_test(a_parameter_that_is_not_given_fails_the_run),
        cmocka_unit_test(expansion_is_bounded),
        cmocka_unit_test(uses_are_found_by_prefix),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
