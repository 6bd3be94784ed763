// SPDX-License-Identifier: Apache-2.0
// Positions over runs: what is new, what went before, what is refused; and that a text gives back what was kept.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "jobs/db_position.h"

static struct db_position *fresh(void) { return mem_new(struct db_position); }

static void drop(struct db_position *p)
{
    db_position_release(p);
    mem_free(p);
}

static struct query_value number(int64_t i) { return (struct query_value){.type = QUERY_I64, .i = i}; }
static struct query_value text(enum query_type type, const char *s)
{
    return (struct query_value){.type = type, .text = str_of(s)};
}

static int move(struct db_position *p, struct query_value v, uint64_t hash)
{
    return (int)db_position_move(p, &v, hash);
}

// As the next run finds it.
static struct db_position *kept(struct db_position *p)
{
    struct db_position *next = fresh();
    struct sbuf b;
    struct err err;
    sbuf_init(&b, NULL, DB_POSITION_TEXT_MAX);
    db_position_write(p, &b);
    assert_true(sbuf_ok(&b));
    if (!db_position_read(next, sbuf_str(&b), &err))
        fail_msg("%s: %s", err.text, b.p);
    sbuf_release(&b);
    drop(p);
    return next;
}

static void equal_values(void **state)
{
    (void)state;
    struct db_position *p = fresh();
    assert_int_equal(move(p, number(1), 10), DB_POSITION_NEW);
    assert_int_equal(move(p, number(2), 20), DB_POSITION_NEW);
    assert_int_equal(move(p, number(2), 21), DB_POSITION_NEW);
    assert_int_equal(move(p, number(2), 21), DB_POSITION_NEW); // two rows that say the same are two rows
    p = kept(p);
    assert_int_equal(move(p, number(2), 21), DB_POSITION_GONE_BEFORE);
    assert_int_equal(move(p, number(2), 22), DB_POSITION_NEW);
    assert_int_equal(move(p, number(2), 20), DB_POSITION_GONE_BEFORE);
    p = kept(p);
    assert_int_equal(move(p, number(2), 21), DB_POSITION_GONE_BEFORE);
    assert_int_equal(move(p, number(2), 21), DB_POSITION_GONE_BEFORE);
    assert_int_equal(move(p, number(2), 21), DB_POSITION_NEW); // a third one
    assert_int_equal(move(p, number(2), 22), DB_POSITION_GONE_BEFORE);
    assert_int_equal(move(p, number(3), 22), DB_POSITION_NEW);
    assert_int_equal(move(p, number(2), 9), DB_POSITION_BACKWARDS);
    drop(p);
}

static void too_many_equal_values(void **state)
{
    (void)state;
    struct db_position *p = fresh();
    for (uint64_t i = 0; i <= DB_POSITION_TIES_MAX; i++)
        assert_int_equal(move(p, number(1), i), DB_POSITION_NEW);
    p = kept(p);
    assert_int_equal(move(p, number(1), 0), DB_POSITION_NEW); // nothing is known: all go again
    p = kept(p);
    assert_int_equal(move(p, number(1), 0), DB_POSITION_NEW);
    assert_int_equal(move(p, number(2), 0), DB_POSITION_NEW);
    p = kept(p);
    assert_int_equal(move(p, number(2), 0), DB_POSITION_GONE_BEFORE);
    drop(p);
}

static void kinds_of_values(void **state)
{
    (void)state;
    static const struct query_value v[] = {
        {.type = QUERY_I64, .i = INT64_MIN},
        {.type = QUERY_F64, .f = 0.1},
        {.type = QUERY_BOOL, .i = 1},
        {.type = QUERY_DECIMAL, .text = STR_INIT("-12345678901234567890.10")},
        {.type = QUERY_TEXT, .text = STR_INIT("a \"b\" \\ größe\n")},
        {.type = QUERY_DATE, .text = STR_INIT("2024-02-29")},
        {.type = QUERY_TIMESTAMP, .text = STR_INIT("2024-02-29 12:34:56.123456+00")},
    };
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
        struct db_position *p = fresh();
        assert_int_equal(move(p, v[i], 7), DB_POSITION_NEW);
        p = kept(p);
        assert_int_equal(p->v.type, v[i].type);
        assert_int_equal(move(p, v[i], 7), DB_POSITION_GONE_BEFORE);
        drop(p);
    }
}

static void order(void **state)
{
    (void)state;
    struct db_position *p = fresh();
    assert_int_equal(move(p, text(QUERY_TIMESTAMP, "2024-02-29 12:34:56"), 1), DB_POSITION_NEW);
    assert_int_equal(move(p, text(QUERY_TIMESTAMP, "2024-02-29 12:34:56.5"), 1), DB_POSITION_NEW);
    assert_int_equal(move(p, text(QUERY_TIMESTAMP, "2024-02-29 12:34:56.4"), 1), DB_POSITION_BACKWARDS);
    assert_int_equal(move(p, text(QUERY_TEXT, "b"), 1), DB_POSITION_NEW);
    assert_int_equal(move(p, text(QUERY_TEXT, "A"), 1), DB_POSITION_NEW); // a collation may say so
    assert_int_equal(move(p, (struct query_value){.type = QUERY_NULL}, 1), DB_POSITION_NO_VALUE);
    drop(p);
}

static void bad_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "{}", "{\"type\":\"int\",\"value\":\"x\"}", "[1]", "{\"type\":\"null\"}"};
    struct err err;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct db_position *p = fresh();
        assert_false(db_position_read(p, str_of(texts[i]), &err));
        drop(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_values), cmocka_unit_test(too_many_equal_values), cmocka_unit_test(kinds_of_values),
        cmocka_unit_test(order),        cmocka_unit_test(bad_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
