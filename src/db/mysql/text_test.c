// SPDX-License-Identifier: Apache-2.0
// Placeholders, texts that only look like them, and scripts cut into statements.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/mysql/text.h"

static void expect(const char *sql, const char *wanted, const char *places, bool or_nothing)
{
    struct mysql_text t;
    struct err err;
    assert_true(mysql_text_of(str_of(sql), &t, &err));
    assert_string_equal(t.sql.p, wanted);
    assert_int_equal(t.places, strlen(places));
    for (size_t i = 0; i < t.places; i++)
        assert_int_equal(t.place[i], places[i] - '0');
    assert_int_equal(t.or_nothing, or_nothing);
    mysql_text_release(&t);
}

static void places_keep_their_parameters(void **state)
{
    (void)state;
    expect("SELECT ?1, ?2", "SELECT ?, ?", "12", false);
    expect("UPDATE t SET a = ?2 WHERE ?3 IS NULL OR b = ?3 AND id = ?1",
           "UPDATE t SET a = ? WHERE ? IS NULL OR b = ? "
           "AND id = ?",
           "2331", false);
    expect("SELECT '?1', \"?2\", `?3`, 'it''s ?4', '\\'?5' /* ?6 */, ?7 -- ?8",
           "SELECT '?1', \"?2\", `?3`, 'it''s ?4', "
           "'\\'?5' /* ?6 */, ? -- ?8",
           "7", false);
    expect("\n INSERT INTO t VALUES (?1)\nON CONFLICT DO NOTHING\n", "INSERT INTO t VALUES (?)\n", "1", true);
    expect("SELECT 1", "SELECT 1", "", false);
}

static void wrong_parameters_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"SELECT ?", "SELECT ?0", "SELECT ?65",
                                        "SELECT ?99999999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct mysql_text t;
        struct err err;
        assert_false(mysql_text_of(str_of(wrong[i]), &t, &err));
        assert_int_equal(err.code, ERR_INTERNAL);
        mysql_text_release(&t);
    }
}

static void scripts_are_cut_at_their_semicolons(void **state)
{
    (void)state;
    struct str rest =
        STR("-- first; comment\n\nCREATE TABLE a (x TEXT DEFAULT ';'); ;\n # no\n/* ; */ INSERT INTO a\n"
            "VALUES (\"it\"\";\") -- a; b\n;DROP TABLE `a;b`\n-- end;\n");
    static const char *const wanted[] = {"CREATE TABLE a (x TEXT DEFAULT ';')",
                                         "INSERT INTO a\nVALUES (\"it\"\";\") -- a; b",
                                         "DROP TABLE `a;b`\n-- end;"};
    struct str s;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        assert_true(mysql_script_next(&rest, &s));
        assert_int_equal(s.n, strlen(wanted[i]));
        assert_memory_equal(s.p, wanted[i], s.n);
    }
    assert_false(mysql_script_next(&rest, &s));
    rest = STR(" -- nothing\n");
    assert_false(mysql_script_next(&rest, &s));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_keep_their_parameters),
        cmocka_unit_test(wrong_parameters_are_refused),
        cmocka_unit_test(scripts_are_cut_at_their_semicolons),
    };
    return cmocka_run_group_tests_name("mysql text", tests, NULL, NULL);
}
