// SPDX-License-Identifier: Apache-2.0
// Unit tests of base/yaml_scalar.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/yaml_scalar.h"

#include "base/rng.h"

static void assert_type(struct str text, json_type type)
{
    const char *wrong = NULL;
    CLEANUP_JSON json_t *v = yaml_resolve(text, &wrong);
    if (!v || json_typeof(v) != type)
        fail_msg("%.*s is of type %d (%s)", STR_ARG(text), v ? (int)json_typeof(v) : -1, wrong ? wrong : "");
}

static void only_the_spellings_of_the_core_schema_are_special(void **state)
{
    (void)state;
    static const char *const strings[] = {
        "a", "nULL", "nil", "yes", "no", "on", "off", "TRue", "-", "+", "--1", "1-", "1e", "e1", "1e+", "+.", "1.2.3",
        "0x", "0xG", "0o", "0o8", "0X1F", "-0x1F", "1,000", "1 ", "inf", "nan", "..", "5s", "\xE2\x82\xAC",
    };
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
        assert_type(str_of(strings[i]), JSON_STRING);
    static const char *const reals[] = {"1.", ".5", "+.5", "-1.5e-3", "1e5", "1E+05", "0.0"};
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++)
        assert_type(str_of(reals[i]), JSON_REAL);
    static const char *const integers[] = {"0", "-0", "+5", "0123", "0o7", "0xfF", "9223372036854775807"};
    for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++)
        assert_type(str_of(integers[i]), JSON_INTEGER);
    assert_type(STR(""), JSON_NULL);
    assert_type(STR("Null"), JSON_NULL);
    assert_type(STR("True"), JSON_TRUE);
    assert_type(STR("FALSE"), JSON_FALSE);
}

static void numbers_read_as_in_json(void **state)
{
    (void)state;
    struct rng rng;
    struct sbuf b;
    rng_init(&rng, 61);
    sbuf_init(&b, NULL, 1000);
    for (int i = 0; i < 20000; i++) {
        const char *wrong = NULL;
        int64_t n = (int64_t)(rng_u64(&rng) >> rng_below(&rng, 64));
        sbuf_clear(&b);
        sbuf_i64(&b, n);
        CLEANUP_JSON json_t *integer = yaml_resolve(sbuf_str(&b), &wrong);
        assert_true(json_is_integer(integer) && json_integer_value(integer) == n);
        sbuf_clear(&b);
        sbuf_fmt(&b, rng_below(&rng, 2) ? "0x%llx" : "0o%llo", (unsigned long long)n);
        CLEANUP_JSON json_t *based = yaml_resolve(sbuf_str(&b), &wrong);
        assert_true(n < 0 ? !based && wrong : json_integer_value(based) == n);
        double d = (rng_unit(&rng) - 0.5) * 1e30;
        sbuf_clear(&b);
        sbuf_f64(&b, d);
        CLEANUP_JSON json_t *real = yaml_resolve(sbuf_str(&b), &wrong);
        assert_true(json_is_real(real) && json_real_value(real) == d);
    }
    sbuf_release(&b);
}

static void what_json_cannot_hold_is_refused_with_a_reason(void **state)
{
    (void)state;
    static const struct { struct str text; const char *why; } cases[] = {
        {STR_INIT(".inf"), "infinity"}, {STR_INIT("-.INF"), "infinity"}, {STR_INIT(".nan"), "NaN"},
        {STR_INIT("9223372036854775808"), "64 bits"}, {STR_INIT("-9223372036854775809"), "64 bits"},
        {STR_INIT("0xffffffffffffffffff"), "64 bits"}, {STR_INIT("1e999"), "too large"},
        {STR_INIT("a\0b"), "NUL"}, {STR_INIT("\xFF"), "UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *wrong = NULL;
        assert_null(yaml_resolve(cases[i].text, &wrong));
        assert_true(wrong && strstr(wrong, cases[i].why));
    }
    char many[500];
    const char *wrong = NULL;
    memset(many, '1', sizeof many);
    many[1] = '.';
    assert_null(yaml_resolve(str_of_n(many, sizeof many), &wrong));
    assert_non_null(strstr(wrong, "digits"));
}

static void quoted_text_stays_text(void **state)
{
    (void)state;
    const char *wrong = NULL;
    CLEANUP_JSON json_t *v = yaml_string(STR("5"), &wrong);
    assert_string_equal(json_string_value(v), "5");
    assert_null(yaml_string(STR("\0"), &wrong));
    assert_non_null(wrong);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_spellings_of_the_core_schema_are_special),
        cmocka_unit_test(numbers_read_as_in_json),
        cmocka_unit_test(what_json_cannot_hold_is_refused_with_a_reason),
        cmocka_unit_test(quoted_text_stays_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
