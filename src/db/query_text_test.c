// SPDX-License-Identifier: Apache-2.0
// Statements and parameters found in SQL of each engine: what is a parameter, what only looks like one.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/sbuf.h"
#include "db/query_text.h"

static struct arena a;

static int setup(void **state)
{
    (void)state;
    arena_init(&a, 64 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_release(&a);
    return 0;
}

// Statements and their parameters as one text: "sql{name,0}|sql{}".
static struct str shape(const char *sql, enum query_kind kind)
{
    struct query_text t;
    struct err err;
    struct sbuf b;
    sbuf_init(&b, &a, 1 << 16);
    if (!query_text_read(str_of(sql), kind, &t, &a, &err))
        return str_of(arena_cstr(&a, str_of(err.text)));
    for (size_t i = 0; i < t.n; i++) {
        sbuf_puts(&b, i ? "|" : "");
        sbuf_put(&b, t.v[i].sql);
        sbuf_putc(&b, '{');
        for (size_t k = 0; k < t.v[i].n; k++) {
            sbuf_puts(&b, k ? "," : "");
            if (t.v[i].places[k].name.p)
                sbuf_put(&b, t.v[i].places[k].name);
            else
                sbuf_i64(&b, (int64_t)t.v[i].places[k].position);
        }
        sbuf_putc(&b, '}');
    }
    return sbuf_str(&b);
}

#define EXPECT(kind, sql, want) assert_string_equal(shape(sql, kind).p, want)

static void parameters(void **state)
{
    (void)state;
    EXPECT(QUERY_POSTGRES, "SELECT :a, :b_2, :a", "SELECT $1, $2, $3{a,b_2,a}");
    EXPECT(QUERY_MYSQL, "SELECT :a, :b", "SELECT ?, ?{a,b}");
    EXPECT(QUERY_SQLITE, "SELECT ?; SELECT ?, ?", "SELECT ?{0}|SELECT ?, ?{1,2}");
    EXPECT(QUERY_POSTGRES, "SELECT ?; SELECT ?", "SELECT $1{0}|SELECT $1{1}");
    EXPECT(QUERY_POSTGRES, "WHERE a=:a::int LIMIT:n", "WHERE a=$1::int LIMIT$2{a,n}");
    EXPECT(QUERY_MYSQL, "SET @x := 1", "SET @x := 1{}");
    EXPECT(QUERY_POSTGRES, "SELECT a[1:2], :x", "SELECT a[1:2], $1{x}");
    EXPECT(QUERY_POSTGRES, "SELECT j ?? 'k', j ?| k, j ?& k, ?", "SELECT j ? 'k', j ?| k, j ?& k, $1{0}");
    EXPECT(QUERY_SQLITE, "SELECT :größe", "SELECT ?{größe}");
}

static void left_alone(void **state)
{
    (void)state;
    EXPECT(QUERY_POSTGRES, "SELECT ':a ? ;', \":b\", 'it''s :c'", "SELECT ':a ? ;', \":b\", 'it''s :c'{}");
    EXPECT(QUERY_POSTGRES, "SELECT '\\', :a", "SELECT '\\', $1{a}");
    EXPECT(QUERY_POSTGRES, "SELECT E'\\':a', :b", "SELECT E'\\':a', $1{b}");
    EXPECT(QUERY_POSTGRES, "SELECT NAMEE'\\', :b", "SELECT NAMEE'\\', $1{b}");
    EXPECT(QUERY_MYSQL, "SELECT '\\':a', \"\\\":b\", `:c`, :d", "SELECT '\\':a', \"\\\":b\", `:c`, ?{d}");
    EXPECT(QUERY_SQLITE, "SELECT [a:b ;], '\\', :c", "SELECT [a:b ;], '\\', ?{c}");
    EXPECT(QUERY_POSTGRES, "SELECT 1 -- :a ; ?\n, :b", "SELECT 1 -- :a ; ?\n, $1{b}");
    EXPECT(QUERY_MYSQL, "SELECT 1 # :a ;\n, 1--:b", "SELECT 1 # :a ;\n, 1--?{b}");
    EXPECT(QUERY_POSTGRES, "SELECT 1 /* /* :a */ ; */, :b", "SELECT 1 /* /* :a */ ; */, $1{b}");
    EXPECT(QUERY_MYSQL, "SELECT 1 /* /* :a */ , :b", "SELECT 1 /* /* :a */ , ?{b}");
    EXPECT(QUERY_POSTGRES, "DO $$ BEGIN :a; END $$; SELECT $t$ $$ :b $t$, :c",
           "DO $$ BEGIN :a; END $${}|SELECT $t$ $$ :b $t$, $1{c}");
    EXPECT(QUERY_POSTGRES, "SELECT x$a$ FROM t; SELECT 2", "SELECT x$a$ FROM t{}|SELECT 2{}");
}

static void statements(void **state)
{
    (void)state;
    EXPECT(QUERY_SQLITE, " ;; SELECT 1 ;\n -- end\n", "SELECT 1{}");
    EXPECT(QUERY_SQLITE,
           "CREATE TRIGGER x AFTER INSERT ON t BEGIN UPDATE t SET a = CASE WHEN 1 THEN 2 END; SELECT 1; END; "
           "SELECT 2",
           "CREATE TRIGGER x AFTER INSERT ON t BEGIN UPDATE t SET a = CASE WHEN 1 THEN 2 END; SELECT 1; END{}"
           "|SELECT 2{}");
    EXPECT(
        QUERY_MYSQL,
        "CREATE PROCEDURE p() BEGIN IF 1 THEN SELECT 1; END IF; CASE 1 WHEN 1 THEN SELECT 2; END CASE; "
        "END; CALL p()",
        "CREATE PROCEDURE p() BEGIN IF 1 THEN SELECT 1; END IF; CASE 1 WHEN 1 THEN SELECT 2; END CASE; END{}"
        "|CALL p(){}");
}

static void refused(void **state)
{
    (void)state;
    EXPECT(QUERY_SQLITE, " -- nothing", "holds no statement");
    EXPECT(QUERY_SQLITE, "SELECT 'a", "has a ' at character 8 that is not closed");
    EXPECT(QUERY_POSTGRES, "SELECT /* /* */", "has a comment at character 8 that is not closed");
    EXPECT(QUERY_POSTGRES, "SELECT $a$ $b$", "has a $a$ at character 8 that is not closed");
    EXPECT(QUERY_POSTGRES, "SELECT $1", "has a parameter $1… at character 8: write ? or :name");
    EXPECT(QUERY_SQLITE, "SELECT @a", "has a parameter @a… at character 8: write ? or :name");
    EXPECT(QUERY_SQLITE, "SELECT ?1", "has a numbered parameter at character 8: write ? or :name");
    EXPECT(QUERY_MYSQL, "SELECT :a, ?",
           "has parameters by name and by position: use one kind; a plain ? is written ??");
    EXPECT(QUERY_MYSQL, "/*! COMMIT */ SELECT 1",
           "has a comment at character 1 that the server would run: write its content");
    EXPECT(QUERY_MYSQL, "DELIMITER //", "holds DELIMITER, which is a word of a client program: leave it out");
}

static struct query_statement one(const char *sql, enum query_kind kind)
{
    struct query_text t;
    struct err err;
    assert_true(query_text_read(str_of(sql), kind, &t, &a, &err));
    assert_int_equal(t.n, 1);
    return t.v[0];
}

static void transactions(void **state)
{
    (void)state;
    static const char *const control[] = {
        "begin",
        "/* x */ COMMIT",
        "ROLLBACK",
        "START TRANSACTION",
        "SET TRANSACTION READ WRITE",
        "XA START 'a'",
        "SET SESSION TRANSACTION READ WRITE",
        "SET transaction_read_only = off",
        "SET autocommit = 1",
        "LOCK TABLES t READ",
        "PREPARE TRANSACTION 'a'",
        "RESET statement_timeout",
    };
    static const char *const other[] = {"SELECT 1",
                                        "SET @a = 1",
                                        "LOCK TABLE t",
                                        "SET search_path = a",
                                        "UPDATE transaction SET a = 1",
                                        "PREPARE s AS SELECT 1"};
    for (size_t i = 0; i < sizeof control / sizeof control[0]; i++) {
        struct query_statement s = one(control[i], QUERY_MYSQL);
        if (!query_statement_controls(&s))
            fail_msg("%s", control[i]);
    }
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        struct query_statement s = one(other[i], QUERY_MYSQL);
        if (query_statement_controls(&s))
            fail_msg("%s", other[i]);
    }
    struct query_statement reads = one("with x as (select 1) select * from x", QUERY_MYSQL);
    struct query_statement writes = one("DELETE FROM t", QUERY_MYSQL);
    assert_true(query_statement_reads(&reads));
    assert_false(query_statement_reads(&writes));
}

static void order(void **state)
{
    (void)state;
    struct str s =
        query_text_in_order(STR(" SELECT 1 -- x\n ; "), QUERY_POSTGRES, STR("a\"b"), ">=", false, &a);
    assert_string_equal(s.p,
                        "SELECT * FROM (\nSELECT 1 -- x\n) chronos_rows WHERE \"a\"\"b\" >= :offset ORDER BY "
                        "\"a\"\"b\"");
    s = query_text_in_order(STR("SELECT ?"), QUERY_MYSQL, STR("id"), ">", true, &a);
    assert_string_equal(s.p, "SELECT * FROM (\nSELECT ?\n) chronos_rows WHERE `id` > ? ORDER BY `id`");
    s = query_text_in_order(STR("SELECT 1"), QUERY_SQLITE, STR("id"), NULL, false, &a);
    assert_string_equal(s.p,
                        "SELECT * FROM (\nSELECT 1\n) chronos_rows WHERE \"id\" IS NOT NULL ORDER BY \"id\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters), cmocka_unit_test(left_alone),   cmocka_unit_test(statements),
        cmocka_unit_test(refused),    cmocka_unit_test(transactions), cmocka_unit_test(order),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
