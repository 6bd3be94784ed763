// SPDX-License-Identifier: Apache-2.0
// Secrets: their names, and what of them is shown.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/secret.h"

static void names_are_words_of_a_template(void **state)
{
    (void)state;
    static const struct { const char *text; bool ok; } rows[] = {
        {"A", true}, {"db.password-2_x", true}, {"", false}, {"a b", false}, {"a/b", false}, {"a}}", false},
        {"\303\244", false}, {"a\n", false},
    };
    char longest[SECRET_NAME_MAX + 1];
    memset(longest, 'a', sizeof longest);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (secret_name_ok(str_of(rows[i].text)) != rows[i].ok)
            fail_msg("\"%s\"", rows[i].text);
    assert_true(secret_name_ok(str_of_n(longest, SECRET_NAME_MAX)));
    assert_false(secret_name_ok(str_of_n(longest, SECRET_NAME_MAX + 1)));
}

static void the_value_is_not_shown(void **state)
{
    (void)state;
    struct sbuf out;
    struct secret v = {.name = STR("a"), .sealed = STR("CANARY"), .created_at = instant_s(1)};
    sbuf_init(&out, NULL, FIELD_MAX_DEFAULT);
    field_encode(&secret_fields, &v, FIELD_ENCODE_API, &out);
    assert_null(memmem(out.p, out.n, "CANARY", strlen("CANARY")));
    assert_non_null(memmem(out.p, out.n, "\"name\"", strlen("\"name\"")));
    sbuf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_words_of_a_template),
        cmocka_unit_test(the_value_is_not_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
